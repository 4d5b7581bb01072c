//! The node's side of the file: watching it, handing new states over, and writing.

use std::{path::PathBuf, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{sync::watch, task::spawn_blocking, time::sleep};
use tracing::{info, warn};

use super::{
    SharedResource, SharedState, SharedStateError, SyncStatus,
    file::{Fingerprint, StateFile, Write},
    status::Progress,
};
use crate::clock::Clock;
use crate::config::Cluster;
use crate::tasks::Tasks;

/// So many looks at the file may fail to happen before what is active counts as stale.
const STALE_POLLS: u32 = 3;

/// The shared file as one node knows it. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct StateSync(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: StateFile,
    node_id: String,
    poll_interval: Duration,
    clock: Clock,
    /// One look or write at a time, so that none overtakes another. Held by threads that may block.
    turn: Mutex<()>,
    known: Mutex<Known>,
    newest: watch::Sender<Option<Arc<SharedState>>>,
}

#[derive(Debug, Default)]
struct Known {
    /// The file that was last opened, sound or not.
    seen: Option<Fingerprint>,
    progress: Progress,
}

/// What a look at the file found.
enum Look {
    Unchanged,
    Missing,
    Read(Vec<u8>, Fingerprint),
}

impl StateSync {
    /// Nothing is read before the first [`StateSync::sync`] or [`StateSync::watch`].
    pub fn new(path: PathBuf, options: &Cluster, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            file: StateFile::new(path),
            node_id: options.node_id.clone(),
            poll_interval: options.config_poll_interval,
            clock,
            turn: Mutex::default(),
            known: Mutex::default(),
            newest: watch::channel(None).0,
        }))
    }

    /// Looks at the file every `config_poll_interval` until the process ends.
    pub fn watch(&self, tasks: &Tasks) {
        let (sync, stop) = (self.clone(), tasks.clone());
        tasks.spawn("shared-state", async move {
            loop {
                tokio::select! {
                    () = stop.stopping() => return,
                    () = sleep(sync.0.poll_interval) => sync.sync().await,
                }
            }
        });
    }

    /// States that were read or written, the newest only, and the present one first. Whoever takes one says how that
    /// went with [`StateSync::applied`] or [`StateSync::refused`].
    pub fn subscribe(&self) -> watch::Receiver<Option<Arc<SharedState>>> {
        let mut states = self.0.newest.subscribe();
        states.mark_changed();
        states
    }

    /// The newest state that is known; `None` where no file was found yet.
    pub fn newest(&self) -> Option<Arc<SharedState>> {
        self.0.newest.borrow().clone()
    }

    /// Looks at the file now. What is wrong with it is in the status.
    pub async fn sync(&self) {
        let inner = Arc::clone(&self.0);
        let looked = spawn_blocking(move || {
            let _turn = inner.turn.lock();
            inner.look().and_then(|look| inner.take(look))
        });
        if let Err(error) = looked.await.unwrap_or(Err(SharedStateError::Cancelled)) {
            self.0.failed(&error);
        }
    }

    /// Writes `resources` as the revision after `expected` (0 where there is no file yet) and hands the state over.
    ///
    /// # Errors
    /// [`SharedStateError::Conflict`] when somebody else was faster: what they wrote is the newest state then, and
    /// nothing was written. Otherwise what is wrong with the file, or with a resource.
    pub async fn replace(
        &self,
        expected: u64,
        resources: Vec<SharedResource>,
    ) -> Result<Arc<SharedState>, SharedStateError> {
        let inner = Arc::clone(&self.0);
        let write = Write {
            expected,
            node_id: self.0.node_id.clone(),
            now_unix_ms: self.0.clock.unix_ms(),
            resources,
        };
        let written = spawn_blocking(move || {
            let _turn = inner.turn.lock();
            let (state, fingerprint) = inner.file.replace(write)?;
            let state = Arc::new(state);
            inner.hand_over(Arc::clone(&state), fingerprint);
            Ok(state)
        });
        let written = written.await.unwrap_or(Err(SharedStateError::Cancelled));
        if matches!(written, Err(SharedStateError::Conflict { .. })) {
            self.sync().await;
        }
        written
    }

    /// Requests go by this revision from now on.
    pub fn applied(&self, revision: u64) {
        let mut known = self.0.known.lock();
        if known.progress.active_revision < Some(revision) {
            known.progress.active_revision = Some(revision);
            known.progress.error = None;
        }
    }

    /// This revision cannot be gone by; what was active stays.
    pub fn refused(&self, revision: u64, why: &str) {
        let error = format!("revision {revision} of the shared state cannot be used: {why}");
        warn!("{error}");
        self.0.known.lock().progress.error = Some(error);
    }

    /// How far this node is.
    pub fn status(&self) -> SyncStatus {
        let stale_after = self.0.poll_interval * STALE_POLLS;
        let now = self.0.clock.unix_ms();
        self.0.known.lock().progress.status(now, stale_after)
    }
}

