//! The configuration: what is in force, what would change, and its history.
//!
//! Nothing here shows a secret: what the file or a resource holds of one reads `…`.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// What a configuration is read from: at most one of `config_toml` and `source`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(examples(json!({"source": "file", "reason": "a cheaper model", "dry_run": true})))]
pub struct ConfigRequest {
    /// The text of a TOML file, in place of the gateway's own.
    pub config_toml: Option<String>,
    /// `file`: what the gateway's own file holds now. The default where no text is sent.
    pub source: Option<ConfigOrigin>,
    /// Why, for the audit log and the history.
    #[schema(max_length = 500, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$")]
    pub reason: Option<String>,
    /// True: judge it and say what would change, and change nothing.
    pub dry_run: bool,
}

/// Where the text of a configuration comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConfigOrigin {
    File,
}

/// What the gateway goes by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigView {
    /// Always `config`.
    pub object: Arc<str>,
    /// The file that it was started with; absent where it was started without one.
    pub path: Option<String>,
    /// SHA-256 of the text in force, in hexadecimal.
    pub sha256: String,
    /// Since when it is in force, in milliseconds since the Unix epoch.
    pub loaded_at_unix_ms: i64,
    /// The newest entry of the history.
    pub revision: u64,
    /// False: what is in force was sent through the API, and the file says something else. A restart goes by the file.
    pub persisted: bool,
    /// The file's tables, without secrets.
    #[schema(value_type = Object)]
    pub document: Value,
    /// The same as TOML.
    pub text: String,
}

/// Something that is wrong or doubtful in a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigFinding {
    /// Absent where it is nobody's line: resources of the database that do not go together with the file.
    pub file: Option<String>,
    /// Counted from 1.
    pub line: Option<u64>,
    /// Counted from 1, in characters.
    pub column: Option<u64>,
    /// The path of the key, such as `models[0].provider`; empty for the file as a whole.
    pub key: String,
    /// What is wrong, and what it must be.
    pub message: String,
}

/// What a reload would need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReloadMode {
    /// A reload puts it in force.
    ProcessLocal,
    /// It needs other listeners, which only a restart opens.
    ListenerLevelRequired,
    /// It changes what is read once, at the start.
    RestartRequired,
}

/// What a configuration is worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigReport {
    /// Whether it can be used.
    pub valid: bool,
    /// The first of the errors, in one line.
    pub error: Option<String>,
    /// What is wrong with it.
    pub errors: Vec<ConfigFinding>,
    /// What is doubtful in it.
    pub warnings: Vec<ConfigFinding>,
    /// What putting it in force needs.
    pub reload_mode: ReloadMode,
    /// Whether it needs other listeners.
    pub listener_reload_required: bool,
    /// The settings that a reload cannot change.
    pub restart_keys: Vec<String>,
    /// Against what is in force.
    pub changes: Vec<ConfigChange>,
}

/// What became of a reload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigReload {
    /// Whether the configuration can be used.
    pub valid: bool,
    /// Whether it is in force now. Otherwise nothing has changed.
    pub committed: bool,
    /// What putting it in force needs.
    pub mode: ReloadMode,
    /// What is in force after this: the revision, and the beginning of the file's SHA-256.
    pub active_snapshot: String,
    /// The same of what was sent.
    pub candidate_snapshot: String,
    /// The first of the errors, in one line.
    pub error: Option<String>,
    /// What is wrong with it.
    pub errors: Vec<ConfigFinding>,
    /// What is doubtful in it.
    pub warnings: Vec<ConfigFinding>,
    /// The settings that a reload cannot change.
    pub restart_keys: Vec<String>,
    /// Against what was in force.
    pub changes: Vec<ConfigChange>,
    /// Its entry in the history; absent where nothing was changed.
    pub revision: Option<u64>,
    /// False: the gateway's own file says something else, and a restart goes by that.
    pub persisted: bool,
}

/// What happened to one table or one named entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigChange {
    /// The table or list, such as `limits` or `api_keys`; empty for the keys before the first table.
    pub section: String,
    /// The entry of a list; absent for a table.
    pub name: Option<String>,
    /// What happened to it.
    pub action: ConfigAction,
    /// Without secrets; one that changed reads `… (changed)` afterwards.
    #[schema(value_type = Option<Object>)]
    pub before: Option<Value>,
    /// What it is now, or would be; absent for what was deleted.
    #[schema(value_type = Option<Object>)]
    pub after: Option<Value>,
}

/// What happened to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConfigAction {
    Create,
    Update,
    Delete,
}

/// What would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigDiff {
    /// Table by table, and entry by entry.
    pub changes: Vec<ConfigChange>,
    /// A unified diff of both files in their canonical form, without secrets; empty where they say the same.
    pub text: String,
}

/// One entry of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigRevision {
    /// Its number, one more than that of the entry before.
    pub revision: u64,
    /// When, in milliseconds since the Unix epoch.
    pub occurred_at_unix_ms: i64,
    /// The id of an admin key, `unix:uid=…`, or `system`.
    pub actor: Arc<str>,
    /// `start`, `file`, `api`, `rollback`, `import` or `cluster`.
    pub source: String,
    /// Why, as far as somebody said so.
    pub reason: String,
    /// What was changed.
    pub changes: Vec<ConfigChange>,
    /// Of the file in force after it.
    pub file_sha256: Option<String>,
}

/// Why, and whether in earnest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(examples(json!({"reason": "that was not it", "dry_run": true})))]
pub struct RollbackRequest {
    /// Why, for the audit log and the history.
    #[schema(max_length = 500, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$")]
    pub reason: Option<String>,
    /// True: say what would change, and change nothing.
    pub dry_run: bool,
}

/// What going back changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigRollback {
    /// The new entry of the history; absent where nothing had to be changed, or after a dry run.
    pub revision: Option<u64>,
    /// The resources of the database that are as they were.
    pub restored: Vec<ConfigChange>,
    /// What the file would need to be as it was, as a unified diff; empty where it is. The gateway does not write its
    /// file.
    pub file_diff: String,
}

/// Resources to be taken over from an export.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({
    "config_toml": "[[upstreams]]\nname = \"imported\"\nurl = \"http://10.0.0.9:8080\"\n",
    "adopt": true,
    "reason": "the move to gw-2"
})))]
pub struct ImportRequest {
    /// What `config/export` gave.
    pub config_toml: String,
    /// True: what is there already is replaced, and what the file declares is passed over. False: both are refused.
    #[serde(default)]
    pub adopt: bool,
    /// Why, for the audit log and the history.
    #[serde(default)]
    #[schema(max_length = 500, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$")]
    pub reason: Option<String>,
    /// True: say what would change, and change nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// What an import took over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigImport {
    /// Its entry in the history; absent where nothing was changed, or after a dry run.
    pub revision: Option<u64>,
    /// How many of each list.
    pub imported: BTreeMap<String, u64>,
    /// What was passed over: the same is there already, or the file declares it.
    pub skipped: BTreeMap<String, u64>,
    /// What it changes of the database.
    pub changes: Vec<ConfigChange>,
}
