//! Another configuration file under a running gateway: judged as a whole, then in force as a whole, or not at all.
//!
//! 1. The text is read and checked by itself, with everything that is wrong with it.
//! 2. What a reload cannot change is looked for: a listener, a data directory. One such setting refuses all.
//! 3. The resources of the database are read again beside it, and a snapshot is built.
//! 4. It takes the lane of [`super::changes`]. Limits, thresholds and breaker settings are those of the new file from
//!    then on; counters, breakers and the cache know what they knew.
//!
//! A text that was sent and is not the file's own is in force until the next start, and both status and answer say so.

use std::{
    fs,
    sync::{Arc, atomic::Ordering},
};

use ferrogate_api::{
    ConfigChange, ConfigDiff, ConfigFinding, ConfigReload, ConfigReport, ConfigView, ReloadMode,
};
use serde_json::json;

use super::changes::{Change, Edit, Next, unfit};
use super::managed::{ManagedSet, Unusable};
use super::snapshot::SnapshotError;
use super::{Gateway, Snapshot};
use crate::ai::health::HealthOptions;
use crate::config::{self, Config, ConfigIssue, Needs, RestartKey};
use crate::error::{ErrorKind, RequestError};
use crate::store::RevisionSource;

/// What messages call a text that was sent.
const SENT: &str = "sent configuration";

/// Where the text of a configuration comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigSource {
    /// The file that the gateway was started with, as it is now.
    File,
    Toml(String),
}

/// How the file in force came to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct InForce {
    pub(super) since_unix_ms: i64,
    /// It is what the gateway's own file says.
    pub(super) persisted: bool,
}

/// A configuration that was looked at.
struct Judged {
    warnings: Vec<ConfigIssue>,
    /// What is wrong with it, or what could be put in force.
    outcome: Result<Candidate, Vec<ConfigIssue>>,
}

struct Candidate {
    file: Arc<Config>,
    managed: ManagedSet,
    restart: Vec<RestartKey>,
    changes: Vec<ConfigChange>,
    persisted: bool,
}

impl Gateway {
    /// Says what a configuration is worth, and changes nothing.
    ///
    /// # Errors
    /// `invalid_request` where there is no file; `internal_error`.
    pub async fn validate_config(
        &self,
        source: ConfigSource,
    ) -> Result<ConfigReport, RequestError> {
        let current = self.snapshot();
        let mut judged = self.judge(&current, source).await?;
        if let Ok(candidate) = &judged.outcome
            && let Err(issues) = self.try_build(&current, candidate).await?
        {
            judged.outcome = Err(issues);
        }
        let warnings = findings(&judged.warnings);
        Ok(match judged.outcome {
            Ok(candidate) => ConfigReport {
                valid: true,
                error: None,
                errors: Vec::new(),
                warnings,
                reload_mode: mode(&candidate.restart),
                listener_reload_required: mode(&candidate.restart)
                    == ReloadMode::ListenerLevelRequired,
                restart_keys: keys(&candidate.restart),
                changes: candidate.changes,
            },
            Err(issues) => ConfigReport {
                valid: false,
                error: first(&issues),
                errors: findings(&issues),
                warnings,
                reload_mode: ReloadMode::ProcessLocal,
                listener_reload_required: false,
                restart_keys: Vec::new(),
                changes: Vec::new(),
            },
        })
    }

    /// Puts a configuration in force, or says why not and changes nothing.
    ///
    /// # Errors
    /// `invalid_request` where there is no file; `ledger_unavailable`, `revision_conflict`, `internal_error`. What is
    /// wrong with the configuration is in the answer.
    pub async fn reload(
        &self,
        source: ConfigSource,
        by: &Change,
        dry_run: bool,
    ) -> Result<ConfigReload, RequestError> {
        let _lane = self.changes.lock().await;
        let current = self.snapshot();
        let judged = self.judge(&current, source).await?;
        let mut report = ConfigReload {
            valid: false,
            committed: false,
            mode: ReloadMode::ProcessLocal,
            active_snapshot: self.name_of(&current.file),
            candidate_snapshot: String::new(),
            error: None,
            errors: Vec::new(),
            warnings: findings(&judged.warnings),
            restart_keys: Vec::new(),
            changes: Vec::new(),
            revision: None,
            persisted: self.in_force.lock().persisted,
        };
        let candidate = match judged.outcome {
            Ok(candidate) => candidate,
            Err(issues) => return self.refused(report, &issues, by).await,
        };
        let snapshot = match self.try_build(&current, &candidate).await? {
            Ok(snapshot) => snapshot,
            Err(issues) => return self.refused(report, &issues, by).await,
        };
        report.valid = true;
        report.mode = mode(&candidate.restart);
        report.restart_keys = keys(&candidate.restart);
        report.changes.clone_from(&candidate.changes);
        report.candidate_snapshot = self.name_of(&candidate.file);
        if !candidate.restart.is_empty() {
            report.error = Some(needs_more(&candidate.restart));
            let outcome = match report.mode {
                ReloadMode::ListenerLevelRequired => "listener-level-required",
                ReloadMode::RestartRequired | ReloadMode::ProcessLocal => "restart-required",
            };
            self.audit_refusal(by, outcome, report.error.as_deref())
                .await?;
            return Ok(report);
        }
        if dry_run {
            return Ok(report);
        }
        self.commit(&current, (candidate, snapshot), by, &mut report)
            .await?;
        Ok(report)
    }