impl Inner {
    fn look(&self) -> Result<Look, SharedStateError> {
        let seen = self.known.lock().seen;
        let now = self.file.fingerprint()?;
        if now.is_some() && now == seen {
            return Ok(Look::Unchanged);
        }
        Ok(match self.file.text()? {
            None => Look::Missing,
            Some((text, fingerprint)) => Look::Read(text, fingerprint),
        })
    }

    fn take(&self, look: Look) -> Result<(), SharedStateError> {
        match look {
            Look::Unchanged => {
                let mut known = self.known.lock();
                // A damaged file that nobody touches is still damaged.
                if known.progress.error.is_none() {
                    known.progress.last_sync_at_unix_ms = Some(self.clock.unix_ms());
                }
                Ok(())
            }
            Look::Missing if self.newest.borrow().is_some() => {
                let path = self.file.path().to_owned();
                Err(SharedStateError::Gone { path })
            }
            Look::Missing => Ok(()),
            Look::Read(text, fingerprint) => {
                // Whatever it says, it need not be read again.
                self.known.lock().seen = Some(fingerprint);
                let state = self.file.parse(&text)?;
                self.follows(&state)?;
                self.hand_over(Arc::new(state), fingerprint);
                Ok(())
            }
        }
    }

    /// A state that was read goes on from the one that is known.
    fn follows(&self, state: &SharedState) -> Result<(), SharedStateError> {
        let newest = self.newest.borrow();
        let Some(newest) = newest.as_ref() else {
            return Ok(());
        };
        let (path, found) = (self.file.path().to_owned(), state.revision);
        if found < newest.revision {
            let loaded = newest.revision;
            return Err(SharedStateError::Older {
                path,
                found,
                loaded,
            });
        }
        if found == newest.revision && **newest != *state {
            let revision = found;
            return Err(SharedStateError::SameRevision { path, revision });
        }
        Ok(())
    }

    /// Hands a revision over, once.
    fn hand_over(&self, state: Arc<SharedState>, fingerprint: Fingerprint) {
        let revision = state.revision;
        let known_revision =
            |newest: &Option<Arc<SharedState>>| newest.as_ref().map(|newest| newest.revision);
        let is_new = self.newest.send_if_modified(|newest| {
            let is_new = known_revision(newest) < Some(revision);
            if is_new {
                *newest = Some(state);
            }
            is_new
        });
        let mut known = self.known.lock();
        known.seen = Some(fingerprint);
        known.progress.last_sync_at_unix_ms = Some(self.clock.unix_ms());
        // What was refused and reads the same is still refused.
        if is_new || known.progress.active_revision >= Some(revision) {
            known.progress.error = None;
        }
        drop(known);
        if is_new {
            info!(revision, "shared state read");
        }
    }

    fn failed(&self, error: &SharedStateError) {
        let is_of_content = matches!(
            error,
            SharedStateError::Damaged { .. }
                | SharedStateError::Older { .. }
                | SharedStateError::SameRevision { .. }
        );
        let error = error.to_string();
        let mut known = self.known.lock();
        if !is_of_content {
            // The same file may be readable the next time.
            known.seen = None;
        }
        let is_new = known.progress.error.as_ref() != Some(&error);
        known.progress.error = Some(error.clone());
        drop(known);
        if is_new {
            warn!("{error}");
        }
    }
}
