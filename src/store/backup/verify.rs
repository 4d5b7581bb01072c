//! Can this backup be restored? Every byte is read, and a copy of each database is opened and searched for damage.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use ferrogate_api::{Backup, BackupCheck, BackupFile, BackupReport};
use rusqlite::Connection;
use tempfile::TempDir;

use super::{
    digest,
    directory::{self, MANIFEST, TRIAL, failed},
    facts::{self, Facts},
};
use crate::store::{
    LEDGER_FILE, StoreError,
    migrations::Schema,
    verify::{open_at_rest, verify_chain},
};

/// Verifies the backup in this folder; nothing in it changes.
///
/// # Errors
/// When there is no manifest, or the trial copy cannot be made: the disk is full, or may not be written to. What is
/// wrong with the backup is in the report.
pub fn verify(backup: &Path) -> Result<BackupReport, StoreError> {
    let mut checks = Checks::default();
    let manifest = match directory::read_manifest(backup) {
        Ok(manifest) => manifest,
        Err(StoreError::Manifest { path, why }) => {
            checks.add(MANIFEST, Err(format!("{}: {why}", path.display())));
            return Ok(checks.report(backup));
        }
        Err(error) => return Err(error),
    };
    checks.add(MANIFEST, contents(&manifest));
    let (trial, _in_use) = trial_directory(backup)?;
    let mut rows = Facts::default();
    for file in &manifest.files {
        let bytes = bytes_as_described(backup, file);
        let is_whole = bytes.is_ok();
        checks.add(&format!("{}: bytes", file.name), bytes);
        if is_whole {
            let copy = trial.path().join(&file.name);
            fs::copy(backup.join(&file.name), &copy).map_err(failed(&copy))?;
            database(&file.name, &copy, &mut checks, &mut rows);
        }
    }
    checks.add("rows", as_counted(&manifest, &rows));
    Ok(checks.report(backup))
}

#[derive(Default)]
struct Checks(Vec<BackupCheck>);

impl Checks {
    /// What was found, or what is wrong.
    fn add(&mut self, what: &str, found: Result<String, String>) {
        self.0.push(BackupCheck {
            what: what.to_owned(),
            ok: found.is_ok(),
            found: found.unwrap_or_else(|wrong| wrong),
        });
    }

    fn report(self, backup: &Path) -> BackupReport {
        let name = backup.file_name().and_then(|name| name.to_str());
        BackupReport {
            name: name.unwrap_or_default().to_owned(),
            ok: self.0.iter().all(|check| check.ok),
            checks: self.0,
        }
    }
}

fn contents(manifest: &Backup) -> Result<String, String> {
    if !manifest.files.iter().any(|file| file.name == LEDGER_FILE) {
        return Err(format!("names no {LEDGER_FILE}"));
    }
    Ok(format!(
        "{} files, made by FerroGate {}",
        manifest.files.len(),
        manifest.ferrogate_version
    ))
}

/// Beside the backup, because there is room for one more; where that may not be written to, where temporary files go.
/// It is locked while it is in use: what nobody has locked is removed before the next backup.
fn trial_directory(backup: &Path) -> Result<(TempDir, File), StoreError> {
    let named = || {
        let mut builder = tempfile::Builder::new();
        builder.prefix(TRIAL);
        builder
    };
    let parent = backup.parent().unwrap_or(Path::new("."));
    let made = named().tempdir_in(parent).or_else(|_| named().tempdir());
    let trial = made.map_err(failed(parent))?;
    let folder = File::open(trial.path()).map_err(failed(trial.path()))?;
    folder.lock().map_err(failed(trial.path()))?;
    Ok((trial, folder))
}

fn bytes_as_described(backup: &Path, file: &BackupFile) -> Result<String, String> {
    let path = backup.join(&file.name);
    let read = digest::of_file(&path, || Ok::<_, io::Error>(()));
    let (size_bytes, sha256) = read.map_err(|error| format!("cannot be read: {error}"))?;
    if size_bytes != file.size_bytes {
        let expected = file.size_bytes;
        return Err(format!(
            "{size_bytes} bytes, where the manifest says {expected}"
        ));
    }
    if sha256 != file.sha256 {
        return Err(format!(
            "SHA-256 {sha256}, where the manifest says {}",
            file.sha256
        ));
    }
    Ok(format!("{size_bytes} bytes, as the manifest says"))
}

