//! One resource as it is answered with: what is told of it, and its tag.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;

use super::{AdminResource, Of, Viewing};
use crate::admin::{
    caller::Caller,
    preconditions,
    respond::{Failure, not_found},
};
use crate::gateway::Gateway;
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
    let last_used = last_used::<R>(gateway).await?;
    let snapshot = gateway.snapshot();
    let viewing = Viewing {
        snapshot: &snapshot,
        caller,
        now_unix_ms: gateway.clock.unix_ms(),
        last_used,
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
        | ResourceKind::McpServer => Ok(HashMap::new()),
    }
}

fn etag_of<R: AdminResource>(entry: &Of<'_, R>, viewing: &Viewing<'_>) -> String {
    // What time alone changes is no other state.
    let unmoved = Viewing {
        snapshot: viewing.snapshot,
        caller: viewing.caller,
        now_unix_ms: i64::MAX,
        last_used: HashMap::new(),
    };
    preconditions::tag(entry.stored.map(|row| &**row), &R::view(entry, &unmoved))
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
    /// 304 for whoever has it already.
    pub(super) fn unless_known(self, headers: &HeaderMap) -> Response {
        if !preconditions::has_already(headers, &self.etag) {
            return self.into_response();
        }
        let mut response = StatusCode::NOT_MODIFIED.into_response();
        tag(&mut response, &self.etag);
        response
    }

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
    fn an_answer_carries_its_tag_and_is_left_out_for_whoever_has_it() {
        let shown = || Shown {
            view: serde_json::json!({"name": "a"}),
            etag: "\"3-1a\"".to_owned(),
        };
        let check = |known: &'static str, status: StatusCode| {
            let headers =
                HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_static(known))]);
            let answer = shown().unless_known(&headers);
            assert_eq!(answer.status(), status, "{known}");
            assert_eq!(answer.headers()[header::ETAG], "\"3-1a\"");
        };
        check("\"3-1a\"", StatusCode::NOT_MODIFIED);
        check("\"2-1a\"", StatusCode::OK);
        assert_eq!(shown().made().status(), StatusCode::CREATED);
    }
}
