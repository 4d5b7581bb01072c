//! Providers as the admin API shows them: who answers AI requests. How one is paid is told, its secret never.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Origin;

/// One provider account, without its secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Provider {
    /// `provider`.
    pub object: Arc<str>,
    /// What models and keys refer to; unique among providers.
    pub name: Arc<str>,
    /// Whose API it has: `openai`, `openai-compatible`, `azure`, `openrouter`, `xai`, `anthropic` or `gemini`.
    pub kind: String,
    /// Without a slash at the end.
    pub base_url: String,
    /// While it is false, nobody is sent there.
    pub enabled: bool,
    /// The APIs it is spoken to in: `chat`, `responses`, `messages`, `gemini`, `embeddings`.
    pub apis: Vec<String>,
    /// Azure's or Anthropic's; other kinds have none.
    pub api_version: Option<String>,
    /// The site that OpenRouter counts requests for; other kinds have none.
    pub openrouter_http_referer: Option<String>,
    /// That site's name.
    pub openrouter_x_title: Option<String>,
    /// Whether a secret is at hand: a variable that is set, a file that could be read, a sealed one that opened.
    pub has_api_key: bool,
    /// How the secret comes to the gateway.
    pub credential: CredentialSource,
    /// The names of the variables, the file or the systemd credential that hold it; empty for a sealed one.
    pub credential_names: Vec<String>,
    /// Where it was declared, and so who may change it.
    pub origin: Origin,
    /// 1 when it is made, one more with every change; absent for what is not in the database.
    #[serde(default)]
    pub revision: Option<u64>,
    /// When it was made, in milliseconds since the Unix epoch; absent for what is not in the database.
    #[serde(default)]
    pub created_at_unix_ms: Option<i64>,
    /// When it was changed last, in milliseconds since the Unix epoch; absent for what is not in the database.
    #[serde(default)]
    pub updated_at_unix_ms: Option<i64>,
}

/// Where a provider's secret lies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CredentialSource {
    /// In one environment variable, or several that are taken in turn.
    Env,
    /// In a file that the gateway reads.
    File,
    /// In a credential that systemd hands over.
    Credential,
    /// In the database, under the master key.
    Sealed,
    /// Nothing is sent.
    #[default]
    None,
}

/// Which providers to list; everything that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ProviderFilter {
    /// Whose API it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(pattern = "^(openai|openai-compatible|azure|openrouter|xai|anthropic|gemini)$")]
    pub kind: Option<String>,
    /// Only those that are switched on, or off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Only those that were declared there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_reads_what_it_writes() {
        let provider = Provider {
            object: "provider".into(),
            name: "openai".into(),
            has_api_key: true,
            credential: CredentialSource::Sealed,
            origin: Origin::Api,
            revision: Some(2),
            ..Provider::default()
        };
        let json = serde_json::to_value(&provider).unwrap();
        assert_eq!(json["credential"], "sealed");
        assert_eq!(serde_json::from_value::<Provider>(json).unwrap(), provider);
    }
}
