//! Which candidates may answer a request, in the order they are tried.
//!
//! A model has one provider, so a plan has one candidate; strategies and fallbacks order several.

use crate::ai::dialects::AiRequest;
use crate::ai::models::{Catalog, Model};
use crate::error::RequestError;
use crate::governance::Key;

/// The candidates of one request, best first; never empty.
#[derive(Debug)]
pub struct Plan<'c> {
    pub model: &'c Model,
}

/// Finds who may answer `request` for `key`.
///
/// # Errors
/// What stands against the model or its provider, see [`Catalog::model_for`] and [`Model::require`].
pub fn plan<'c>(
    catalog: &'c Catalog,
    key: &Key,
    request: &AiRequest,
) -> Result<Plan<'c>, RequestError> {
    let model = catalog.model_for(key, &request.model)?;
    model.require(request.dialect)?;
    Ok(Plan { model })
}
