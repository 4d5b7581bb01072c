//! What most tests need: a provider, a gateway in front of it, and a key.

use serde_json::{Value, json};

use super::{Gateway, Provider, Request};

/// The secret of the key `dev`, which may use everything a client may.
pub(crate) const KEY: &str = "dev-secret";
/// What the gateway presents to the provider.
pub(crate) const PROVIDER_KEY: &str = "sk-provider-0001";
/// The environment of a gateway with the standard configuration.
pub(crate) const ENVIRONMENT: &[(&str, &str)] = &[("PROVIDER_KEY", PROVIDER_KEY)];

/// A gateway and the provider behind it.
#[derive(Debug)]
pub(crate) struct Rig {
    pub(crate) gateway: Gateway,
    pub(crate) provider: Provider,
}

impl Rig {
    /// The standard configuration and `config` behind it.
    pub(crate) async fn start(config: &str) -> Self {
        Self::start_with(Provider::start().await, config).await
    }

    pub(crate) async fn start_with(provider: Provider, config: &str) -> Self {
        let gateway = gateway_for(&provider.base_url(), config).await;
        Self { gateway, provider }
    }

    /// A chat request of `message`, which may hold a directive to the simulator (`sim: …`).
    pub(crate) fn chat(&self, message: &str) -> Request {
        self.post("/v1/chat/completions", &chat_body(message))
    }

    /// The same as a stream.
    pub(crate) fn chat_stream(&self, message: &str) -> Request {
        let mut body = chat_body(message);
        body["stream"] = true.into();
        self.post("/v1/chat/completions", &body)
    }

    /// A request of the key `dev`.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Request {
        self.gateway.request("POST", path).key(KEY).json(body)
    }
}

/// A gateway with the standard configuration in front of whatever is at `base_url`.
pub(crate) async fn gateway_for(base_url: &str, config: &str) -> Gateway {
    let config = format!("{}\n{config}", standard(base_url));
    Gateway::start_with(&config, ENVIRONMENT).await
}

pub(crate) fn chat_body(message: &str) -> Value {
    json!({"model": "fast", "messages": [{"role": "user", "content": message}]})
}

/// One provider, a model for each endpoint, one key.
pub(crate) fn standard(base_url: &str) -> String {
    format!(
        r#"
        [[providers]]
        name = "openai"
        kind = "openai"
        base_url = "{base_url}"
        api_key_env = "PROVIDER_KEY"

        [[models]]
        name = "fast"
        provider = "openai"
        provider_model = "gpt-4o-mini"
        capabilities = ["chat", "streaming"]
        input_price_per_1m = "0.15"
        output_price_per_1m = "0.60"

        [[models]]
        name = "embed"
        provider = "openai"
        provider_model = "text-embedding-3-small"
        capabilities = ["embeddings"]

        [[api_keys]]
        id = "dev"
        key = "{KEY}"
        "#
    )
}
