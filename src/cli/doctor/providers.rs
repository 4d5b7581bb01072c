//! Whether the providers can be found, reached, and let us in.
//!
//! A running gateway is asked to ask them: it has the credentials, and the network that counts. Without one they are
//! asked from here, with what this environment holds.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use ferrogate_api::{CatalogueStatus, Page, ProviderCatalogue};
use ferrogate_tui::client::Call as AdminCall;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, Method, header};
use jiff::{Timestamp, fmt::rfc2822};

use super::{check::Check, clock};
use crate::ai::providers::{Credential, Provider};
use crate::ai::upstream::{Call, Upstream, UpstreamOptions};
use crate::cli::session::{Session, explain};
use crate::cli::units::counted;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::outbound::Dns;
use crate::tasks::Tasks;

const TIME_MAX: Duration = Duration::from_secs(10);
const NAME_TIME_MAX: Duration = Duration::from_secs(5);
const AT_ONCE: usize = 8;

/// Looks up the name of each.
pub(super) async fn names(config: &Config) -> Vec<Check> {
    let enabled = config.providers.iter().filter(|provider| provider.enabled);
    stream::iter(enabled.map(name))
        .buffered(AT_ONCE)
        .collect()
        .await
}

/// Asks each from here.
pub(super) async fn reach(config: &Config, clock: &Clock) -> Vec<Check> {
    let tasks = Tasks::default();
    let upstream = Arc::new(Upstream::new(
        Dns::new(config.reliability.dns_ttl, tasks),
        UpstreamOptions {
            connect_timeout: config.reliability.provider_connect_timeout,
            idle_connections_max: 0,
            idle_timeout: Duration::ZERO,
        },
    ));
    let enabled = config.providers.iter().filter(|provider| provider.enabled);
    let asked = enabled.map(|provider| reach_one(&upstream, provider, clock));
    let found: Vec<Vec<Check>> = stream::iter(asked).buffered(AT_ONCE).collect().await;
    found.into_iter().flatten().collect()
}

/// Has the running gateway ask all of them, those of its database too.
pub(super) fn by_gateway(session: &Session) -> Vec<Check> {
    let call = AdminCall {
        patient: true,
        ..AdminCall::new(Method::GET, "provider-models")
    };
    let answer = match session.call(call) {
        Ok(answer) => answer,
        Err(error) => {
            return vec![Check::warn(
                "providers",
                format!("the gateway could not be asked: {:#}", explain(error)),
                "give the doctor a key with admin.read, or run it as root",
            )];
        }
    };
    match serde_json::from_value::<Page<ProviderCatalogue>>(answer.json().clone()) {
        Ok(page) => page.data.iter().map(by_catalogue).collect(),
        Err(error) => vec![Check::skipped(
            "providers",
            format!("the gateway's answer cannot be read: {error}"),
        )],
    }
}

fn by_catalogue(catalogue: &ProviderCatalogue) -> Check {
    let name = format!("provider {}", catalogue.provider);
    match catalogue.status {
        CatalogueStatus::Ok => Check::ok(
            name,
            format!(
                "the gateway is let in; it offers {} models",
                catalogue.models.len()
            ),
        ),
        CatalogueStatus::Disabled => Check::skipped(name, "it is switched off"),
        CatalogueStatus::Error => Check::fail(
            name,
            format!(
                "the gateway asked for its models: {}",
                catalogue.error.as_deref().unwrap_or("it failed")
            ),
            "check its base_url, its credential and the network between",
        ),
    }
}

async fn name(provider: &config::Provider) -> Check {
    let title = format!("name of {}", provider.name);
    let host = provider.base_url.host().unwrap_or_default();
    let bare = host.trim_matches(['[', ']']).to_owned();
    let looked_up = tokio::time::timeout(NAME_TIME_MAX, tokio::net::lookup_host((bare, 0))).await;
    let remedy = "check the name in its base_url, and `resolvectl query` on this machine";
    match looked_up {
        Ok(Ok(addresses)) => match addresses.count() {
            0 => Check::fail(title, format!("{host} has no address"), remedy),
            count => Check::ok(
                title,
                format!("{host} has {}", counted(count, "address", "addresses")),
            ),
        },
        Ok(Err(error)) => Check::fail(title, format!("{host} cannot be found: {error}"), remedy),
        Err(_) => Check::fail(
            title,
            format!(
                "nobody said in {} s what {host} is",
                NAME_TIME_MAX.as_secs()
            ),
            remedy,
        ),
    }
}

