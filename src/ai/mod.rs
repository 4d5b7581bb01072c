//! AI requests: the only place that combines keys, limits, models, providers and the ledger.
//!
//! [`Ai::handle`] is the story of every AI request, in order. Read it first.

pub mod admission;
mod caching;
mod capture;
pub mod catalogue;
pub mod client;
pub mod conversation;
pub mod dialects;
mod dispatch;
mod explain;
mod features;
pub mod health;
pub mod identity;
mod memory;
pub mod model_list;
pub mod models;
mod planning;
pub mod profiles;
pub mod providers;
mod references;
pub mod request;
pub mod routing;
pub mod stored_responses;
pub mod streaming;
mod turn;
pub mod upstream;

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use ferrogate_api::{Outcome, Phase};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::cache::Cache;
use crate::clock::Clock;
use crate::config::Reliability;
use crate::error::RequestError;
use crate::governance::{Accounts, AuthFailures, Key, Keys, Policies};
use crate::metering::{Recording, request_killed};
use crate::observability::Metrics;
use crate::store::Store;
use crate::tasks::Tasks;
use admission::REQUEST_ALONE;
use admission::shared::SharedAdmission;
use caching::Asking;
pub use caching::Keeping;
use client::{Client, ClientGone};
use dispatch::Reply;
use health::Health;
use identity::External;
use memory::Earlier;
use models::Catalog;
use planning::{Wish, note_refusal};
use profiles::{Profile, Profiles};
use request::{AiRequest, Asked};
use turn::{Origin, Turn};
use upstream::Upstream;

/// What AI requests share and what outlives a configuration.
#[derive(Debug)]
pub struct Ai {
    pub upstream: Arc<Upstream>,
    /// What keys and tenants have used, and what they hold.
    pub accounts: Accounts,
    /// Wrong keys, by address.
    pub auth_failures: AuthFailures,
    /// Asked besides, where nodes share their counters.
    pub shared: Option<SharedAdmission>,
    pub cache: Cache,
    /// What is known of the providers.
    pub health: Health,
    pub store: Store,
    /// Those of the configuration in force; see [`Ai::limits`].
    pub limits: ArcSwap<Reliability>,
    pub metrics: Arc<Metrics>,
    pub clock: Clock,
    pub tasks: Tasks,
    /// Cancelled when streams may go on no longer: the process is leaving.
    pub cut: CancellationToken,
}

/// What one configuration allows.
#[derive(Debug)]
pub struct Rules {
    pub keys: Keys,
    pub catalog: Arc<Catalog>,
    pub policies: Policies,
    pub profiles: Profiles,
    /// The authorization service that is asked besides.
    pub external: Option<External>,
    pub request_body_max_bytes: u64,
    /// Wrong keys from one address; 0: as many as come.
    pub auth_failures_per_minute_max: u32,
    /// How much of each body is logged for keys that say so; `None`: of nobody's.
    pub log_body_max_bytes: Option<usize>,
}

/// One request on its way through.
#[derive(Debug)]
pub struct Exchange<'e, C> {
    /// To send to the provider.
    pub traceparent: HeaderValue,
    pub client: &'e mut C,
    pub recording: &'e mut Recording,
    /// Headers that the answer carries whatever it is, errors included.
    pub answer_headers: HeaderMap,
    /// What becomes of the answer beside being sent.
    pub keeping: Keeping,
}

impl Ai {
    /// The `[reliability]` of the configuration in force.
    pub fn limits(&self) -> Arc<Reliability> {
        self.limits.load_full()
    }

    /// Goes by other limits from now on, in requests that are in flight too.
    pub fn set_limits(&self, limits: &Reliability) {
        self.limits.store(Arc::new(limits.clone()));
    }

    /// Answers one request.
    ///
    /// # Errors
    /// Whatever is to be answered instead, as long as nothing has been sent to the client.
    pub async fn handle<C: Client>(
        &self,
        rules: &Rules,
        asked: &Asked<'_>,
        exchange: &mut Exchange<'_, C>,
    ) -> Result<(), RequestError> {
        let Exchange {
            client, recording, ..
        } = exchange;
        let asks = (client.headers(), client.query());
        let key = self.authenticate(rules, asks, recording).await?;
        let scope = asked.endpoint.scope();
        key.require(scope)?;
        let profile = rules.profiles.chosen(client.headers(), &key)?;
        if let Some(profile) = &profile {
            profile.note(&mut recording.log);
        }
        let asker = (&*key, profile.as_deref());
        let request = self.read(rules, asked, asker, exchange).await?;
        let earlier = self.earlier(&key, &request).await?;
        let wish = Wish {
            pinned_provider: earlier.provider.as_deref(),
            profile: profile.as_deref(),
            explain: false,
        };
        let mut plan = self
            .plan(rules, &key, &request, wish)
            .map_err(|refused| note_refusal(refused, &request, exchange.recording))?;
        let recording = &mut *exchange.recording;
        recording.set_routing(plan.trace.take());
        recording.set_target(&plan.model.name, &plan.model.primary().provider.name);
        self.authorize(rules, (&key, scope), &plan.model.name)
            .await?;
        let asking = Asking {
            key: &key,
            request: &request,
            plan: &plan,
            profile: profile.as_deref(),
        };
        if let Some(answer) = self.look_up(asking, exchange).await? {
            self.admit(&key, REQUEST_ALONE, exchange).await?;
            exchange.recording.reserve().await?;
            return self.answer_cached(&answer, exchange).await;
        }
        let ask = admission::estimate(&key, &request, &plan);
        let admitted = self.admit(&key, ask, exchange).await?;
        exchange.recording.reserve().await?;
        let origin = Origin {
            owner: Arc::clone(key.id()),
            request_id: exchange.recording.request_id(),
            model: Arc::clone(&plan.model.name),
            profile,
        };
        let mut turn = Turn::new(&request, origin, earlier, &self.store);
        // Boxed, so that a stream that runs for an hour does not carry the room that finding its provider took.
        let dispatched = Box::pin(self.dispatch(&admitted, &plan, &mut turn, exchange)).await;
        self.answer(dispatched, exchange).await
    }

