//! Connections that read `state.db`. They change with the file: one that was opened on a file that is gone is closed
//! and not used again.

use std::{
    mem,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::{
    super::{StoreError, connection::open_reader},
    file,
};

/// The readers' side of the file.
#[derive(Debug)]
pub(super) struct StateReaders {
    path: PathBuf,
    /// One for each connection, so that a look-up waits here and not in a thread.
    pub(super) turns: Arc<Semaphore>,
    open: Mutex<Open>,
    /// The generation that a reader found damaged; 0 for none.
    damaged: AtomicU64,
}

#[derive(Debug, Default)]
struct Open {
    /// Counts the files; 0 before the first.
    generation: u64,
    /// Whether there is a file with our schema.
    usable: bool,
    idle: Vec<Connection>,
}

impl StateReaders {
    pub(super) fn new(path: PathBuf, connections: usize) -> Self {
        Self {
            path,
            turns: Arc::new(Semaphore::new(connections)),
            open: Mutex::default(),
            damaged: AtomicU64::default(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// From now on there is a file to read.
    pub(super) fn begin(&self) {
        let mut open = self.open.lock();
        open.generation += 1;
        open.usable = true;
    }

    /// From now on there is none.
    pub(super) fn end(&self) {
        let mut open = self.open.lock();
        open.usable = false;
        let closing = mem::take(&mut open.idle);
        drop(open);
        drop(closing);
    }

    /// Whether a reader found the file that is open now damaged.
    pub(super) fn is_damaged(&self) -> bool {
        let open = self.open.lock();
        open.usable && self.damaged.load(Ordering::Relaxed) == open.generation
    }

    /// Blocks on the disk.
    pub(super) fn read<T>(
        &self,
        what: &'static str,
        read: impl FnOnce(&Connection) -> Result<T, rusqlite::Error>,
    ) -> Result<T, StoreError> {
        let (generation, idle) = self.take()?;
        let failed = |source| {
            if file::is_damage(&source) {
                self.damaged.store(generation, Ordering::Relaxed);
            }
            StoreError::Read { what, source }
        };
        let connection = match idle {
            Some(connection) => connection,
            None => open_reader(&self.path).map_err(failed)?,
        };
        let result = read(&connection).map_err(failed)?;
        self.give_back(generation, connection);
        Ok(result)
    }

    fn take(&self) -> Result<(u64, Option<Connection>), StoreError> {
        let mut open = self.open.lock();
        if !open.usable {
            return Err(StoreError::StateUnavailable);
        }
        Ok((open.generation, open.idle.pop()))
    }

    fn give_back(&self, generation: u64, connection: Connection) {
        let mut open = self.open.lock();
        if open.usable && open.generation == generation {
            open.idle.push(connection);
        } else {
            drop(open);
            drop(connection);
        }
    }
}
