//! Reading a provider's own list of models. It never changes what is configured.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use ferrogate_api::ProviderModel;
use http::Method;
use serde::Deserialize;

use super::Ai;
use super::dialects::read_error;
use super::providers::Provider;
use super::upstream::Call;
use crate::error::{ErrorKind, RequestError};

impl Ai {
    /// What `provider` offers, under the limits of `[reliability] provider_catalog_*`.
    ///
    /// # Errors
    /// Why it could not be asked or understood.
    pub async fn provider_models(
        &self,
        provider: &Arc<Provider>,
    ) -> Result<Vec<ProviderModel>, RequestError> {
        let limit = self.limits().provider_catalog_timeout;
        tokio::time::timeout(limit, self.read_catalogue(provider))
            .await
            .unwrap_or_else(|_| {
                Err(RequestError::new(
                    ErrorKind::ProviderTimeout,
                    format!("It did not answer within {} s.", limit.as_secs()),
                ))
            })
    }

    async fn read_catalogue(
        &self,
        provider: &Arc<Provider>,
    ) -> Result<Vec<ProviderModel>, RequestError> {
        // Dropped unsettled: what is asked here says nothing about how its models answer.
        let pass = self
            .health
            .enter(provider, &provider.name, self.clock.unix_ms())?;
        let headers = provider.models_headers(pass.credential());
        let call = Call {
            provider,
            method: Method::GET,
            path: provider.models_target(),
            headers: &headers,
            body: Bytes::new(),
        };
        let mut answer = self.upstream.send(&call, || {}).await.map_err(|error| {
            RequestError::new(
                ErrorKind::ProviderUnreachable,
                format!("It failed: {error}."),
            )
        })?;
        let status = answer.status();
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|error| {
            RequestError::new(
                ErrorKind::ProviderProtocolError,
                format!("It failed: {error}."),
            )
        })? {
            body.extend_from_slice(&piece);
            if body.len() > self.limits().provider_catalog_max_bytes {
                return Err(RequestError::new(
                    ErrorKind::ProviderResponseTooLarge,
                    "Its list is over `[reliability] provider_catalog_max_bytes`.",
                ));
            }
        }
        answer.release().await;
        if status >= 400 {
            return Err(read_error(
                provider.models_api(),
                &provider.name,
                (status, &body),
                None,
            ));
        }
        parse(&body).ok_or_else(|| {
            RequestError::new(
                ErrorKind::ProviderProtocolError,
                "Its answer is no list of models.",
            )
        })
    }
}

/// A list in any of the providers' shapes: OpenAI's and Anthropic's is in `data`, Gemini's in `models`.
#[derive(Deserialize)]
struct List {
    #[serde(alias = "models")]
    data: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    id: Option<String>,
    /// Gemini's, with `models/` in front.
    name: Option<String>,
    #[serde(alias = "display_name")]
    display_name: Option<String>,
    #[serde(alias = "owned_by")]
    owned_by: Option<String>,
    /// One figure under many names; a server may give several.
    #[serde(rename = "context_window")]
    context_window: Option<u64>,
    #[serde(rename = "context_length")]
    context_length: Option<u64>,
    #[serde(rename = "max_model_len")]
    max_model_len: Option<u64>,
    #[serde(rename = "max_input_tokens")]
    max_input_tokens: Option<u64>,
    input_token_limit: Option<u64>,
    #[serde(rename = "max_output_tokens")]
    max_output_tokens: Option<u64>,
    #[serde(rename = "max_tokens")]
    max_tokens: Option<u64>,
    output_token_limit: Option<u64>,
    #[serde(default)]
    supported_generation_methods: Vec<String>,
    #[serde(default, rename = "supported_parameters")]
    supported_parameters: Vec<String>,
    #[serde(default)]
    architecture: Architecture,
}

/// OpenRouter's.
#[derive(Default, Deserialize)]
struct Architecture {
    #[serde(default)]
    input_modalities: Vec<String>,
    #[serde(default)]
    output_modalities: Vec<String>,
}

fn parse(body: &[u8]) -> Option<Vec<ProviderModel>> {
    let list: List = serde_json::from_slice(body).ok()?;
    Some(list.data.into_iter().filter_map(Entry::model).collect())
}

impl Entry {
    fn model(self) -> Option<ProviderModel> {
        // OpenRouter's `name` is for people and its `id` for requests; Gemini has the name alone.
        let (id, display_name) = match (self.id, self.name) {
            (Some(id), name) => (id, self.display_name.or(name)),
            (None, Some(name)) => {
                let id = name.strip_prefix("models/").unwrap_or(&name).to_owned();
                (id, self.display_name)
            }
            (None, None) => return None,
        };
        let words: BTreeSet<String> = self
            .supported_generation_methods
            .into_iter()
            .chain(self.supported_parameters)
            .chain(self.architecture.input_modalities)
            .chain(self.architecture.output_modalities)
            .collect();
        Some(ProviderModel {
            id,
            display_name,
            owned_by: self.owned_by,
            context_window: self
                .context_window
                .or(self.context_length)
                .or(self.max_model_len)
                .or(self.max_input_tokens)
                .or(self.input_token_limit),
            max_output_tokens: self
                .max_output_tokens
                .or(self.max_tokens)
                .or(self.output_token_limit),
            capabilities: words.into_iter().collect(),
            configured: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_providers_list_is_read() {
        let check = |json: &str, id: &str, window: Option<u64>, words: &[&str]| {
            let models = parse(json.as_bytes()).unwrap();
            assert_eq!(models.len(), 1, "{json}");
            assert_eq!(models[0].id, id);
            assert_eq!(models[0].context_window, window);
            assert_eq!(models[0].capabilities, words);
        };
        check(
            r#"{"object":"list","data":[{"id":"gpt-4o-mini","object":"model","created":1,"owned_by":"system"}]}"#,
            "gpt-4o-mini",
            None,
            &[],
        );
        check(
            r#"{"data":[{"type":"model","id":"claude","display_name":"Claude","created_at":"2025-01-01T00:00:00Z"}],"has_more":false}"#,
            "claude",
            None,
            &[],
        );
        check(
            r#"{"models":[{"name":"models/gemini","displayName":"G","inputTokenLimit":1048576,"supportedGenerationMethods":["generateContent","countTokens"]}]}"#,
            "gemini",
            Some(1_048_576),
            &["countTokens", "generateContent"],
        );
        check(
            r#"{"data":[{"id":"openai/gpt","name":"OpenAI: GPT","context_length":128000,"architecture":{"input_modalities":["text","image"],"output_modalities":["text"]},"supported_parameters":["tools"]}]}"#,
            "openai/gpt",
            Some(128_000),
            &["image", "text", "tools"],
        );
        check(
            r#"{"data":[{"id":"both","context_window":8192,"context_length":4096,"max_tokens":10,"max_output_tokens":20}]}"#,
            "both",
            Some(8192),
            &[],
        );
        assert!(parse(b"{\"error\":1}").is_none());
        assert!(parse(b"[]").is_none());
    }
}
