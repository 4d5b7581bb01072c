//! How old the newest backup is, and whether it is all there.

use std::{
    fs,
    path::{Path, PathBuf},
};

use ferrogate_api::Backup;
use ferrogate_tui::format;

use super::check::Check;
use crate::config;

/// Where none is made by itself.
const AGE_MS_WARN: i64 = 7 * 24 * 3_600_000;
/// A manifest of a thousand files is far below it.
const MANIFEST_BYTES_MAX: u64 = 4 << 20;

const NAME: &str = "backups";
const MAKE_ONE: &str =
    "`ferrogate backup create` makes one, `[backup] interval_hours` makes them by itself";

/// Looks at the folder that holds them.
pub(super) fn check(options: &config::Backup, now_unix_ms: i64) -> Check {
    let folder = &options.path;
    let found = manifests(folder);
    let Some((directory, newest)) = found
        .iter()
        .max_by_key(|(_, backup)| backup.created_at_unix_ms)
    else {
        return Check::warn(
            NAME,
            format!("there is none in {}", folder.display()),
            MAKE_ONE,
        );
    };
    let broken = newest.files.iter().find(|file| {
        let there = fs::metadata(directory.join(&file.name));
        there.map_or(true, |metadata| metadata.len() != file.size_bytes)
    });
    if let Some(file) = broken {
        return Check::fail(
            NAME,
            format!(
                "{} of the newest, {}, is gone or has another size",
                file.name, newest.name
            ),
            format!(
                "`ferrogate backup verify {}` says what is left of it; {MAKE_ONE}",
                newest.name
            ),
        );
    }
    let age = now_unix_ms.saturating_sub(newest.created_at_unix_ms);
    let text = format!(
        "{} of them; the newest, {}, is {} old and has {}",
        found.len(),
        newest.name,
        format::age(age),
        format::bytes(newest.size_bytes()),
    );
    if age > age_ms_warn(options) {
        Check::warn(NAME, text, MAKE_ONE)
    } else {
        Check::ok(NAME, text)
    }
}

/// One may be late, two are missing.
fn age_ms_warn(options: &config::Backup) -> i64 {
    match i64::try_from(options.interval.as_millis()) {
        Ok(interval) if interval > 0 => interval.saturating_mul(2),
        _ => AGE_MS_WARN,
    }
}

/// Every backup whose manifest can be read. One that is being made has none yet.
fn manifests(folder: &Path) -> Vec<(PathBuf, Backup)> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| {
            let directory = entry.ok()?.path();
            let path = directory.join("manifest.json");
            let size = fs::metadata(&path).ok()?.len();
            let text = (size <= MANIFEST_BYTES_MAX).then(|| fs::read(&path).ok())??;
            Some((directory, serde_json::from_slice(&text).ok()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ferrogate_api::BackupFile;

    use super::super::check::State;
    use super::*;

    const NOW: i64 = 1_787_486_671_204;
    const DAY_MS: i64 = 24 * 3_600_000;

    fn backup(data: &Path, name: &str, created_at_unix_ms: i64) {
        let folder = data.join("backups").join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("ferrogate.db"), "12345").unwrap();
        let manifest = Backup {
            format: 1,
            name: name.to_owned(),
            created_at_unix_ms,
            ferrogate_version: "0.1.0".to_owned(),
            reason: String::new(),
            schemas: [].into(),
            rows: [].into(),
            audit_head_hash: None,
            config_sha256: None,
            files: vec![BackupFile {
                name: "ferrogate.db".to_owned(),
                size_bytes: 5,
                sha256: String::new(),
            }],
            omitted: Vec::new(),
        };
        let text = serde_json::to_string(&manifest).unwrap();
        fs::write(folder.join("manifest.json"), text).unwrap();
    }

    #[test]
    fn the_newest_backup_counts() {
        let data = tempfile::tempdir().unwrap();
        let data = data.path();
        let options = config::Backup::of(data);
        let daily = config::Backup {
            interval: Duration::from_secs(24 * 3600),
            ..options.clone()
        };
        let state = || check(&options, NOW);
        assert_eq!(state().state, State::Warn);
        backup(data, "old", NOW - 30 * DAY_MS);
        let found = state();
        assert_eq!(found.state, State::Warn);
        assert!(found.found.contains("30 d 0 h old"), "{found:?}");
        backup(data, "new", NOW - DAY_MS);
        let found = state();
        assert_eq!(found.state, State::Ok, "{found:?}");
        assert_eq!(
            found.found,
            "2 of them; the newest, new, is 1 d 0 h old and has 5 B"
        );
        assert_eq!(check(&daily, NOW + 2 * DAY_MS).state, State::Warn);
        // One that is being made, and one that is none.
        fs::create_dir(data.join("backups/unfinished")).unwrap();
        fs::create_dir(data.join("backups/other")).unwrap();
        fs::write(data.join("backups/other/manifest.json"), "{").unwrap();
        assert_eq!(state().state, State::Ok);
        fs::write(data.join("backups/new/ferrogate.db"), "1").unwrap();
        assert_eq!(state().state, State::Fail);
        fs::remove_file(data.join("backups/new/ferrogate.db")).unwrap();
        assert_eq!(state().state, State::Fail);
    }
}
