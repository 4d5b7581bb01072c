//! What is known of each provider, from the requests it was sent and from nothing else: a circuit breaker, how fast and
//! how reliably its models answer, and which of its credentials it takes.
//!
//! It outlives configurations: a reload neither heals nor forgets. What it knows is kept by a provider's name, a model's
//! name there, and a credential's variable and key. It has no clock; callers say what time it is.
//!
//! 1. [`Health::enter`] lets an attempt in, or says why not, and chooses its credential. What it gives is a [`Pass`].
//! 2. [`Pass::answering`] says that the answer has begun: that is what a probe is for, and what latency is.
//! 3. [`Pass::settle`] says how it ended. A pass that is dropped without that says nothing and gives its place back.
//!
//! Only a provider's own faults count against it ([`fault_of`]).

mod breaker;
mod changes;
mod credentials;
mod observed;
mod pass;
mod standing;
#[cfg(test)]
mod tests;
mod view;

use std::{collections::HashMap, hash::Hash, sync::Arc, time::Duration};

use parking_lot::{Mutex, RwLock};

use crate::ai::providers::Provider;
use crate::clock::millis;
use crate::config::Reliability;
use crate::error::{ErrorKind, Fault, RequestError};
use breaker::{Breaker, Phase};
use changes::Moved;
use credentials::Credentials;
use observed::Observed;

pub use changes::{HealthChange, HealthSink};
pub(in crate::ai) use credentials::{credential_missing, credential_refused, wait_secs};
pub use pass::{Pass, Settled};
pub use standing::{CredentialStanding, Standing};

/// Providers that are remembered; far more than a configuration names. Then the one asked longest ago is forgotten.
const PROVIDERS_MAX: usize = 1024;
/// Models that are remembered of one provider.
const MODELS_MAX: usize = 1024;

/// What is known of all providers.
#[derive(Debug)]
pub struct Health {
    options: RwLock<HealthOptions>,
    sink: Option<HealthSink>,
    providers: RwLock<HashMap<Arc<str>, Arc<Tracked>>>,
}

/// See `[reliability]`.
#[derive(Debug, Clone, Copy)]
pub struct HealthOptions {
    /// Consecutive failures that open the breaker; 0: it never opens.
    pub failure_threshold: u32,
    pub cooldown_ms: i64,
    /// Probes at a time.
    pub half_open_max: u32,
    /// How long a refused credential is left aside, and a limited one at the most.
    pub credential_retry_ms: i64,
}

impl From<&Reliability> for HealthOptions {
    fn from(limits: &Reliability) -> Self {
        Self {
            failure_threshold: limits.provider_circuit_breaker_failure_threshold,
            cooldown_ms: millis(limits.provider_circuit_breaker_cooldown),
            half_open_max: limits.provider_circuit_breaker_half_open_max,
            credential_retry_ms: millis(limits.provider_credential_retry),
        }
    }
}

/// What is known of one provider.
#[derive(Debug, Default)]
struct Tracked(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    breaker: Breaker,
    models: HashMap<Arc<str>, Observed>,
    credentials: Credentials,
    asked_at_unix_ms: i64,
}

impl State {
    fn moved(&self, from: Phase) -> Moved {
        Moved {
            from,
            to: self.breaker.phase(),
            consecutive_failures: self.breaker.consecutive_failures(),
        }
    }
}

impl Health {
    /// Nothing is known yet.
    pub fn new(options: impl Into<HealthOptions>) -> Self {
        Self {
            options: RwLock::new(options.into()),
            sink: None,
            providers: RwLock::default(),
        }
    }

    /// Tells `sink` of every breaker that moves, and every credential that is left aside or taken again.
    #[must_use]
    pub fn telling(self, sink: HealthSink) -> Self {
        Self {
            sink: Some(sink),
            ..self
        }
    }

    /// Goes by other options from now on; what is known of the providers stays.
    pub fn set_options(&self, options: HealthOptions) {
        *self.options.write() = options;
    }

    fn options(&self) -> HealthOptions {
        *self.options.read()
    }

