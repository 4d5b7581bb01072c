//! One resource as it is answered with: what is told of it, and its tag.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use super::{AdminResource, Of, Viewing};
use crate::admin::{
    caller::Caller,
    preconditions,
    respond::{Failure, not_found},
};
use crate::gateway::{self, AlertStatus, Gateway};
use crate::store::ResourceKind;

/// What is answered of one resource.
#[derive(Debug)]
pub(in crate::admin) struct Shown<V> {
    pub(in crate::admin) view: V,
    pub(in crate::admin) etag: String,
}

/// The one of this name as it is now, with all that is known of it.
pub(in crate::admin) async fn shown<R: AdminResource>(
    gateway: &Gateway,
    caller: &Caller,
    name: &str,
) -> Result<Shown<R::View>, Failure> {
    let last_used = match R::KIND {
        ResourceKind::ApiKey => gateway.store.last_used_of(name).await?,
        _ => None,
    };
    let last_used = last_used
        .map(|at| (Arc::from(name), at))
        .into_iter()
        .collect();
    let snapshot = gateway.snapshot();
    let viewing = Viewing {
        snapshot: &snapshot,
        caller,
        now_unix_ms: gateway.clock.unix_ms(),
        last_used,
        alerts: alert_statuses::<R>(gateway),
    };
    let entry = R::find(&snapshot, name)
        .filter(|entry| R::is_visible(entry, &viewing))
        .ok_or_else(|| not_found(R::NOUN, name))?;
    Ok(Shown {
        etag: etag_of::<R>(&entry, &viewing),
        view: R::view(&entry, &viewing),
    })
}

/// When each key was last used, where keys are to be shown.
pub(super) async fn last_used<R: AdminResource>(
    gateway: &Gateway,
) -> Result<HashMap<Arc<str>, i64>, Failure> {
    match R::KIND {
        ResourceKind::ApiKey => Ok(gateway.store.last_used().await?),
        ResourceKind::Tenant
        | ResourceKind::Policy
        | ResourceKind::GatewayConfig
        | ResourceKind::Provider
        | ResourceKind::Model
        | ResourceKind::Upstream
        | ResourceKind::Route
        | ResourceKind::McpServer
        | ResourceKind::Alert => Ok(HashMap::new()),
    }
}

/// How each alert stands, where alerts are to be shown.
pub(super) fn alert_statuses<R: AdminResource>(
    gateway: &Gateway,
) -> HashMap<Arc<str>, AlertStatus> {
    match R::KIND == ResourceKind::Alert {
        true => gateway.alert_statuses(),
        false => HashMap::new(),
    }
}

/// Of its row, or where it has none, of what is shown of it.
fn etag_of<R: AdminResource>(entry: &Of<'_, R>, viewing: &Viewing<'_>) -> String {
    if let Some(row) = entry.stored {
        return gateway::etag(row);
    }
    // What time alone changes is no other state.
    let unmoved = Viewing {
        snapshot: viewing.snapshot,
        caller: viewing.caller,
        now_unix_ms: i64::MAX,
        last_used: HashMap::new(),
        alerts: HashMap::new(),
    };
    preconditions::tag_of_view(&R::view(entry, &unmoved))
}

impl<V> Shown<V> {
    /// The same with another view.
    pub(in crate::admin) fn map<W>(self, view: impl FnOnce(V) -> W) -> Shown<W> {
        Shown {
            view: view(self.view),
            etag: self.etag,
        }
    }
}

impl<V: Serialize> Shown<V> {
    /// 201.
    pub(in crate::admin) fn made(self) -> Response {
        let mut response = self.into_response();
        *response.status_mut() = StatusCode::CREATED;
        response
    }
}

impl<V: Serialize> IntoResponse for Shown<V> {
    fn into_response(self) -> Response {
        let mut response = Json(self.view).into_response();
        tag(&mut response, &self.etag);
        response
    }
}

fn tag(response: &mut Response, etag: &str) {
    let value = HeaderValue::try_from(etag).expect("tags are digits, letters and `-` in quotes");
    response.headers_mut().insert(header::ETAG, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_carries_its_tag() {
        let shown = || Shown {
            view: serde_json::json!({"name": "a"}),
            etag: "\"3-1a\"".to_owned(),
        };
        let check = |answer: Response, status: StatusCode| {
            assert_eq!(answer.status(), status);
            assert_eq!(answer.headers()[header::ETAG], "\"3-1a\"");
        };
        check(shown().into_response(), StatusCode::OK);
        check(shown().made(), StatusCode::CREATED);
    }
}
