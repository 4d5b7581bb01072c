//! `[[providers]]`.

use serde::Deserialize;
use utoipa::ToSchema;

use super::{BaseUrl, Name, ProviderApi, ProviderKind, VariableName};

/// An account at somebody who answers AI requests. At most one of the `api_key…` fields says where its secret is.
#[derive(Clone, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({
    "name": "elsewhere",
    "kind": "openai-compatible",
    "base_url": "https://llm.example.com/v1",
    "api_key_env": "ELSEWHERE_API_KEY",
    "apis": ["chat", "embeddings"]
})))]
pub struct ProviderDocument {
    /// What models and keys refer to; unique among providers.
    pub name: Name,
    /// Whose API it has.
    #[schema(default = "openai")]
    pub kind: Option<ProviderKind>,
    /// Where its API is. Kinds with one public address have it as their default; `openai-compatible` and `azure` need it.
    pub base_url: Option<BaseUrl>,
    /// False: nobody is sent there.
    #[schema(default = true)]
    pub enabled: Option<bool>,
    /// The secret itself. The gateway seals it under its master key and never shows it again; `null` takes it away.
    #[schema(write_only, pattern = "^[\\t -~]+$")]
    pub api_key: Option<String>,
    /// The environment variable that holds the secret.
    pub api_key_env: Option<VariableName>,
    /// The environment variables that hold several secrets, which are taken in turn.
    #[schema(value_type = Option<BTreeSet<VariableName>>, min_items = 1)]
    pub api_key_envs: Option<Vec<VariableName>>,
    /// The file that holds the secret.
    #[schema(min_length = 1, examples("/etc/ferrogate/openai.key"))]
    pub api_key_file: Option<String>,
    /// The name of the systemd credential that holds the secret.
    #[schema(pattern = "^[A-Za-z0-9._-]{1,255}$", examples("openai-key"))]
    pub api_key_credential: Option<String>,
    /// The APIs it is spoken to in; left out: those that its kind usually has.
    #[schema(value_type = Option<BTreeSet<ProviderApi>>, min_items = 1)]
    pub apis: Option<Vec<ProviderApi>>,
    /// Azure's `api-version` or Anthropic's `anthropic-version`; other kinds have none.
    #[schema(pattern = "^[A-Za-z0-9._-]+$", examples("2024-10-21"))]
    pub api_version: Option<String>,
    /// The site that OpenRouter counts requests for; other kinds have none.
    #[schema(pattern = "^[\\t -~]+$", examples("https://example.com"))]
    pub openrouter_http_referer: Option<String>,
    /// That site's name.
    #[schema(pattern = "^[\\t -~]+$", examples("Example"))]
    pub openrouter_x_title: Option<String>,
}

// By hand: without the secret.
impl std::fmt::Debug for ProviderDocument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProviderDocument")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}
