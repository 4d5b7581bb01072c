//! The making of one backup, from an empty folder to its name.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use ferrogate_api::{Backup, BackupFile};
use jiff::Timestamp;
use rusqlite::ErrorCode;

use super::{
    BackupRequest, digest,
    directory::{self, FORMAT, MANIFEST, PARTIAL, failed},
    facts::{self, Facts},
};
use crate::store::{LEDGER_FILE, StoreError, connection::wal_path};

/// Beyond what is copied, so that a backup does not take the last of the disk.
const SPARE_BYTES: u64 = 16 << 20;

/// What is to be made, and where.
pub(super) struct Order<'o> {
    pub(super) directory: &'o Path,
    pub(super) request: &'o BackupRequest,
    /// Stands before the time in the name.
    pub(super) prefix: Option<String>,
    pub(super) now_unix_ms: i64,
}

/// A data directory, in use or not.
pub(super) trait Sources {
    fn ledger_path(&self) -> PathBuf;
    fn copy_ledger(&self, to: PathBuf) -> Result<(), StoreError>;
    fn day_files(&self) -> Result<Vec<PathBuf>, StoreError>;
    fn copy_day(&self, from: &Path, to: &Path) -> Result<(), StoreError>;
    /// An error when the work is to stop.
    fn go_on(&self) -> Result<(), StoreError>;
}

/// Makes a backup, or leaves nothing behind.
pub(super) fn create(order: &Order<'_>, sources: &impl Sources) -> Result<Backup, StoreError> {
    directory::prepare(order.directory)?;
    let days = if order.request.include_request_logs {
        sources.day_files()?
    } else {
        Vec::new()
    };
    let ledger = sources.ledger_path();
    require_space(order.directory, days.iter().chain([&ledger]))?;
    let partial = Partial::begin(order)?;
    let mut backup = Backup {
        format: FORMAT,
        name: partial.name.clone(),
        created_at_unix_ms: order.now_unix_ms,
        ferrogate_version: env!("CARGO_PKG_VERSION").to_owned(),
        reason: order.request.reason.clone(),
        config_sha256: order.request.config_sha256.clone(),
        ..Backup::default()
    };
    let copy = partial.path.join(LEDGER_FILE);
    sources.copy_ledger(copy.clone())?;
    note(&mut backup, "ferrogate", facts::of_ledger(&copy), &copy)?;
    let mut files = vec![copy];
    for day in &days {
        let Some(name) = day.file_name().filter(|_| day.is_file()) else {
            continue;
        };
        let copy = partial.path.join(name);
        let copied = sources
            .copy_day(day, &copy)
            .and_then(|()| note(&mut backup, "requests", facts::of_day(&copy), &copy));
        match copied {
            Ok(()) => files.push(copy),
            // Retention was faster.
            Err(_) if !day.is_file() => remove(&copy)?,
            Err(error) if is_damage(&error) => {
                tracing::warn!(day = %day.display(), error = ?error, "a day of request logs is damaged and not in the backup");
                backup.omitted.push(name.to_string_lossy().into_owned());
                remove(&copy)?;
            }
            Err(error) => return Err(error),
        }
    }
    for path in &files {
        backup.files.push(describe(path, sources)?);
    }
    partial.finish(&backup)?;
    Ok(backup)
}