    /// Lets an attempt at `provider` in and chooses the credential it presents.
    ///
    /// # Errors
    /// `provider_circuit_open`, `provider_credential_missing` or `provider_credential_refused`, with when to come back.
    pub fn enter(
        &self,
        provider: &Arc<Provider>,
        provider_model: &Arc<str>,
        now_unix_ms: i64,
    ) -> Result<Pass, RequestError> {
        let tracked = self.tracked(&provider.name, now_unix_ms);
        let mut state = tracked.0.lock();
        state.asked_at_unix_ms = now_unix_ms;
        // The credential comes first: a probe that could not be sent would hold its place for nothing.
        let credential = state.credentials.choose(provider, now_unix_ms)?;
        let before = state.breaker.phase();
        let probe = state
            .breaker
            .enter(now_unix_ms, self.options())
            .map_err(|until| circuit_open(&provider.name, until - now_unix_ms))?;
        let moved = state.moved(before);
        drop(state);
        if let Some(sink) = &self.sink
            && let Some(change) = moved.change(&provider.name)
        {
            sink.tell(change);
        }
        Ok(Pass {
            provider: Arc::clone(provider),
            provider_model: Arc::clone(provider_model),
            options: self.options(),
            sink: self.sink.clone(),
            tracked,
            credential,
            probe,
            latency: None,
            settled: false,
        })
    }

    /// Whether an attempt right now would be made with a credential that nothing stands against. After a refusal or a
    /// limit this says whether trying the same provider again can help.
    pub fn has_live_credential(&self, provider: &Provider, now_unix_ms: i64) -> bool {
        let standing = self.known(&provider.name).map_or_else(
            || Credentials::default().standing(provider, now_unix_ms),
            |tracked| tracked.0.lock().credentials.standing(provider, now_unix_ms),
        );
        standing == CredentialStanding::Live
    }

    fn known(&self, provider: &str) -> Option<Arc<Tracked>> {
        self.providers.read().get(provider).map(Arc::clone)
    }

    fn tracked(&self, provider: &Arc<str>, now_unix_ms: i64) -> Arc<Tracked> {
        if let Some(known) = self.known(provider) {
            return known;
        }
        let mut providers = self.providers.write();
        make_room(&mut providers, PROVIDERS_MAX, |tracked| {
            tracked.0.lock().asked_at_unix_ms
        });
        let tracked = providers.entry(Arc::clone(provider)).or_default();
        // Before it is asked, so that the next newcomer does not push it out at once.
        tracked.0.lock().asked_at_unix_ms = now_unix_ms;
        Arc::clone(tracked)
    }
}

/// Whose fault the failure of one attempt was.
///
/// A provider's refusal says so by its status: 408 and 5xx are its own, 401, 403 and 429 are about the gateway's
/// credential, the rest about the request. An answer that is too large or too long for the gateway's own limits is what
/// was asked for: a client that asks for much must not shut a provider out.
pub fn fault_of(error: &RequestError) -> Fault {
    match (error.kind, &error.provider) {
        (ErrorKind::ProviderResponseTooLarge | ErrorKind::StreamTimeLimit, _) => Fault::Gateway,
        (kind, None) => kind.fault(),
        (_, Some(refusal)) => match refusal.status {
            408 | 500.. => Fault::Upstream,
            401 | 403 | 429 => Fault::Credential,
            _ => Fault::Client,
        },
    }
}

/// 503 `provider_circuit_open`, for another `wait_ms`.
fn circuit_open(provider: &str, wait_ms: i64) -> RequestError {
    let wait = wait_secs(wait_ms);
    RequestError::new(
        ErrorKind::ProviderCircuitOpen,
        format!(
            "Provider `{provider}` has failed repeatedly and is left alone for another {wait} s. Try again then."
        ),
    )
    .with_retry_after(Duration::from_secs(wait))
}

/// Drops the oldest entry of a full map.
fn make_room<K: Clone + Eq + Hash, V>(
    map: &mut HashMap<K, V>,
    max: usize,
    age: impl Fn(&V) -> i64,
) {
    if map.len() < max {
        return;
    }
    let oldest = map.iter().min_by_key(|(_, value)| age(value));
    if let Some(key) = oldest.map(|(key, _)| key.clone()) {
        map.remove(&key);
    }
}