async fn reach_one(
    upstream: &Arc<Upstream>,
    config: &config::Provider,
    clock: &Clock,
) -> Vec<Check> {
    let title = format!("provider {}", config.name);
    let provider = match Provider::build(config) {
        Ok(provider) => provider,
        Err(error) => return vec![Check::fail(title, error.to_string(), "correct it")],
    };
    let credentials = provider.credentials();
    let nothing_to_send = credentials.is_empty() && !config.api_keys.is_empty();
    let tried: Vec<Option<&Credential>> = if credentials.is_empty() {
        vec![None]
    } else {
        credentials.iter().map(Some).collect()
    };
    let several = tried.len() > 1;
    let mut checks = Vec::new();
    for (index, credential) in tried.into_iter().enumerate() {
        let title = if several {
            format!("{title}, credential {}", index + 1)
        } else {
            title.clone()
        };
        let asked = ask(upstream, &provider, credential);
        let heard = match tokio::time::timeout(TIME_MAX, asked).await {
            Ok(heard) => heard,
            Err(_) => Err(format!("it did not answer in {} s", TIME_MAX.as_secs())),
        };
        match heard {
            Ok(heard) => {
                let ahead = heard.date_unix_ms.map(|theirs| clock.unix_ms() - theirs);
                checks.push(judge(title, heard.status, nothing_to_send));
                // A date has whole seconds, and took its time to come here.
                if let Some(ahead) = ahead.filter(|_| index == 0) {
                    let check = clock::skew(&format!("clock of {}", config.name), ahead);
                    checks.extend((check.remedy.is_some()).then_some(check));
                }
            }
            Err(error) => {
                checks.push(Check::fail(
                    title,
                    error,
                    "check its base_url and the network between: a proxy or a firewall may be in the way",
                ));
                return checks;
            }
        }
    }
    checks
}

/// What a provider said, as far as it matters here.
struct Heard {
    status: u16,
    date_unix_ms: Option<i64>,
}

async fn ask(
    upstream: &Arc<Upstream>,
    provider: &Provider,
    credential: Option<&Credential>,
) -> Result<Heard, String> {
    let headers = provider.models_headers(credential);
    let call = Call {
        provider,
        method: Method::GET,
        path: provider.models_target(),
        headers: &headers,
        body: Bytes::new(),
    };
    let sent = upstream.send(&call, || {}).await;
    let answer = sent.map_err(|error| format!("{:#}", anyhow::Error::from(error)))?;
    let heard = Heard {
        status: answer.status(),
        date_unix_ms: answer.headers().and_then(date_unix_ms),
    };
    // Its head says all that is wanted.
    answer.cancel().await;
    Ok(heard)
}

fn date_unix_ms(headers: &HeaderMap) -> Option<i64> {
    let text = headers.get(header::DATE)?.to_str().ok()?;
    let time = rfc2822::parse(text).ok()?;
    Some(Timestamp::from(time).as_millisecond())
}

fn judge(title: String, status: u16, nothing_to_send: bool) -> Check {
    match status {
        200..300 => Check::ok(title, "it is reached, and lets us in"),
        401 | 403 if nothing_to_send => Check::warn(
            title,
            "it is reached; its key is not set here, so that it could not be tried",
            "run the doctor with the gateway's environment, or while the gateway runs",
        ),
        401 | 403 => Check::fail(
            title,
            format!("it is reached, and refuses the key ({status})"),
            "put a valid key in the place of this one",
        ),
        404 | 405 => Check::warn(
            title,
            format!(
                "it is reached, and has no list of models ({status}), so that the key could not be tried"
            ),
            "check the path of its base_url; a server without such a list is fine",
        ),
        429 => Check::warn(
            title,
            "it is reached, and has had enough requests for now (429)",
            "look at the account's limits",
        ),
        status => Check::warn(
            title,
            format!("it is reached, and answers {status}"),
            "look at the provider's own status page",
        ),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::super::check::State;
    use super::*;

    #[test]
    fn what_a_provider_answers_says_how_it_is() {
        let check = |status: u16, nothing_to_send: bool, expected: State| {
            let state = judge(String::new(), status, nothing_to_send).state;
            assert_eq!(state, expected, "{status}");
        };
        check(200, false, State::Ok);
        check(401, false, State::Fail);
        check(403, false, State::Fail);
        check(401, true, State::Warn);
        check(404, false, State::Warn);
        check(429, false, State::Warn);
        check(503, false, State::Warn);
    }

    #[test]
    fn the_date_of_an_answer_is_read() {
        let mut headers = HeaderMap::new();
        assert_eq!(date_unix_ms(&headers), None);
        let date = HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT");
        headers.insert(header::DATE, date);
        assert_eq!(date_unix_ms(&headers), Some(784_111_777_000));
    }
}
