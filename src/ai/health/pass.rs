//! One attempt's leave to ask a provider, and what it reports.

use std::{sync::Arc, time::Duration};

use super::{
    HealthChange, HealthOptions, HealthSink, MODELS_MAX, State, Tracked, breaker::Probe,
    credentials::Verdict, fault_of, make_room, observed::Took,
};
use crate::ai::providers::{Credential, Provider};
use crate::error::{Fault, RequestError};

/// One attempt's leave to ask a provider. Settle it; dropped without that (the client left, the gateway stopped) it says
/// nothing about the provider and frees its place among the probes.
#[derive(Debug)]
#[must_use = "an attempt that is not settled teaches nothing"]
pub struct Pass {
    pub(super) provider: Arc<Provider>,
    pub(super) provider_model: Arc<str>,
    pub(super) options: HealthOptions,
    pub(super) sink: Option<HealthSink>,
    pub(super) tracked: Arc<Tracked>,
    /// An index into the provider's credentials.
    pub(super) credential: Option<usize>,
    pub(super) probe: Option<Probe>,
    pub(super) latency: Option<Took>,
    pub(super) settled: bool,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy)]
pub struct Settled<'e> {
    /// What it failed with; `None` when it was answered whole.
    pub error: Option<&'e RequestError>,
    /// What the provider answered with; 0 when it did not.
    pub status: u16,
    pub at_unix_ms: i64,
}

impl Pass {
    /// The name of the provider that is asked.
    pub fn provider(&self) -> &str {
        &self.provider.name
    }

    /// The credential to present; `None` where the provider takes none.
    pub fn credential(&self) -> Option<&Credential> {
        self.provider.credentials().get(self.credential?)
    }

    /// The answer has begun after `time`: with the first content of a stream, else with all of it. A probe has found
    /// out what it was sent for.
    pub fn answering(&mut self, time: Duration, stream: bool) {
        self.latency = Some(Took { time, stream });
        if let Some(probe) = self.probe.take() {
            let mut state = self.tracked.0.lock();
            let before = state.breaker.phase();
            state.breaker.answering(probe);
            let moved = state.moved(before);
            drop(state);
            self.tell(moved.change(&self.provider.name));
        }
    }

    /// The attempt is over. Only a provider's own fault counts against it, and only an answer counts for it.
    pub fn settle(mut self, end: Settled<'_>) {
        self.settled = true;
        let mut state = self.tracked.0.lock();
        let before = state.breaker.phase();
        let credential = self.note_credential(&mut state, end);
        self.note_end(&mut state, end);
        let moved = state.moved(before);
        drop(state);
        self.tell(credential);
        self.tell(moved.change(&self.provider.name));
    }

    fn note_credential(&self, state: &mut State, end: Settled<'_>) -> Option<HealthChange> {
        let (index, credential) = (self.credential?, self.credential()?);
        let verdict = Verdict::of(end.error, end.status)?;
        let noted =
            state
                .credentials
                .note(&credential.id, verdict, end.at_unix_ms, self.options)?;
        Some(HealthChange::Credential {
            provider: Arc::clone(&self.provider.name),
            index: u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1),
            state: noted.state,
            until_unix_ms: noted.until_unix_ms,
        })
    }

    fn note_end(&self, state: &mut State, end: Settled<'_>) {
        let now = end.at_unix_ms;
        let fault = end.error.map(fault_of);
        match fault {
            None => state.breaker.succeeded(self.probe),
            Some(Fault::Upstream) => state.breaker.failed(self.probe, now, self.options),
            Some(Fault::Client | Fault::Credential | Fault::Gateway) => {
                if let Some(probe) = self.probe {
                    state.breaker.give_back(probe);
                }
                return;
            }
        }
        if !state.models.contains_key(&self.provider_model) {
            make_room(&mut state.models, MODELS_MAX, |model| model.last_at_unix_ms);
        }
        let model = state
            .models
            .entry(Arc::clone(&self.provider_model))
            .or_default();
        match end.error {
            None => model.succeeded(self.latency, now),
            Some(error) => model.failed(error.kind.code(), self.latency, now),
        }
    }
}

impl Pass {
    fn tell(&self, change: Option<HealthChange>) {
        if let (Some(sink), Some(change)) = (&self.sink, change) {
            sink.tell(change);
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let (false, Some(probe)) = (self.settled, self.probe) {
            self.tracked.0.lock().breaker.give_back(probe);
        }
    }
}
