//! What the audit log is told of those who were refused.
//!
//! That a known caller may not do something is written down at once, and repetitions within the minute as a number;
//! failed authentications are numbers alone ([`crate::governance::AuthFailures`] counts both).

use axum::extract::{MatchedPath, Request};
use http::Method;
use serde_json::json;

use super::caller::Caller;
use crate::error::{ErrorKind, RequestError};
use crate::gateway::{Actor, Gateway};
use crate::governance::{AuthRefusal, Refused, Surface};
use crate::store::AuditEntry;

/// Of a path, what the audit log keeps.
const PATH_CHARS_MAX: usize = 256;

/// What a caller asked for.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    method: Method,
    path: String,
    /// The path as the table of endpoints has it.
    endpoint: String,
}

impl Asked {
    pub(super) fn of(request: &Request) -> Self {
        let matched = request.extensions().get::<MatchedPath>();
        Self {
            method: request.method().clone(),
            path: request.uri().path().chars().take(PATH_CHARS_MAX).collect(),
            endpoint: matched.map_or("unknown", MatchedPath::as_str).to_owned(),
        }
    }
}

/// Notes that `caller` was refused what they asked for, if that is what the error says. The refusal stands whether it
/// can be written down or not.
pub(super) async fn note(gateway: &Gateway, caller: &Caller, asked: &Asked, error: &RequestError) {
    if !is_refusal(error.kind) {
        return;
    }
    gateway.metrics.auth_failed(error.kind);
    let refusal = AuthRefusal {
        surface: Surface::Admin,
        who: Refused::Caller {
            actor: caller.to_string(),
            endpoint: format!("{} {}", asked.method, asked.endpoint),
        },
        code: error.kind.code(),
    };
    if gateway.ai.auth_failures.forbidden(refusal) {
        let target = format!("{} {}", asked.method, asked.path);
        let detail = caller.realm().detail();
        write(
            gateway,
            (caller.actor(), "admin.refused", target),
            (error.kind.code(), detail),
        )
        .await;
    }
}

fn is_refusal(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ScopeDenied
            | ErrorKind::OperatorOnly
            | ErrorKind::OutsideTenant
            | ErrorKind::ModelNotAllowed
            | ErrorKind::ProviderNotAllowed
    )
}

/// Writes down what was counted since the last time; call it once a minute, and before the end.
pub async fn flush(gateway: &Gateway) {
    for (refusal, count) in gateway.ai.auth_failures.take() {
        let mut detail = json!({"count": count, "surface": refusal.surface.as_str()});
        let (actor, action, target) = match refusal.who {
            Refused::Address(address) if address.is_ipv6() => unknown(format!("{address}/64")),
            Refused::Address(address) => unknown(address.to_string()),
            Refused::Local => unknown("local".to_owned()),
            Refused::Others => unknown("others".to_owned()),
            Refused::Caller { actor, endpoint } => {
                let snapshot = gateway.snapshot();
                let key = snapshot.rules.keys.get(&actor);
                detail["tenant"] = json!(key.and_then(|key| key.tenant_if_any()));
                (Actor { name: actor }, "admin.refused", endpoint)
            }
        };
        write(
            gateway,
            (actor, action, target),
            (refusal.code, Some(detail)),
        )
        .await;
    }
}

fn unknown(address: String) -> (Actor, &'static str, String) {
    (
        Actor::gateway(),
        "auth.refused",
        format!("address:{address}"),
    )
}

async fn write(
    gateway: &Gateway,
    (actor, action, target): (Actor, &str, String),
    (code, detail): (&str, Option<serde_json::Value>),
) {
    let entry = AuditEntry {
        occurred_at_unix_ms: gateway.clock.unix_ms(),
        actor: actor.name.into(),
        action: action.into(),
        target,
        outcome: code.into(),
        message: String::new(),
        detail,
    };
    if let Err(error) = gateway.note(entry).await {
        tracing::error!(%error, action, code, "a refusal could not be written to the audit log");
    }
}
