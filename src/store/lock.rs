//! The lock on the data directory: two writers on one ledger would each believe to be the only one.

use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use super::StoreError;

const LOCK_FILE: &str = "ferrogate.lock";

/// Held for as long as the store is open. The operating system lets go of it when the process dies, however it dies.
#[derive(Debug)]
pub(super) struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Creates the directory where it is missing, and locks it.
    pub(super) fn acquire(directory: &Path) -> Result<Self, StoreError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|source| StoreError::CreateDirectory {
                path: directory.to_owned(),
                source,
            })?;
        let path = directory.join(LOCK_FILE);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|source| StoreError::Lock {
                path: path.clone(),
                source,
            })?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse {
                path: directory.to_owned(),
            }),
            Err(TryLockError::Error(source)) => Err(StoreError::Lock { path, source }),
        }
    }

    /// Keeps a gateway from opening the directory, together with others who only read; changes nothing in it.
    pub(super) fn share(directory: &Path) -> Result<Shared, StoreError> {
        let path = directory.join(LOCK_FILE);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Shared::NeverLocked);
            }
            Err(source) => return Err(StoreError::Lock { path, source }),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(Shared::Locked(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(Shared::InUse),
            Err(TryLockError::Error(source)) => Err(StoreError::Lock { path, source }),
        }
    }
}

/// What came of the wish to read a data directory undisturbed.
#[derive(Debug)]
pub(super) enum Shared {
    /// A gateway has it open.
    InUse,
    /// None has, and none will as long as this is held.
    Locked(DirectoryLock),
    /// There is no lock to hold: no gateway works in this directory, it is a copy.
    NeverLocked,
}
