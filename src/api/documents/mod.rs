//! What a writer sends of a resource: the keys of the configuration's tables, with their types, bounds and defaults.
//!
//! The gateway reads such a document with the code that reads the file, which alone decides; what stands here tells a
//! client beforehand, in the API's OpenAPI document. A test of the configuration holds the two to the same keys.
//!
//! Every type is what `POST` takes. `PUT` takes the same, and takes the name from its path; `PATCH` takes any part of it.
//! A key that is left out has its default, and so has one that is `null`.

mod accounts;
mod alerts;
mod api_keys;
mod gateway_configs;
mod mcp_servers;
mod models;
mod policies;
mod providers;
mod tenants;
mod texts;
mod upstreams;
mod words;

pub use accounts::BudgetDocument;
pub use alerts::{AlertDocument, AlertMetric, AlertThreshold};
pub use api_keys::ApiKeyDocument;
pub use gateway_configs::GatewayConfigDocument;
pub use mcp_servers::{McpServerDocument, McpSettingDocument, McpTlsDocument, ToolSelector};
pub use models::{ModelDocument, ModelFallbackDocument};
pub use policies::{PolicyDocument, PolicyWhenDocument};
pub use providers::ProviderDocument;
pub use tenants::TenantDocument;
pub use texts::{
    BaseUrl, Decimal, HeaderName, HeaderValue, Host, Name, PathPrefix, Tags, VariableName,
};
pub use upstreams::{HeaderDocument, RouteDocument, UpstreamDocument};
pub use words::{
    Capability, McpAuth, McpTransport, PolicyEffect, ProviderApi, ProviderKind, RoutingStrategy,
    Scope, TenantKind, Weekday,
};

#[cfg(test)]
mod tests;
