//! What the providers themselves offer: their catalogues, read when asked for. Nothing here changes `[[models]]`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The catalogue of one provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProviderCatalogue {
    /// The name of the provider.
    pub provider: Arc<str>,
    /// Whose API it has.
    pub kind: String,
    /// Whether its list could be read.
    pub status: CatalogueStatus,
    /// Why it could not be read.
    pub error: Option<String>,
    /// In the provider's own order.
    pub models: Vec<ProviderModel>,
}

/// Whether a catalogue could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CatalogueStatus {
    Ok,
    Error,
    /// The provider is switched off and was not asked.
    Disabled,
}

/// A model as its provider lists it; what the list does not say is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProviderModel {
    /// What `provider_model` has to be.
    pub id: String,
    /// What people call it.
    pub display_name: Option<String>,
    /// Whose it is.
    pub owned_by: Option<String>,
    /// Tokens that prompt and answer may have together, or the prompt alone where the provider counts so.
    pub context_window: Option<u64>,
    /// Tokens that an answer may have.
    pub max_output_tokens: Option<u64>,
    /// Words that the provider uses, sorted: modalities, methods, supported parameters.
    pub capabilities: Vec<String>,
    /// A model of this name is configured for this provider.
    pub configured: bool,
}