/// The files of a data directory that hold request logs, the oldest day first.
pub(super) fn day_files_in(data_directory: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let failed = failed(data_directory);
    let mut files = Vec::new();
    for entry in fs::read_dir(data_directory).map_err(&failed)? {
        let entry = entry.map_err(&failed)?;
        let name = entry.file_name();
        let is_day = |name: &str| name.starts_with("requests-") && name.ends_with(".db");
        if name.to_str().is_some_and(is_day) {
            files.push(entry.path());
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// A damaged day costs its own rows and not the backup of everything else.
fn is_damage(error: &StoreError) -> bool {
    let StoreError::CopyDatabase { source, .. } = error else {
        return false;
    };
    matches!(
        source.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Adds what a copy holds; of several day files the rows are added up.
fn note(
    backup: &mut Backup,
    kind: &str,
    facts: Result<Facts, rusqlite::Error>,
    path: &Path,
) -> Result<(), StoreError> {
    let facts = facts.map_err(|source| StoreError::CopyDatabase {
        path: path.to_owned(),
        source,
    })?;
    backup.schemas.insert(kind.to_owned(), facts.schema);
    for (table, rows) in facts.rows {
        *backup.rows.entry(table).or_default() += rows;
    }
    if facts.audit_head_hash.is_some() {
        backup.audit_head_hash = facts.audit_head_hash;
    }
    Ok(())
}

fn describe(path: &Path, sources: &impl Sources) -> Result<BackupFile, StoreError> {
    directory::sync(path)?;
    let (size_bytes, sha256) = digest::of_file(path, || sources.go_on().map_err(Stopped::Asked))
        .map_err(|stopped| match stopped {
            Stopped::Asked(error) => error,
            Stopped::Failed(error) => failed(path)(error),
        })?;
    let name = path.file_name().and_then(|name| name.to_str());
    Ok(BackupFile {
        name: name.unwrap_or_default().to_owned(),
        size_bytes,
        sha256,
    })
}

enum Stopped {
    Asked(StoreError),
    Failed(io::Error),
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

/// An error that names both numbers, before a disk is filled in vain.
fn require_space<'p>(
    directory: &Path,
    sources: impl Iterator<Item = &'p PathBuf>,
) -> Result<(), StoreError> {
    let size = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
    let copied: u64 = sources.map(|path| size(path) + size(&wal_path(path))).sum();
    let needed_bytes = copied + SPARE_BYTES;
    let free = rustix::fs::statvfs(directory).map_err(|error| failed(directory)(error.into()))?;
    let free_bytes = free.f_bavail.saturating_mul(free.f_frsize);
    if free_bytes < needed_bytes {
        return Err(StoreError::NoSpace {
            path: directory.to_owned(),
            needed_bytes,
            free_bytes,
        });
    }
    Ok(())
}

/// A backup that is being made; dropped before its end, it is removed.
struct Partial {
    name: String,
    path: PathBuf,
    whole: PathBuf,
    /// Locked for as long as somebody works in it. `None` once it has its name.
    folder: Option<File>,
}

impl Partial {
    fn begin(order: &Order<'_>) -> Result<Self, StoreError> {
        let stem = stem(order);
        for number in 1_u32.. {
            let name = match number {
                1 => stem.clone(),
                _ => format!("{stem}-{number}"),
            };
            let whole = order.directory.join(&name);
            let path = order.directory.join(format!("{name}{PARTIAL}"));
            if whole.exists() || path.exists() {
                continue;
            }
            directory::create(&path, false)?;
            let folder = File::open(&path).map_err(failed(&path))?;
            folder
                .try_lock()
                .map_err(|error| failed(&path)(error.into()))?;
            return Ok(Self {
                name,
                path,
                whole,
                folder: Some(folder),
            });
        }
        Err(StoreError::BackupRunning)
    }

    /// Everything is on the disk before the name is, and the name before anybody hears of it.
    fn finish(mut self, manifest: &Backup) -> Result<(), StoreError> {
        let path = self.path.join(MANIFEST);
        let text = serde_json::to_vec_pretty(manifest).map_err(|error| StoreError::Manifest {
            path: path.clone(),
            why: error.to_string(),
        })?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(failed(&path))?;
        file.write_all(&text)
            .and_then(|()| file.sync_all())
            .map_err(failed(&path))?;
        directory::sync(&self.path)?;
        fs::rename(&self.path, &self.whole).map_err(failed(&self.path))?;
        self.folder = None;
        if let Some(parent) = self.whole.parent() {
            directory::sync(parent)?;
        }
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if self.folder.is_some()
            && let Err(error) = fs::remove_dir_all(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "what was to be a backup cannot be removed");
        }
    }
}

fn stem(order: &Order<'_>) -> String {
    let time = Timestamp::from_millisecond(order.now_unix_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    let time = time.strftime("%Y%m%dT%H%M%SZ");
    match &order.prefix {
        Some(prefix) => format!("{prefix}{time}"),
        None => time.to_string(),
    }
}