    /// What would change.
    ///
    /// # Errors
    /// `invalid_config` naming everything that is wrong; `invalid_request` where there is no file.
    pub async fn diff_config(&self, source: ConfigSource) -> Result<ConfigDiff, RequestError> {
        let current = self.snapshot();
        let judged = self.judge(&current, source).await?;
        let refused = |issues: &[ConfigIssue]| {
            RequestError::new(ErrorKind::InvalidConfig, super::managed::list(issues))
        };
        let candidate = judged.outcome.map_err(|issues| refused(&issues))?;
        let conflicts = candidate.managed.conflicts(&candidate.file);
        if !conflicts.is_empty() {
            return Err(refused(&conflicts));
        }
        Ok(ConfigDiff {
            changes: candidate.changes,
            text: config::unified_diff(
                &current.file.document.masked_text(),
                &candidate.file.document.masked_text(),
            ),
        })
    }

    /// What the gateway goes by, without secrets.
    pub fn config_view(&self) -> ConfigView {
        let snapshot = self.snapshot();
        let document = &snapshot.file.document;
        let in_force = *self.in_force.lock();
        ConfigView {
            object: "config".into(),
            path: self
                .config_path
                .as_ref()
                .map(|path| path.display().to_string()),
            sha256: document.sha256_hex().to_owned(),
            loaded_at_unix_ms: in_force.since_unix_ms,
            revision: self.revision(),
            persisted: in_force.persisted,
            document: document.masked_json(),
            text: document.masked_text(),
        }
    }

    /// The number of the newest entry of the history.
    pub fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    /// Step 1 to 3, but for the building.
    async fn judge(
        &self,
        current: &Arc<Snapshot>,
        source: ConfigSource,
    ) -> Result<Judged, RequestError> {
        let path = self.config_path.clone();
        let current = Arc::clone(current);
        let reading = move || {
            let path = path.as_deref();
            let (read, persisted) = match source {
                ConfigSource::File => (config::load(path?), true),
                ConfigSource::Toml(text) => {
                    let read = config::parse(&text, SENT, &config::environment);
                    let own = path.and_then(|path| fs::read_to_string(path).ok());
                    (read, own.is_some_and(|own| own == text))
                }
            };
            Some(match read {
                Err(errors) => Judged {
                    warnings: Vec::new(),
                    outcome: Err(errors.0),
                },
                Ok(loaded) => Judged {
                    warnings: loaded.warnings,
                    outcome: beside(&current, loaded.config, persisted),
                },
            })
        };
        let judged = tokio::task::spawn_blocking(reading)
            .await
            .map_err(|error| {
                tracing::error!(%error, "a configuration could not be judged");
                RequestError::new(
                    ErrorKind::InternalError,
                    "The configuration could not be judged; the gateway's log says why.",
                )
            })?;
        judged.ok_or_else(|| {
            RequestError::new(
                ErrorKind::InvalidRequest,
                "The gateway was started without a file: send the text as `config_toml`.",
            )
            .with_param("source")
        })
    }

    /// Step 3 for what was judged.
    async fn try_build(
        &self,
        current: &Arc<Snapshot>,
        candidate: &Candidate,
    ) -> Result<Result<Snapshot, Vec<ConfigIssue>>, RequestError> {
        let next = Next {
            file: Arc::clone(&candidate.file),
            managed: candidate.managed.clone(),
        };
        match self.build_candidate(current, next).await {
            Ok(snapshot) => Ok(Ok(snapshot)),
            Err(error @ SnapshotError::Aborted) => Err(unfit(&error)),
            Err(SnapshotError::Conflicts(issues)) => Ok(Err(issues)),
            Err(other) => Ok(Err(vec![ConfigIssue::of_the_whole(format!("{other}."))])),
        }
    }

