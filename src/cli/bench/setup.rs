//! What is measured: a gateway with keys, limits, prices, metering and SQLite logging on, and the requests it gets.

use std::{fmt::Write, net::SocketAddr, path::Path, sync::Arc};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{gateway::AGGREGATES_MAX, pairs};

/// Several of each, so that no single key or model has everything to itself.
const KEYS: usize = 4;
const MODELS: usize = 4;

/// A limit that is counted on every request and never met.
const REQUESTS_PER_MINUTE: u64 = 1_000_000_000;

/// One benchmark's secrets.
#[derive(Debug)]
pub(super) struct Setup {
    keys: Vec<String>,
}

/// What to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// A short chat, answered whole.
    Chat,
    /// A stream whose events come at once: what lies before the first one is latency, not pace.
    Stream,
    /// A stream that outlasts its measurement.
    SlowStream,
}

impl Setup {
    pub(super) fn new() -> anyhow::Result<Self> {
        let keys = (0..KEYS).map(|_| random_key()).collect::<Result<_, _>>()?;
        Ok(Self { keys })
    }

    /// The secrets of the keys that the gateway knows.
    pub(super) fn keys(&self) -> &[String] {
        &self.keys
    }

    /// The gateway's configuration: [`frame`] and the keys, each with a limit.
    pub(super) fn config(&self, provider: SocketAddr, data: &Path) -> String {
        let mut config = frame(provider, data);
        for (index, key) in self.keys.iter().enumerate() {
            let hash = key_hash(key);
            let entry = format!(
                "\n[[api_keys]]\nid = \"bench-{index}\"\nkey_hash = \"{hash}\"\n\
                 request_limit_per_minute = {REQUESTS_PER_MINUTE}\n"
            );
            config.push_str(&entry);
        }
        config
    }

    /// Complete HTTP requests: each key with each model. Direct ones are the same bytes, and the provider ignores keys.
    pub(super) fn requests(&self, question: Question) -> Vec<Bytes> {
        let mut requests = Vec::with_capacity(KEYS * MODELS);
        for key in &self.keys {
            for model in 0..MODELS {
                requests.push(request(key, &body(&model_name(model), question)));
            }
        }
        requests
    }
}

/// Short chats, one for each of `keys`, with the models in turn.
pub(super) fn chats<'k>(keys: impl Iterator<Item = &'k str>) -> Arc<[Bytes]> {
    let models = (0..MODELS).map(model_name).cycle();
    keys.zip(models)
        .map(|(key, model)| request(key, &body(&model, Question::Chat)))
        .collect()
}

/// A configuration without keys: a provider with several models, and one for each dialect.
pub(super) fn frame(provider: SocketAddr, data: &Path) -> String {
    let data = toml::Value::from(data.to_string_lossy().as_ref());
    let mut config = format!(
        r#"listen = "127.0.0.1:0"

[admin]
listen = "off"

[storage]
path = {data}
admin_list_max_limit = {AGGREGATES_MAX}

[telemetry]
access_log = "off"

[limits]
connections_per_address_max = 16384

[[providers]]
name = "mock"
kind = "openai-compatible"
base_url = "http://{provider}/v1"
"#
    );
    for model in 0..MODELS {
        let entry = format!(
            r#"
[[models]]
name = "{}"
provider = "mock"
provider_model = "gpt-4o-mini"
input_price_per_1m = "0.15"
output_price_per_1m = "0.60"
"#,
            model_name(model)
        );
        config.push_str(&entry);
    }
    config.push_str(&pairs::config(provider));
    config
}

/// One of the models of [`chats`].
pub(super) fn model_name(index: usize) -> String {
    format!("bench-chat-{index}")
}

fn body(model: &str, question: Question) -> String {
    let (directive, stream) = match question {
        Question::Chat => ("", ""),
        Question::Stream => ("sim: tokens=20\\n", r#","stream":true"#),
        Question::SlowStream => ("sim: tokens=1000 delay_ms=250\\n", r#","stream":true"#),
    };
    format!(
        r#"{{"model":"{model}","messages":[{{"role":"user","content":"{directive}What does a gateway cost?"}}]{stream}}}"#
    )
}

fn request(key: &str, body: &str) -> Bytes {
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\n\
         host: bench.test\r\n\
         authorization: Bearer {key}\r\n\
         content-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into()
}

/// A secret that nobody can guess.
pub(super) fn random_key() -> anyhow::Result<String> {
    let mut random = [0; 24];
    getrandom::fill(&mut random)
        .map_err(|error| anyhow::anyhow!("the system has no randomness to give: {error}"))?;
    Ok(format!("bench-{}", hex(&random)))
}

/// What the gateway knows of a secret.
pub(super) fn key_hash(key: &str) -> String {
    format!("sha256:{}", hex(&Sha256::digest(key)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes any text");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::bench::dialect::Dialect;
    use crate::config::{self, Api};

    #[test]
    fn the_configuration_is_toml_with_everything_governed() {
        let setup = Setup::new().unwrap();
        let config = setup.config(
            "127.0.0.1:9".parse().unwrap(),
            Path::new("/data/a \"b\"/data"),
        );
        let parsed: toml::Table = config.parse().unwrap();
        assert_eq!(
            parsed["storage"]["path"].as_str(),
            Some("/data/a \"b\"/data")
        );
        let keys = parsed["api_keys"].as_array().unwrap();
        let models = parsed["models"].as_array().unwrap();
        assert_eq!(
            (keys.len(), models.len()),
            (KEYS, MODELS + Dialect::ALL.len())
        );
        assert!(
            keys.iter()
                .all(|key| key.get("request_limit_per_minute").is_some())
        );
        assert!(
            models
                .iter()
                .all(|model| model.get("input_price_per_1m").is_some())
        );
        for key in &setup.keys {
            assert!(
                !config.contains(key.as_str()),
                "only hashes are written down"
            );
        }
    }

    #[test]
    fn the_gateway_takes_the_configuration_without_a_warning() {
        let config = Setup::new()
            .unwrap()
            .config("127.0.0.1:9".parse().unwrap(), Path::new("data"));
        let loaded = config::parse(&config, "ferrogate.toml", &|_| None).unwrap();
        assert_eq!(loaded.warnings.len(), 0, "{:?}", loaded.warnings);
        let providers = loaded.config.providers.iter();
        let spoken: Vec<_> = providers
            .skip(1)
            .map(|provider| provider.apis.as_slice())
            .collect();
        let expected = [
            [Api::Chat],
            [Api::Responses],
            [Api::Messages],
            [Api::Gemini],
        ];
        assert_eq!(spoken, expected);
    }

    #[test]
    fn requests_are_complete_and_speak_for_every_key_and_model() {
        let setup = Setup::new().unwrap();
        for question in [Question::Chat, Question::Stream, Question::SlowStream] {
            let requests = setup.requests(question);
            assert_eq!(requests.len(), KEYS * MODELS);
            for request in requests {
                let text = String::from_utf8(request.to_vec()).unwrap();
                let (head, body) = text.split_once("\r\n\r\n").unwrap();
                assert!(head.contains(&format!("content-length: {}", body.len())));
                let json: serde_json::Value = serde_json::from_str(body).unwrap();
                assert_eq!(json.get("stream").is_some(), question != Question::Chat);
            }
        }
    }
}
