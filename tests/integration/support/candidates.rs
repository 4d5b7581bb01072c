//! A model that several providers may answer for. All of them are one simulator, which is told how to behave by the
//! name of the model it is asked for: `first+fault=503` fails, `first` does not.

use serde_json::Value;

use super::{Provider, Request, Rig, chat_body};

/// The standard rig with the providers `one`, `two` and `three`, and the model `routed`, whose own keys and fallbacks
/// are `model`; then `config`.
pub(crate) async fn routed(model: &str, config: &str) -> Rig {
    let provider = Provider::start().await;
    let base_url = provider.base_url();
    let providers: String = ["one", "two", "three"]
        .iter()
        .map(|name| provider_of(name, &base_url))
        .collect();
    let config = format!("{providers}\n[[models]]\nname = \"routed\"\n{model}\n{config}");
    Rig::start_with(provider, &config).await
}

/// An entry of `[[providers]]`.
pub(crate) fn provider_of(name: &str, base_url: &str) -> String {
    format!(
        r#"
        [[providers]]
        name = "{name}"
        kind = "openai-compatible"
        base_url = "{base_url}"
        api_key_env = "PROVIDER_KEY"
        "#
    )
}

/// The keys of a model that `first` at provider `one` answers for, and else `second` at provider `two`.
pub(crate) fn first_then_second(first: &str) -> String {
    format!(
        r#"
        provider = "one"
        provider_model = "{first}"
        input_price_per_1m = 1
        output_price_per_1m = 2
        [[models.fallbacks]]
        provider = "two"
        provider_model = "second"
        input_price_per_1m = 3
        output_price_per_1m = 4
        "#
    )
}

impl Rig {
    /// A chat request of `message` to the model `routed`.
    pub(crate) fn routed(&self, message: &str) -> Request {
        self.post("/v1/chat/completions", &routed_body(message))
    }

    /// The same as a stream.
    pub(crate) fn routed_stream(&self, message: &str) -> Request {
        let mut body = routed_body(message);
        body["stream"] = true.into();
        self.post("/v1/chat/completions", &body)
    }

    /// Which models the simulator was asked for, oldest first.
    pub(crate) async fn asked(&self) -> Vec<String> {
        let calls = self.provider.calls().await;
        let models = calls.iter().filter_map(|call| call["model"].as_str());
        models.map(str::to_owned).collect()
    }
}

pub(crate) fn routed_body(message: &str) -> Value {
    let mut body = chat_body(message);
    body["model"] = "routed".into();
    body
}
