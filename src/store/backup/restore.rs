//! Puts a backup in the place of a data directory's databases. What was there is moved away, never deleted.
//!
//! ```text
//!   verify ──▶ copy beside, to the disk ──▶ mark ──▶ move the old away ──▶ move the new in ──▶ unmark
//!                                            └────────── killed in here: the gateway does not start ─┘
//! ```
//! Without the mark a gateway would find no ledger and begin an empty one. Restoring once more goes on from anywhere.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use ferrogate_api::Backup;
use jiff::Timestamp;

use super::{
    directory::{self, failed, sync},
    verify,
};
use crate::clock::Clock;
use crate::store::{StoreError, connection::wal_path, lock::DirectoryLock};

/// There from before the first file is moved until after the last.
const MARK: &str = "restore-under-way";
/// Where the new files are gathered.
const INCOMING: &str = "restore.partial";

/// What a restore did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    pub backup: Backup,
    /// Where the old files are now; `None` where there were none.
    pub moved_to: Option<PathBuf>,
    /// The names of the files that were moved there.
    pub moved: Vec<String>,
}

/// Restores the backup in one folder into a data directory that no gateway has open.
///
/// # Errors
/// When a gateway has it open, when the backup is not sound or was made by a newer version, or when the disk fails.
/// Until everything is copied and on the disk the directory stays as it was.
pub fn restore(
    backup: &Path,
    data_directory: &Path,
    clock: &Clock,
) -> Result<Restored, StoreError> {
    let _lock = DirectoryLock::acquire(data_directory)?;
    let (manifest, files) = verify::require_sound(backup)?;
    let incoming = data_directory.join(INCOMING);
    remove_folder(&incoming)?;
    directory::create(&incoming, false)?;
    let mut names = Vec::new();
    for file in &files {
        let name = file.file_name().unwrap_or_default();
        let copy = incoming.join(name);
        // The copy has the mode of the backup's file, which only its owner may read.
        fs::copy(file, &copy).map_err(failed(&copy))?;
        sync(&copy)?;
        names.push(name.to_owned());
    }
    sync(&incoming)?;
    let mark = data_directory.join(MARK);
    File::create(&mark)
        .and_then(|file| file.sync_all())
        .map_err(failed(&mark))?;
    sync(data_directory)?;
    let mut aside = Aside::new(data_directory, clock.unix_ms());
    for name in &names {
        let path = data_directory.join(name);
        aside.take(&wal_path(&path))?;
        aside.take(&shm_path(&path))?;
        aside.take(&path)?;
    }
    for name in &names {
        let path = data_directory.join(name);
        fs::rename(incoming.join(name), &path).map_err(failed(&path))?;
    }
    sync(data_directory)?;
    fs::remove_file(&mark).map_err(failed(&mark))?;
    remove_folder(&incoming)?;
    sync(data_directory)?;
    Ok(Restored {
        backup: manifest,
        moved_to: (!aside.moved.is_empty()).then_some(aside.folder),
        moved: aside.moved,
    })
}

/// An error where a restore was interrupted.
pub(in crate::store) fn require_no_interrupted_restore(
    data_directory: &Path,
) -> Result<(), StoreError> {
    if data_directory.join(MARK).exists() {
        return Err(StoreError::RestoreInterrupted {
            path: data_directory.to_owned(),
        });
    }
    Ok(())
}

/// Where the old files go, made when the first of them comes.
struct Aside {
    folder: PathBuf,
    moved: Vec<String>,
}

impl Aside {
    fn new(data_directory: &Path, now_unix_ms: i64) -> Self {
        let time = Timestamp::from_millisecond(now_unix_ms).unwrap_or(Timestamp::UNIX_EPOCH);
        let stem = format!("before-restore-{}", time.strftime("%Y%m%dT%H%M%SZ"));
        let mut folder = data_directory.join(&stem);
        let mut number = 2;
        while folder.exists() {
            folder = data_directory.join(format!("{stem}-{number}"));
            number += 1;
        }
        Self {
            folder,
            moved: Vec::new(),
        }
    }

    fn take(&mut self, path: &Path) -> Result<(), StoreError> {
        let Some(name) = path.file_name().filter(|_| path.exists()) else {
            return Ok(());
        };
        directory::create(&self.folder, true)?;
        fs::rename(path, self.folder.join(name)).map_err(failed(path))?;
        self.moved.push(name.to_string_lossy().into_owned());
        sync(&self.folder)
    }
}

fn shm_path(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push("-shm");
    path.into()
}

fn remove_folder(path: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}
