//! The pairs whose translation is measured: what the client speaks, what the provider speaks, and the requests to both.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;

use super::{
    dialect::{Ask, Dialect},
    load::Target,
    setup::Setup,
    sides::Sides,
};

/// A client's dialect and its provider's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) client: Dialect,
    pub(super) provider: Dialect,
}

/// Where the two ends of a comparison listen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    pub(super) provider: SocketAddr,
    pub(super) gateway: SocketAddr,
}

impl Pair {
    /// What passes unchanged: the measure of the others.
    pub(super) const PASSING: Self = Self {
        client: Dialect::Chat,
        provider: Dialect::Chat,
    };

    /// Every dialect is read and written at least once, on either side where clients and providers meet in practice.
    pub(super) const TRANSLATED: [Self; 4] = [
        Self {
            client: Dialect::Chat,
            provider: Dialect::Messages,
        },
        Self {
            client: Dialect::Messages,
            provider: Dialect::Chat,
        },
        Self {
            client: Dialect::Responses,
            provider: Dialect::Chat,
        },
        Self {
            client: Dialect::Chat,
            provider: Dialect::Gemini,
        },
    ];

    /// The same dialect on both sides.
    pub(super) fn within(dialect: Dialect) -> Self {
        Self {
            client: dialect,
            provider: dialect,
        }
    }

    pub(super) fn is_translated(self) -> bool {
        self.client != self.provider
    }

    /// The same question, in the provider's dialect and in the client's.
    pub(super) fn sides(self, ask: Ask, setup: &Setup, ends: Ends) -> Sides {
        Sides {
            direct: Target {
                address: ends.provider,
                dialect: self.provider,
                requests: self.requests_to_provider(ask),
            },
            gateway: Target {
                address: ends.gateway,
                dialect: self.client,
                requests: self.requests_to_gateway(ask, setup),
            },
        }
    }

    /// One for each key, to the model that a provider of this dialect answers for.
    fn requests_to_gateway(self, ask: Ask, setup: &Setup) -> Arc<[Bytes]> {
        let model = gateway_model(self.provider);
        let keys = setup.keys().iter();
        keys.map(|key| self.client.request(model, key, ask))
            .collect()
    }

    /// One: this provider takes any key.
    fn requests_to_provider(self, ask: Ask) -> Arc<[Bytes]> {
        let model = provider_model(self.provider);
        [self.provider.request(model, "any", ask)].into()
    }
}

/// What the gateway's clients call the model behind a provider of this dialect.
pub(super) fn gateway_model(provider: Dialect) -> &'static str {
    match provider {
        Dialect::Chat => "bench-on-chat",
        Dialect::Responses => "bench-on-responses",
        Dialect::Messages => "bench-on-messages",
        Dialect::Gemini => "bench-on-gemini",
    }
}

/// What the provider calls it.
fn provider_model(provider: Dialect) -> &'static str {
    match provider {
        Dialect::Chat | Dialect::Responses => "gpt-4o-mini",
        Dialect::Messages => "claude-sonnet-4-5",
        Dialect::Gemini => "gemini-2.5-flash",
    }
}

/// The providers and models of all dialects, as the gateway's configuration has them; they all live at `address`.
pub(super) fn config(address: SocketAddr) -> String {
    let entry = |provider: Dialect| {
        let (kind, version) = match provider {
            Dialect::Chat => ("openai-compatible", "v1"),
            Dialect::Responses => ("openai", "v1"),
            Dialect::Messages => ("anthropic", "v1"),
            Dialect::Gemini => ("gemini", "v1beta"),
        };
        let (name, api) = (gateway_model(provider), provider.name());
        let provider_model = provider_model(provider);
        format!(
            r#"
[[providers]]
name = "{name}"
kind = "{kind}"
base_url = "http://{address}/{version}"
apis = ["{api}"]

[[models]]
name = "{name}"
provider = "{name}"
provider_model = "{provider_model}"
input_price_per_1m = "0.15"
output_price_per_1m = "0.60"
"#
        )
    };
    Dialect::ALL.map(entry).concat()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cli::bench::{
        dialect::CONTENT_EVENTS,
        load::{Load, Timed, run_round},
    };
    use crate::simulator::{Options, Simulator};
    use crate::tasks::Tasks;

    /// One round of `ask` in `provider`'s dialect, straight to a simulated one.
    async fn ask_directly(provider: Dialect, ask: Ask, timed: Timed) -> anyhow::Result<u64> {
        let simulator = Simulator::bind("127.0.0.1:0".parse().unwrap(), Options::default())?;
        let address = simulator.address();
        let tasks = Tasks::default();
        drop(tasks.spawn("simulator", simulator.serve(tasks.clone())));
        let pair = Pair::within(provider);
        let ends = Ends {
            provider: address,
            gateway: address,
        };
        let sides = pair.sides(ask, &Setup::new()?, ends);
        let load = Load {
            connections: 1,
            duration: Duration::from_millis(1),
            timed,
        };
        let round = run_round(&Tasks::default(), &sides.direct, load).await;
        tasks.drain().await;
        Ok(round?.answered)
    }

    #[tokio::test]
    async fn every_dialects_requests_are_answered_as_they_ask() {
        let whole_stream = Timed::WholeStream {
            content_events: CONTENT_EVENTS,
        };
        for dialect in Dialect::ALL {
            for (ask, timed) in [
                (Ask::Short, Timed::WholeAnswer),
                (Ask::Long, Timed::WholeAnswer),
                (Ask::Stream, Timed::FirstContent),
                (Ask::Stream, whole_stream),
            ] {
                let answered = ask_directly(dialect, ask, timed).await;
                assert!(answered.unwrap() > 0, "{dialect:?} {ask:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_stream_with_other_events_than_it_should_have_fails_the_round() {
        for dialect in Dialect::ALL {
            let one_more = Timed::WholeStream {
                content_events: CONTENT_EVENTS + 1,
            };
            let refused = ask_directly(dialect, Ask::Stream, one_more).await;
            let error = format!("{:#}", refused.unwrap_err());
            assert!(
                error.contains("200 content events instead of 201"),
                "{error}"
            );
        }
    }

    #[test]
    fn every_key_asks_the_gateway_for_the_providers_model() {
        let setup = Setup::new().unwrap();
        let ends = Ends {
            provider: "127.0.0.1:1".parse().unwrap(),
            gateway: "127.0.0.1:2".parse().unwrap(),
        };
        for pair in Pair::TRANSLATED {
            assert!(pair.is_translated());
            let sides = pair.sides(Ask::Short, &setup, ends);
            assert_eq!(sides.gateway.requests.len(), setup.keys().len());
            for (request, key) in sides.gateway.requests.iter().zip(setup.keys()) {
                let text = String::from_utf8_lossy(request);
                assert!(text.contains(key.as_str()));
                assert!(text.contains(gateway_model(pair.provider)), "{text}");
            }
            let direct = String::from_utf8_lossy(&sides.direct.requests[0]);
            assert!(direct.contains(provider_model(pair.provider)), "{direct}");
        }
    }
}
