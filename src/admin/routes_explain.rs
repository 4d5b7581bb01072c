//! `POST /admin/v1/routes:explain`: what would become of a request, without making it. It reads, so `admin.read` does.

use std::sync::Arc;

use axum::{Json, extract::State};
use ferrogate_api::{ExplainRequest, Explanation};
use http::{HeaderMap, Method, Uri};

use super::{
    body::{Bounded, no_list},
    query::Parameters,
    respond::{Failure, invalid, not_found},
};
use crate::ai::request::Asked;
use crate::error::{ErrorKind, RequestError};
use crate::gateway::Gateway;
use crate::routes::{Target, path};

pub(super) async fn explain(
    State(gateway): State<Arc<Gateway>>,
    uri: Uri,
    Bounded(body): Bounded,
) -> Result<Json<Explanation>, Failure> {
    Parameters::none(&uri)?;
    let request: ExplainRequest = serde_json::from_slice(no_list(&body)?).map_err(|error| {
        RequestError::new(
            ErrorKind::InvalidJson,
            format!("The body is not `{{\"key\", \"path\", \"body\"}}`: {error}."),
        )
    })?;
    let snapshot = gateway.snapshot();
    let key = snapshot
        .rules
        .keys
        .get(&request.key)
        .ok_or_else(|| not_found("virtual key", &request.key))?;
    let (path, query) = match request.path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (&*request.path, None),
    };
    let path = path::normalise(path)?;
    let target = snapshot
        .routes
        .find(&Method::POST, "localhost", &path, &HeaderMap::new());
    let (model, endpoint) = match &target {
        Ok(Target::Ai(endpoint)) => (None, *endpoint),
        Ok(Target::AiModel(model, endpoint)) => (Some(&**model), *endpoint),
        _ => {
            return Err(invalid("path", "must be one of the gateway's AI endpoints").into());
        }
    };
    let asked = Asked {
        endpoint,
        model,
        query,
    };
    let body = request.body.to_string().into();
    let explained = gateway.ai.explain(&snapshot.rules, key, &asked, body);
    Ok(Json(explained))
}