/// Opens a trial copy and looks for damage; adds what it holds to `sum`.
fn database(name: &str, copy: &Path, checks: &mut Checks, sum: &mut Facts) {
    let is_ledger = name == LEDGER_FILE;
    let (facts, schema) = if is_ledger {
        (facts::of_ledger(copy), Schema::Ledger)
    } else {
        (facts::of_day(copy), Schema::RequestLogs)
    };
    let facts = match facts {
        Ok(facts) => facts,
        Err(error) => {
            checks.add(&format!("{name}: opens"), Err(error.to_string()));
            return;
        }
    };
    checks.add(&format!("{name}: schema"), known(facts.schema, schema));
    checks.add(&format!("{name}: integrity"), integrity(copy));
    if is_ledger && facts.rows.contains_key("audit_events") {
        checks.add(&format!("{name}: audit log"), audit_log(copy));
    }
    for (table, rows) in facts.rows {
        *sum.rows.entry(table).or_default() += rows;
    }
    if is_ledger {
        sum.audit_head_hash = facts.audit_head_hash;
    }
}

fn known(found: i64, schema: Schema) -> Result<String, String> {
    let known = schema.known_version();
    if found > known {
        return Err(format!(
            "version {found} was written by a newer version of FerroGate; this one knows {known}"
        ));
    }
    Ok(format!("version {found}, and this version knows {known}"))
}

fn integrity(copy: &Path) -> Result<String, String> {
    let check = |connection: Connection| {
        connection
            .prepare("PRAGMA integrity_check(10)")?
            .query_map([], |row| row.get::<_, String>(0))?
            .collect::<Result<Vec<_>, _>>()
    };
    match open_at_rest(copy).and_then(check) {
        Ok(found) if found == ["ok"] => Ok("ok".to_owned()),
        Ok(found) => Err(found.join("; ")),
        Err(error) => Err(error.to_string()),
    }
}

fn audit_log(copy: &Path) -> Result<String, String> {
    let report = open_at_rest(copy).and_then(|connection| verify_chain(&connection, None));
    match report {
        Ok(report) if report.ok => Ok(format!("{} rows in one chain", report.rows)),
        Ok(report) => Err(report.problems.join("; ")),
        Err(error) => Err(error.to_string()),
    }
}

fn as_counted(manifest: &Backup, found: &Facts) -> Result<String, String> {
    let mut differences: Vec<String> = Vec::new();
    for (table, rows) in &manifest.rows {
        let found = found.rows.get(table).copied().unwrap_or_default();
        if found != *rows {
            differences.push(format!(
                "{table} has {found}, where the manifest says {rows}"
            ));
        }
    }
    if manifest.audit_head_hash != found.audit_head_hash {
        differences.push("the audit log ends elsewhere than the manifest says".to_owned());
    }
    if differences.is_empty() {
        let rows: u64 = found.rows.values().sum();
        return Ok(format!("{rows}, as the manifest says"));
    }
    Err(differences.join("; "))
}

/// The files of a backup that is worth restoring.
pub(super) fn require_sound(backup: &Path) -> Result<(Backup, Vec<PathBuf>), StoreError> {
    let report = verify(backup)?;
    if !report.ok {
        let wrong = report.checks.iter().filter(|check| !check.ok);
        return Err(StoreError::UnsoundBackup {
            path: backup.to_owned(),
            problems: wrong
                .map(|check| format!("{}: {}", check.what, check.found))
                .collect::<Vec<_>>()
                .join("; "),
        });
    }
    let manifest = directory::read_manifest(backup)?;
    let files = manifest.files.iter().map(|file| backup.join(&file.name));
    let files = files.collect();
    Ok((manifest, files))
}
