//! Background work: every task and thread is started here, has a name, and is waited for on shutdown.

use std::{future::Future, io, thread};

use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

/// The process's background tasks. Cheap to clone; all clones are one set.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// Starts `work` on the current runtime under `name`.
    pub fn spawn<F>(&self, name: &'static str, work: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.tracker
            .spawn(work.instrument(tracing::debug_span!("task", name)))
    }

    /// Resolves when the process is shutting down; long-running tasks select on it.
    pub async fn stopping(&self) {
        self.stop.cancelled().await;
    }

    /// The token behind [`Tasks::stopping`], for code that must ask without waiting.
    pub fn stop_token(&self) -> &CancellationToken {
        &self.stop
    }

    /// Tells every task to stop and waits until all have.
    pub async fn drain(&self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

/// How much less of a claim to a processor work in the background has than what answers requests: what is added to the
/// niceness of its thread (setpriority(2)).
#[derive(Debug, Clone, Copy)]
pub enum Background {
    /// It may take a moment longer, and something may wait for it.
    Soon = 5,
    /// It may take as long as there is something else to do.
    Idle = 15,
}

/// The same as [`thread()`], in the background.
///
/// # Errors
/// The operating system's, when it has no thread to give.
pub fn background_thread<F, T>(
    name: &'static str,
    background: Background,
    work: F,
) -> io::Result<thread::JoinHandle<T>>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    thread(name, move || {
        // On Linux this is the thread's own.
        if let Err(error) = rustix::process::nice(background as i32) {
            tracing::debug!(%error, name, "a thread runs at the priority of everybody else");
        }
        work()
    })
}

/// Starts a named thread, for work that blocks for as long as the process lives.
///
/// # Errors
/// The operating system's, when it has no thread to give.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that starts threads"
)]
pub fn thread<F, T>(name: &'static str, work: F) -> io::Result<thread::JoinHandle<T>>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    debug_assert!(
        name.len() <= 15,
        "Linux cuts thread names after 15 characters"
    );
    thread::Builder::new().name(name.into()).spawn(work)
}