    /// Reads what `key` asks, as its profile and what is kept for it make it.
    async fn read<C: Client>(
        &self,
        rules: &Rules,
        asked: &Asked<'_>,
        (key, profile): (&Key, Option<&Profile>),
        exchange: &mut Exchange<'_, C>,
    ) -> Result<AiRequest, RequestError> {
        let request = read_request(rules, asked, exchange).await?;
        if let Some(max) = rules.log_body_max_bytes.filter(|_| key.log_bodies()) {
            exchange.keeping.for_log(request.body(), max);
        }
        let mut request = match references::resolve(&self.store, key.id(), &request).await? {
            Some(body) => AiRequest::parse(asked, body)?.translated(),
            None => request,
        };
        if let Some(model) = profile.and_then(|profile| profile.model.as_ref()) {
            request.model = model.to_string();
        }
        Ok(request)
    }

    /// Gives the client what came of it.
    async fn answer<C: Client>(
        &self,
        dispatched: Result<Reply, RequestError>,
        exchange: &mut Exchange<'_, C>,
    ) -> Result<(), RequestError> {
        let dispatched = match dispatched {
            Ok(Reply::Whole { .. }) if !exchange.recording.decide() => {
                exchange.recording.settle(Outcome::Killed);
                Err(request_killed())
            }
            decided => decided,
        };
        match dispatched {
            Ok(Reply::Whole {
                status,
                headers,
                body,
            }) => answer_whole(status, headers, body, exchange).await,
            Ok(Reply::Stream(opened)) => {
                self.relay(opened, exchange).await;
                Ok(())
            }
            Err(error) => {
                exchange.keeping.give_up();
                // An error is an answer too: what it cost is on record before the client reads it.
                exchange.recording.commit().await?;
                Err(error)
            }
        }
    }

    /// What the request goes on from, where it names a response that is kept.
    async fn earlier(&self, key: &Key, request: &AiRequest) -> Result<Earlier, RequestError> {
        match request.previous_response_id()? {
            Some(id) => Earlier::find(&self.store, key.id(), &id).await,
            None => Ok(Earlier::default()),
        }
    }
}

async fn read_request<C: Client>(
    rules: &Rules,
    asked: &Asked<'_>,
    exchange: &mut Exchange<'_, C>,
) -> Result<AiRequest, RequestError> {
    let reading = Instant::now();
    let body = exchange
        .client
        .read_body(rules.request_body_max_bytes)
        .await;
    exchange.recording.waited(reading.elapsed());
    let body = body?;
    exchange.recording.log.request_bytes = u64::try_from(body.len()).unwrap_or_default();
    let request = AiRequest::parse(asked, body)?;
    exchange.recording.log.stream = request.stream;
    Ok(request)
}

async fn answer_whole<C: Client>(
    status: u16,
    headers: HeaderMap,
    body: Bytes,
    exchange: &mut Exchange<'_, C>,
) -> Result<(), RequestError> {
    let recording = &mut *exchange.recording;
    recording.phase(Phase::Answering);
    recording.settle(Outcome::Complete);
    recording.commit().await?;
    recording.first_content();
    exchange.keeping.take_head(status, &headers);
    exchange.keeping.take(&body);
    exchange.keep_answer(false);
    let headers = exchange.head_of(headers);
    let sent = exchange
        .client
        .send_head(status, headers, Some(body.len()))
        .await;
    let sent = match sent {
        Ok(()) => exchange.client.send(body, true).await,
        gone => gone,
    };
    if sent == Err(ClientGone) {
        exchange.recording.log.outcome = Outcome::ClientGone;
    }
    Ok(())
}

const PROVIDER: HeaderName = HeaderName::from_static("x-ferrogate-provider");
const MODEL: HeaderName = HeaderName::from_static("x-ferrogate-model");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-ferrogate-attempts");
const OVERHEAD: HeaderName = HeaderName::from_static("x-ferrogate-overhead-us");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

impl<C> Exchange<'_, C> {
    /// The head of an answer: what the provider said, what every answer carries, and how it came about.
    fn head_of(&self, mut headers: HeaderMap) -> HeaderMap {
        let log = &self.recording.log;
        let mut text = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        if let Some(provider) = &log.provider {
            text(PROVIDER, provider);
        }
        if let Some(model) = &log.provider_model {
            text(MODEL, model);
        }
        let overhead_us = self.recording.overhead_us();
        let provider_us = self.recording.elapsed_us().saturating_sub(overhead_us);
        // Milliseconds, as Server Timing asks for; by hand, since printing a float costs more than all the rest here.
        text(
            SERVER_TIMING,
            &format!(
                "gateway;dur={}.{:03}, provider;dur={}.{:03}",
                overhead_us / 1000,
                overhead_us % 1000,
                provider_us / 1000,
                provider_us % 1000
            ),
        );
        headers.insert(ATTEMPTS, HeaderValue::from(log.attempts));
        headers.insert(OVERHEAD, HeaderValue::from(overhead_us));
        headers.extend(self.answer_headers.clone());
        headers
    }
}
