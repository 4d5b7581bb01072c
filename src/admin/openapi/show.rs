//! `GET /admin/v1/openapi.json`.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Uri, header};

use super::document;
use crate::admin::{query::Parameters, respond::Failure};

pub(in crate::admin) async fn show(uri: Uri) -> Result<Response, Failure> {
    Parameters::none(&uri)?;
    let json = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, json)], document()).into_response())
}
