//! The folder that holds the backups: what is one, and which of them leave.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use ferrogate_api::Backup;

use crate::store::StoreError;

pub(super) const MANIFEST: &str = "manifest.json";
/// The layout that this version writes and reads.
pub(super) const FORMAT: u32 = 1;
/// Ends the name of a backup that is being made.
pub(super) const PARTIAL: &str = ".partial";
/// Begins the name of a folder in which a backup is tried.
pub(super) const TRIAL: &str = ".trial-";
/// Begins the name of what was copied before a migration.
pub(super) const BEFORE_MIGRATION: &str = "before-migration-";

const NAME_BYTES_MAX: usize = 100;

/// The backups in a folder, newest first. What is no backup, or none that this version can read, is left out.
///
/// # Errors
/// When the folder is there and cannot be read.
pub fn list(directory: &Path) -> Result<Vec<Backup>, StoreError> {
    let mut backups = Vec::new();
    for name in names(directory)? {
        match find(directory, &name) {
            Ok(found) => backups.extend(found),
            Err(error) => {
                tracing::debug!(backup = name, error = ?error, "a folder among the backups is none");
            }
        }
    }
    backups.sort_unstable_by(|a: &Backup, b| {
        (b.created_at_unix_ms, &b.name).cmp(&(a.created_at_unix_ms, &a.name))
    });
    Ok(backups)
}

/// Deletes the oldest backups of a folder but for so many, and names them, the oldest first. The newest one from
/// before a migration always stays: it is the way back to the version before.
///
/// # Errors
/// When the disk fails.
pub fn prune(directory: &Path, keep: u32) -> Result<Vec<String>, StoreError> {
    let backups = list(directory)?;
    let is_before_migration = |backup: &&Backup| backup.name.starts_with(BEFORE_MIGRATION);
    let way_back = backups
        .iter()
        .find(is_before_migration)
        .map(|backup| backup.name.clone());
    let keep = usize::try_from(keep.max(1)).unwrap_or(usize::MAX);
    let mut deleted = Vec::new();
    for backup in backups.iter().skip(keep).rev() {
        if Some(&backup.name) != way_back.as_ref() && delete(directory, &backup.name)? {
            deleted.push(backup.name.clone());
        }
    }
    Ok(deleted)
}

/// The names of what may be a backup.
fn names(directory: &Path) -> Result<Vec<String>, StoreError> {
    let failed = failed(directory);
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(&failed)?.file_name();
        names.extend(
            name.to_str()
                .filter(|name| is_name(name))
                .map(ToOwned::to_owned),
        );
    }
    Ok(names)
}

/// Letters, digits and hyphens: nothing that leads out of the folder, and nothing that is being made.
fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain)
}

/// Where a backup of this name is.
pub(super) fn path_of(directory: &Path, name: &str) -> Option<PathBuf> {
    let path = directory.join(name);
    (is_name(name) && path.join(MANIFEST).is_file()).then_some(path)
}

pub(super) fn find(directory: &Path, name: &str) -> Result<Option<Backup>, StoreError> {
    path_of(directory, name)
        .map(|path| read_manifest(&path))
        .transpose()
}

/// Deletes a backup; says whether there was one of that name. Its manifest goes first: half of one is none.
pub(super) fn delete(directory: &Path, name: &str) -> Result<bool, StoreError> {
    let Some(path) = path_of(directory, name) else {
        return Ok(false);
    };
    let failed = failed(&path);
    fs::remove_file(path.join(MANIFEST)).map_err(&failed)?;
    fs::remove_dir_all(&path).map_err(&failed)?;
    Ok(true)
}

/// Reads the manifest of a backup's folder. Its name is that of the folder, wherever that was moved to.
pub(super) fn read_manifest(backup: &Path) -> Result<Backup, StoreError> {
    let path = backup.join(MANIFEST);
    let text = fs::read_to_string(&path).map_err(failed(&path))?;
    let broken = |why: String| StoreError::Manifest {
        path: path.clone(),
        why,
    };
    let manifest: Backup =
        serde_json::from_str(&text).map_err(|error| broken(error.to_string()))?;
    if manifest.format != FORMAT {
        return Err(broken(format!(
            "its format is {}, and this version of FerroGate knows {FORMAT}",
            manifest.format
        )));
    }
    let is_plain = |name: &str| !name.is_empty() && !name.starts_with('.') && !name.contains('/');
    if let Some(file) = manifest.files.iter().find(|file| !is_plain(&file.name)) {
        return Err(broken(format!("`{}` is no file of a backup", file.name)));
    }
    let name = backup.file_name().and_then(|name| name.to_str());
    Ok(Backup {
        name: name.map_or(manifest.name, ToOwned::to_owned),
        ..manifest
    })
}

/// Makes the folder where it is missing, and removes what a killed process left in it.
pub(super) fn prepare(directory: &Path) -> Result<(), StoreError> {
    create(directory, true)?;
    for entry in fs::read_dir(directory).map_err(failed(directory))? {
        let entry = entry.map_err(failed(directory))?;
        let name = entry.file_name();
        let is_left = |name: &str| name.ends_with(PARTIAL) || name.starts_with(TRIAL);
        if name.to_str().is_some_and(is_left) && !is_in_use(&entry.path()) {
            fs::remove_dir_all(entry.path()).map_err(failed(&entry.path()))?;
        }
    }
    Ok(())
}

/// Whoever works in such a folder holds a lock on it.
fn is_in_use(path: &Path) -> bool {
    File::open(path).is_ok_and(|folder| folder.try_lock_shared().is_err())
}

pub(super) fn create(directory: &Path, recursive: bool) -> Result<(), StoreError> {
    DirBuilder::new()
        .recursive(recursive)
        .mode(0o700)
        .create(directory)
        .map_err(failed(directory))
}

/// Brings a file or a folder to the disk.
pub(super) fn sync(path: &Path) -> Result<(), StoreError> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(failed(path))
}

pub(super) fn failed(path: &Path) -> impl Fn(io::Error) -> StoreError + use<> {
    let path = path.to_owned();
    move |source| StoreError::BackupFile {
        path: path.clone(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_the_folder() {
        for good in [
            "20260101T120000Z",
            "20260101T120000Z-2",
            "before-migration-V4-x",
        ] {
            assert!(is_name(good), "{good}");
        }
        for bad in [
            "",
            ".",
            "..",
            "a/b",
            "../a",
            "a.partial",
            ".trial-x",
            "ü",
            &"a".repeat(101),
        ] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
