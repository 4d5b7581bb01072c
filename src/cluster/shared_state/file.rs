//! Reading and writing the file. Everything here blocks.

use std::{
    fs::{self, File, OpenOptions, Permissions, TryLockError},
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use super::{SharedResource, SharedState, SharedStateError, document};

/// A write takes milliseconds; who holds the lock longer is stuck.
const LOCK_TIME_LIMIT: Duration = Duration::from_secs(5);
const LOCK_POLL: Duration = Duration::from_millis(5);
/// Hundreds of thousands of keys. What is larger was not written by a gateway.
const SIZE_MAX: u64 = 256 * 1024 * 1024;
const OWNER_ONLY: u32 = 0o600;

/// The file.
#[derive(Debug, Clone)]
pub(super) struct StateFile {
    path: PathBuf,
}

/// By what a change is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fingerprint {
    modified: (i64, i64),
    size: u64,
    inode: u64,
}

/// What is to be written.
#[derive(Debug)]
pub(super) struct Write {
    /// The revision that it was made from; 0 where there was no file.
    pub(super) expected: u64,
    pub(super) node_id: String,
    pub(super) now_unix_ms: i64,
    pub(super) resources: Vec<SharedResource>,
}

impl Fingerprint {
    fn of(metadata: &fs::Metadata) -> Self {
        Self {
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            size: metadata.size(),
            inode: metadata.ino(),
        }
    }
}

impl StateFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What the file looks like from outside; `None` where there is none.
    pub(super) fn fingerprint(&self) -> Result<Option<Fingerprint>, SharedStateError> {
        match fs::metadata(&self.path) {
            Ok(metadata) => Ok(Some(Fingerprint::of(&metadata))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(self.unreadable(source)),
        }
    }

    /// The whole file, unread; `None` where there is none.
    pub(super) fn text(&self) -> Result<Option<(Vec<u8>, Fingerprint)>, SharedStateError> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(self.unreadable(source)),
        };
        let metadata = file.metadata().map_err(|source| self.unreadable(source))?;
        if metadata.len() > SIZE_MAX {
            return Err(self.damaged(format!("it is over {SIZE_MAX} bytes")));
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text)
            .map_err(|source| self.unreadable(source))?;
        Ok(Some((text, Fingerprint::of(&metadata))))
    }

    /// What the text says.
    pub(super) fn parse(&self, text: &[u8]) -> Result<SharedState, SharedStateError> {
        SharedState::parse(text).map_err(|reason| self.damaged(reason))
    }

    /// Replaces the file, if it still is what `write` was made from.
    pub(super) fn replace(
        &self,
        write: Write,
    ) -> Result<(SharedState, Fingerprint), SharedStateError> {
        write.resources.iter().try_for_each(document::check)?;
        let _lock = self.lock()?;
        let found = match self.text()? {
            Some((text, _)) => self.parse(&text)?.revision,
            None => 0,
        };
        if found != write.expected {
            return Err(SharedStateError::Conflict {
                expected: write.expected,
                found,
            });
        }
        let state = SharedState {
            revision: found + 1,
            updated_at_unix_ms: write.now_unix_ms,
            node_id: write.node_id,
            resources: write.resources,
        };
        let fingerprint = self.put(&state.text()).map_err(|source| {
            let path = self.path.clone();
            SharedStateError::Write { path, source }
        })?;
        Ok((state, fingerprint))
    }

    /// Whole or not at all, and there after a power cut.
    fn put(&self, text: &[u8]) -> io::Result<Fingerprint> {
        let directory = self.directory();
        let mut file = tempfile::Builder::new()
            .prefix(".ferrogate-state-")
            .permissions(Permissions::from_mode(OWNER_ONLY))
            .tempfile_in(directory)?;
        file.write_all(text)?;
        file.as_file().sync_all()?;
        let file = file.persist(&self.path).map_err(|error| error.error)?;
        File::open(directory)?.sync_all()?;
        Ok(Fingerprint::of(&file.metadata()?))
    }

    fn directory(&self) -> &Path {
        match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }

    /// The lock beside the file: the file itself is another one after each write. Let go of when dropped.
    fn lock(&self) -> Result<File, SharedStateError> {
        let mut path = self.path.clone().into_os_string();
        path.push(".lock");
        let path = PathBuf::from(path);
        let opened = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(OWNER_ONLY)
            .open(&path);
        let file = match opened {
            Ok(file) => file,
            Err(source) => return Err(SharedStateError::Lock { path, source }),
        };
        let deadline = Instant::now() + LOCK_TIME_LIMIT;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(source)) => {
                    return Err(SharedStateError::Lock { path, source });
                }
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                    let path = self.path.clone();
                    return Err(SharedStateError::Busy { path });
                }
                Err(TryLockError::WouldBlock) => thread::sleep(LOCK_POLL),
            }
        }
    }

    fn unreadable(&self, source: io::Error) -> SharedStateError {
        let path = self.path.clone();
        SharedStateError::Read { path, source }
    }

    fn damaged(&self, reason: String) -> SharedStateError {
        let path = self.path.clone();
        SharedStateError::Damaged { path, reason }
    }
}