    async fn commit(
        &self,
        current: &Snapshot,
        (candidate, snapshot): (Candidate, Snapshot),
        by: &Change,
        report: &mut ConfigReload,
    ) -> Result<(), RequestError> {
        let Candidate {
            file,
            changes,
            persisted,
            ..
        } = candidate;
        let is_other = current.file.document.sha256_hex() != file.document.sha256_hex();
        let target = format!("config:{}", short(file.document.sha256_hex()));
        let edit = Edit {
            put: Vec::new(),
            delete: Vec::new(),
            audit: self.audit(
                by,
                "config.reload",
                target,
                Some(json!({"changes": changes})),
            ),
            source: is_other.then_some(RevisionSource::File),
            file_changes: is_other.then_some(changes),
        };
        let number = self.install(current, snapshot, edit).await?;
        self.follow_settings(&file);
        *self.in_force.lock() = InForce {
            since_unix_ms: self.clock.unix_ms(),
            persisted,
        };
        report.committed = true;
        report.persisted = persisted;
        report.revision = is_other.then_some(number);
        report.active_snapshot = self.name_of(&file);
        report
            .candidate_snapshot
            .clone_from(&report.active_snapshot);
        Ok(())
    }

    /// What lives longer than a snapshot and goes by the file's settings all the same.
    fn follow_settings(&self, file: &Config) {
        self.ai.set_limits(&file.reliability);
        self.ai
            .health
            .set_options(HealthOptions::from(&file.reliability));
        let percents = file.governance.budget_thresholds_percent.clone();
        self.ai.accounts.set_thresholds(percents);
    }

    async fn refused(
        &self,
        report: ConfigReload,
        issues: &[ConfigIssue],
        by: &Change,
    ) -> Result<ConfigReload, RequestError> {
        let error = first(issues);
        self.audit_refusal(by, ErrorKind::InvalidConfig.code(), error.as_deref())
            .await?;
        Ok(ConfigReload {
            error,
            errors: findings(issues),
            ..report
        })
    }

    async fn audit_refusal(
        &self,
        by: &Change,
        outcome: &str,
        error: Option<&str>,
    ) -> Result<(), RequestError> {
        let detail = Some(json!({"error": error}));
        let mut entry = self.audit(by, "config.reload", "config".to_owned(), detail);
        entry.outcome = outcome.into();
        self.note(entry).await
    }

    fn name_of(&self, file: &Config) -> String {
        format!("{}-{}", self.revision(), short(file.document.sha256_hex()))
    }
}

/// The file with the resources of the database beside it, as far as they can be read.
fn beside(
    current: &Snapshot,
    file: Config,
    persisted: bool,
) -> Result<Candidate, Vec<ConfigIssue>> {
    let rows = current.managed.rows().map(|row| (**row).clone()).collect();
    let managed = ManagedSet::read(&file, rows).map_err(Unusable::placed)?;
    Ok(Candidate {
        restart: config::restart_required(&current.file, &file),
        changes: config::diff(&current.file.document, &file.document),
        file: Arc::new(file),
        managed,
        persisted,
    })
}

fn needs_more(restart: &[RestartKey]) -> String {
    let keys = keys(restart).join("`, `");
    match mode(restart) {
        ReloadMode::ListenerLevelRequired => format!(
            "`{keys}` needs new listeners, which a reload cannot open: restart the gateway. Nothing was changed."
        ),
        ReloadMode::RestartRequired | ReloadMode::ProcessLocal => format!(
            "`{keys}` is read once, at the start: restart the gateway. Nothing was changed."
        ),
    }
}

fn mode(restart: &[RestartKey]) -> ReloadMode {
    if restart.iter().any(|key| key.needs == Needs::Listener) {
        ReloadMode::ListenerLevelRequired
    } else if restart.is_empty() {
        ReloadMode::ProcessLocal
    } else {
        ReloadMode::RestartRequired
    }
}

fn keys(restart: &[RestartKey]) -> Vec<String> {
    restart.iter().map(|key| key.key.clone()).collect()
}

fn first(issues: &[ConfigIssue]) -> Option<String> {
    issues.first().map(ToString::to_string)
}

fn findings(issues: &[ConfigIssue]) -> Vec<ConfigFinding> {
    let count = |number: usize| u64::try_from(number).ok().filter(|number| *number > 0);
    issues
        .iter()
        .map(|issue| ConfigFinding {
            file: Some(issue.file.to_string()).filter(|file| !file.is_empty()),
            line: count(issue.line),
            column: count(issue.column),
            key: issue.key.clone(),
            message: issue.message.clone(),
        })
        .collect()
}

/// Enough of a SHA-256 to tell files apart by eye.
pub(super) fn short(sha256_hex: &str) -> &str {
    sha256_hex.get(..8).unwrap_or(sha256_hex)
}
