//! `/admin/v1/backups`: copies of the databases, made while the gateway runs. Restoring one is for a gateway that does
//! not run: `ferrogate backup restore`.

use std::sync::Arc;

use axum::{Json, extract::State};
use ferrogate_api::{Backup, BackupReport, Deleted, NewBackup, Page, PruneBackups, PrunedBackups};
use http::{StatusCode, Uri};
use serde_json::json;

use super::{
    body::{Command, Nothing},
    listing::{Listing, SortKey},
    path::Named,
    preconditions::By,
    query::Parameters,
    respond::{Failure, invalid, not_found},
};
use crate::error::{ErrorKind, RequestError, in_words};
use crate::gateway::{Actor, Change, Gateway};
use crate::store::{BackupRequest, StoreError};

const FIELDS: [&str; 3] = ["created_at_unix_ms", "name", "size_bytes"];

/// The oldest first, unless something else is asked for.
pub(super) async fn list(
    State(gateway): State<Arc<Gateway>>,
    uri: Uri,
) -> Result<Json<Page<Backup>>, Failure> {
    let mut parameters = Parameters::of(&uri)?;
    let listing = Listing::take(&mut parameters, &gateway.snapshot().config.admin, &FIELDS)?;
    parameters.finish()?;
    let backups = gateway.store.backups().await.map_err(failure)?;
    let found = backups
        .into_iter()
        .filter(|backup| listing.finds([&*backup.name, &*backup.reason]))
        .map(|backup| {
            let key = match listing.field() {
                "created_at_unix_ms" => Some(backup.created_at_unix_ms).into(),
                "size_bytes" => i64::try_from(backup.size_bytes()).ok().into(),
                _ => SortKey::Nothing,
            };
            (key, backup.name.clone(), backup)
        })
        .collect();
    let (page, next_cursor) = listing.part(found);
    Ok(Json(Page::new(page, next_cursor)))
}

pub(super) async fn show(
    State(gateway): State<Arc<Gateway>>,
    Named(name): Named<String>,
    uri: Uri,
) -> Result<Json<Backup>, Failure> {
    Parameters::none(&uri)?;
    let found = gateway.store.find_backup(name.clone()).await;
    let backup = found.map_err(failure)?;
    Ok(Json(backup.ok_or_else(|| not_found("backup", &name))?))
}

/// Answers when it is made. Who leaves meanwhile does not stop it.
pub(super) async fn create(
    State(gateway): State<Arc<Gateway>>,
    by: By,
    uri: Uri,
    Command(request): Command<NewBackup>,
) -> Result<(StatusCode, Json<Backup>), Failure> {
    Parameters::none(&uri)?;
    let by = by.unconditional()?.because(request.reason)?;
    let made = make(&gateway, &by.change, request.include_request_logs).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// Makes one when the newest is as old as `[backup] interval_hours` allows.
pub async fn back_up_when_due(gateway: &Gateway) {
    let interval = gateway.snapshot().config.backup.interval;
    if interval.is_zero() {
        return;
    }
    match gateway.store.backup_is_due(interval).await {
        Ok(true) => {}
        Ok(false) => return,
        Err(error) => {
            tracing::error!(error = ?error, "it cannot be told whether a backup is due");
            return;
        }
    }
    let change = Change {
        reason: Some("scheduled".to_owned()),
        ..Change::by(Actor::gateway())
    };
    // A failure was told where it happened, and is tried again soon.
    if let Ok(made) = make(gateway, &change, None).await {
        tracing::info!(backup = made.name, "a backup was made");
    }
}

async fn make(
    gateway: &Gateway,
    change: &Change,
    include_request_logs: Option<bool>,
) -> Result<Backup, Failure> {
    let snapshot = gateway.snapshot();
    let settings = &snapshot.config.backup;
    let made = gateway
        .store
        .backup(BackupRequest {
            include_request_logs: include_request_logs.unwrap_or(settings.include_request_logs),
            reason: change.reason.clone().unwrap_or_default(),
            config_sha256: Some(snapshot.file.document.sha256_hex().to_owned()),
        })
        .await
        .map_err(failure)?;
    let detail = json!({"files": made.files.len(), "size_bytes": made.size_bytes()});
    note(gateway, change, "backup.create", (&made.name, detail)).await?;
    // It is made, and that stands: what of the old ones cannot leave now leaves after the next one.
    if let Err(error) = gateway.store.prune_backups(settings.keep).await {
        tracing::warn!(error = ?error, "the oldest backups cannot be deleted");
    }
    Ok(made)
}

/// What is wrong with a backup is the answer, and no error.
pub(super) async fn verify(
    State(gateway): State<Arc<Gateway>>,
    by: By,
    Named(name): Named<String>,
    uri: Uri,
    Command(Nothing {}): Command<Nothing>,
) -> Result<Json<BackupReport>, Failure> {
    Parameters::none(&uri)?;
    let by = by.unconditional()?;
    let verified = gateway.store.verify_backup(name.clone()).await;
    let report = verified
        .map_err(failure)?
        .ok_or_else(|| not_found("backup", &name))?;
    note(
        &gateway,
        &by.change,
        "backup.verify",
        (&name, json!({"ok": report.ok})),
    )
    .await?;
    Ok(Json(report))
}

pub(super) async fn remove(
    State(gateway): State<Arc<Gateway>>,
    by: By,
    Named(name): Named<String>,
    uri: Uri,
) -> Result<Json<Deleted>, Failure> {
    Parameters::none(&uri)?;
    let by = by.unconditional()?;
    let was_there = gateway.store.delete_backup(name.clone()).await;
    if !was_there.map_err(failure)? {
        return Err(not_found("backup", &name));
    }
    note(&gateway, &by.change, "backup.delete", (&name, json!({}))).await?;
    Ok(Json(Deleted::of("backup", name)))
}

pub(super) async fn prune(
    State(gateway): State<Arc<Gateway>>,
    by: By,
    uri: Uri,
    Command(request): Command<PruneBackups>,
) -> Result<Json<PrunedBackups>, Failure> {
    Parameters::none(&uri)?;
    let by = by.unconditional()?;
    let keep = request
        .keep
        .unwrap_or(gateway.snapshot().config.backup.keep);
    if keep == 0 {
        return Err(Failure(invalid("keep", "must be at least 1")));
    }
    let deleted = gateway.store.prune_backups(keep).await.map_err(failure)?;
    let detail = json!({"keep": keep, "deleted": deleted});
    note(&gateway, &by.change, "backup.prune", ("*", detail)).await?;
    Ok(Json(PrunedBackups { deleted }))
}

async fn note(
    gateway: &Gateway,
    change: &Change,
    action: &str,
    (name, detail): (&str, serde_json::Value),
) -> Result<(), RequestError> {
    let target = format!("backup:{name}");
    gateway
        .audit_event(change, action, target, Some(detail))
        .await
}

/// Whoever works with backups is the operator: the whole chain of causes is for them.
fn failure(error: StoreError) -> Failure {
    if matches!(error, StoreError::BackupRunning) {
        let message = "Another backup is being made; wait for its end.";
        return Failure(RequestError::new(ErrorKind::BackupRunning, message));
    }
    let message = in_words(&error);
    tracing::error!(error = message, "the backups cannot be worked with");
    Failure(RequestError::new(
        ErrorKind::BackupFailed,
        format!("The work on the backups failed: {message}."),
    ))
}
