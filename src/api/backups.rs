//! Backups: copies of the databases, made while the gateway runs, that can be verified and restored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One backup, as its `manifest.json` tells.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Backup {
    /// The layout of the backup; 1.
    pub format: u32,
    /// The name of its folder: the time of its making in UTC.
    pub name: String,
    /// When it was made, in milliseconds since the Unix epoch.
    pub created_at_unix_ms: i64,
    /// The version of FerroGate that made it.
    pub ferrogate_version: String,
    /// Why it was made: `scheduled`, `before-migration`, or what whoever asked for it said.
    #[serde(default)]
    pub reason: String,
    /// The version of each kind of database in it: `ferrogate`, `requests`.
    pub schemas: BTreeMap<String, i64>,
    /// How many rows each of the main tables has.
    pub rows: BTreeMap<String, u64>,
    /// The hash of the audit log's last row, in hexadecimal; absent where the log is empty.
    #[serde(default)]
    pub audit_head_hash: Option<String>,
    /// Of the configuration file that was in force, in hexadecimal. The file itself is not in the backup.
    #[serde(default)]
    pub config_sha256: Option<String>,
    /// The files in it.
    pub files: Vec<BackupFile>,
    /// Day files of request logs that are damaged and could not be copied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub omitted: Vec<String>,
}

/// One file of a backup.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BackupFile {
    /// Its name within the backup.
    pub name: String,
    /// How large it is.
    pub size_bytes: u64,
    /// In hexadecimal.
    pub sha256: String,
}

impl Backup {
    /// All its files together.
    pub fn size_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size_bytes).sum()
    }
}

/// `POST /admin/v1/backups`: make one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBackup {
    /// The request logs too; absent: as `[backup] include_request_logs` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include_request_logs: Option<bool>,
    /// Why; it stays in the manifest and in the audit log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$")]
    pub reason: Option<String>,
}

/// What a verification of a backup found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BackupReport {
    /// The name of the backup.
    pub name: String,
    /// Whether it can be restored with this version.
    pub ok: bool,
    /// What was looked at.
    pub checks: Vec<BackupCheck>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BackupCheck {
    /// What: `manifest`, or a file and what of it.
    pub what: String,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was found.
    pub found: String,
}

/// `POST /admin/v1/backups:prune`: delete the oldest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PruneBackups {
    /// How many of the newest stay; absent: as `[backup] keep` says. At least 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, examples(7))]
    pub keep: Option<u32>,
}

/// What a pruning deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PrunedBackups {
    /// The names of the backups that are gone, the oldest first.
    pub deleted: Vec<String>,
}
