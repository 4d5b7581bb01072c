//! Plans over catalogs as the file describes them.

use std::time::Duration;

mod models;
mod passing_over;
mod strategies;

use super::*;
use crate::ai::health::{HealthOptions, Settled};
use crate::config;
use crate::error::ErrorKind;
use crate::governance::{KeySpec, Keys};

const NOW: i64 = 1_767_225_600_000;

const CHAT: Ask<'static> = Ask {
    model: "m",
    strategy: None,
    dialect: Dialect::Chat,
    stream: true,
    features: Features {
        tools: false,
        vision: false,
        json: false,
        reasoning: false,
    },
    input_tokens: 1000,
    output_tokens_max: Some(1000),
    pinned_provider: None,
    explain: false,
};

/// Four compatible providers a, b, c, d and a gemini and an anthropic one, a key for each purpose, and the models of
/// the test.
const COMMON: &str = r#"
[[providers]]
name = "a"
kind = "openai-compatible"
base_url = "http://127.0.0.1:1"
[[providers]]
name = "b"
kind = "openai-compatible"
base_url = "http://127.0.0.1:2"
[[providers]]
name = "c"
kind = "openai-compatible"
base_url = "http://127.0.0.1:3"
api_key_env = "SET"
[[providers]]
name = "unset"
kind = "openai-compatible"
base_url = "http://127.0.0.1:4"
api_key_env = "NOT_SET"
[[providers]]
name = "off"
kind = "openai-compatible"
base_url = "http://127.0.0.1:5"
enabled = false
[[providers]]
name = "anthropic"
kind = "anthropic"
[[providers]]
name = "gemini"
kind = "gemini"

[[api_keys]]
id = "any"
key = "k-any"
[[api_keys]]
id = "only-b"
key = "k-only-b"
allowed_providers = ["b"]
[[api_keys]]
id = "not-a"
key = "k-not-a"
denied_providers = ["a"]
[[api_keys]]
id = "acme"
key = "k-acme"
organization_id = "acme"
project_id = "web"
[[api_keys]]
id = "acme-other"
key = "k-acme-other"
organization_id = "acme"
project_id = "other"
"#;

/// A catalog, keys to ask with, and what is known of the providers.
struct Bench {
    catalog: Catalog,
    keys: Keys,
    policies: Policies,
    health: Health,
}

impl Bench {
    /// `models` as the file has them.
    fn new(models: &str) -> Self {
        let env = |name: &str| (name == "SET").then(|| "sk-set".to_owned());
        // `[pricing]` and the like may stand before the lists.
        let text = format!("{models}\n{COMMON}");
        let loaded =
            config::parse(&text, "test.toml", &env).unwrap_or_else(|error| panic!("{error}"));
        Self {
            catalog: Catalog::build(&loaded.config).unwrap(),
            keys: Keys::build(loaded.config.api_keys.iter().map(KeySpec::of)).unwrap(),
            policies: Policies::build(&loaded.config.policies),
            health: Health::new(HealthOptions {
                failure_threshold: 5,
                cooldown_ms: 30_000,
                half_open_max: 1,
                credential_retry_ms: 300_000,
            }),
        }
    }

    /// The model `m` of `a`, with fallbacks to the others, each `provider; key = value; …`.
    fn model(first: &str, fallbacks: &[&str]) -> Self {
        let mut text = format!(
            "[[models]]\nname = \"m\"\nprovider = \"a\"\nprovider_model = \"a-1\"\n{first}\n"
        );
        for fallback in fallbacks {
            let (provider, rest) = fallback.split_once(';').unwrap_or((fallback, ""));
            let rest = rest.replace(';', "\n");
            text.push_str(&format!(
                "[[models.fallbacks]]\nprovider = \"{provider}\"\nprovider_model = \"{provider}-1\"\n{rest}\n"
            ));
        }
        Self::new(&text)
    }

    fn deciding(&self) -> Deciding<'_, '_> {
        Deciding {
            catalog: &self.catalog,
            policies: &self.policies,
            health: &self.health,
        }
    }

    fn plan(&self, key: &str, ask: &Ask<'_>) -> Result<Plan<'_>, Refused> {
        let key = self.keys.get(key).unwrap();
        plan(self.deciding(), key, ask, NOW)
    }

    /// The providers in the order of the plan, as `a b c`.
    fn order(&self, ask: &Ask<'_>) -> String {
        names(&self.plan("any", ask).unwrap())
    }

    /// How often each provider comes first in `count` plans.
    fn shares(&self, count: u32) -> std::collections::BTreeMap<String, u32> {
        let mut shares = std::collections::BTreeMap::new();
        for _ in 0..count {
            let first = self.order(&CHAT).split(' ').next().unwrap().to_owned();
            *shares.entry(first).or_default() += 1;
        }
        shares
    }

    fn refusal(&self, ask: &Ask<'_>) -> Refused {
        self.plan("any", ask).unwrap_err()
    }

    /// `count` attempts at `provider` that ended with `status` (200: answered) after `ms`.
    fn attempts(&self, provider: &str, count: u32, status: u16, ms: u64) {
        let mut providers = self.catalog.providers().iter();
        let provider = providers.find(|known| &*known.name == provider).unwrap();
        let model = format!("{}-1", provider.name).into();
        for _ in 0..count {
            let mut pass = self.health.enter(provider, &model, NOW).unwrap();
            let error = match status {
                200 => None,
                401 => Some(ErrorKind::ProviderCredentialRefused),
                429 => Some(ErrorKind::RateLimitExceeded),
                _ => Some(ErrorKind::ProviderTimeout),
            };
            if error.is_none() {
                pass.answering(Duration::from_millis(ms), true);
            }
            let error = error.map(|kind| RequestError::new(kind, "no"));
            pass.settle(Settled {
                error: error.as_ref(),
                status,
                at_unix_ms: NOW,
            });
        }
    }
}

fn names(plan: &Plan<'_>) -> String {
    let names: Vec<&str> = plan
        .candidates
        .iter()
        .map(|planned| &*planned.candidate.provider.name)
        .collect();
    names.join(" ")
}

/// `rank provider: reason` of each candidate.
fn reasons(trace: &RoutingTrace) -> Vec<String> {
    trace
        .candidates
        .iter()
        .map(|candidate| {
            let rank = candidate
                .rank
                .map_or_else(|| "-".to_owned(), |rank| rank.to_string());
            format!("{rank} {}: {}", candidate.provider, candidate.reason)
        })
        .collect()
}

fn embeddings() -> Ask<'static> {
    Ask {
        dialect: Dialect::Embeddings,
        output_tokens_max: Some(0),
        ..CHAT
    }
}
