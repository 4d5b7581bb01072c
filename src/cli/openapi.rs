//! `ferrogate openapi`: the OpenAPI document of the admin API, without a gateway.

use super::out;
use crate::admin::openapi_document;

/// Print the OpenAPI document of the admin API
///
/// The same as a running gateway answers at GET /admin/v1/openapi.json, and as docs/openapi/admin-api.openapi.json.
#[derive(Debug, clap::Args)]
pub(super) struct OpenApiArgs {}

/// Prints it.
///
/// # Errors
/// When it could not be written.
pub(super) fn run(OpenApiArgs {}: &OpenApiArgs) -> anyhow::Result<()> {
    out::show(openapi_document())
}
