//! One record for every request, however it ends.
//!
//! A [`Recording`] is opened when a request's headers have been read and closes when it is dropped: then its row goes
//! to the request log, its usage to the ledger, its numbers to metrics, access log and live feed, each exactly once.
//! It holds no opinion on whether a request may run; that is `governance`.

mod decisions;
mod ending;
mod estimate;
mod payer;
pub mod pricing;
pub mod watch;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use ferrogate_api::{
    CacheStatus, MeteringEvent, Outcome, Phase, RequestLog, RoutingTrace, TenantContext, Tokens,
    UsageSource,
};

use crate::clock::Clock;
use crate::config::{Price, Settle};
use crate::error::{ErrorKind, RequestError};
use crate::ids::RequestId;
use crate::live::{Entry, KillSwitch, Live, Started};
use crate::observability::{AccessLogger, Metrics};
use crate::store::{Bodies, Commit, Hold, Metered, Record, Slot, Store};
use ending::{ledger_error, outcome_of};

pub use decisions::AttemptNote;
pub use ending::request_killed;
pub use estimate::of_request as estimated_input_tokens;
pub use payer::{Payer, Used};
use watch::Watch;

/// Where finished requests are reported to.
#[derive(Debug)]
pub struct Meter {
    pub store: Store,
    pub live: Live,
    pub metrics: Arc<Metrics>,
    pub access_log: AccessLogger,
    pub clock: Clock,
    pub settle: Settle,
    /// For alert rules.
    pub watch: Watch,
}

/// What is known of a request when its headers have been read.
#[derive(Debug)]
pub struct Start {
    pub request_id: RequestId,
    pub client_request_id: Option<String>,
    pub trace_id: String,
    pub method: Arc<str>,
    pub path: String,
    pub endpoint: Arc<str>,
    pub client_address: Option<String>,
}

/// One try at getting an answer from a provider, from the moment it is sent until it is settled.
#[derive(Debug)]
pub struct Attempt {
    /// The request body, for an estimate of its tokens should the provider report none.
    pub body: Bytes,
    pub price: Option<Price>,
    /// The provider may have seen it: from here on there is something to pay for.
    pub sent: bool,
    /// The status the provider answered with; 0 before it has.
    pub status: u16,
    /// What the provider reported so far.
    pub reported: Option<Tokens>,
    /// Bytes of content that passed so far.
    pub content_bytes: u64,
}

impl Attempt {
    pub fn new(body: Bytes, price: Option<Price>) -> Self {
        Self {
            body,
            price,
            sent: false,
            status: 0,
            reported: None,
            content_bytes: 0,
        }
    }

    /// Token counts and where they come from, for an attempt that ends with `outcome`.
    fn usage(&self, outcome: Outcome) -> (Tokens, UsageSource) {
        if let Some(tokens) = self.reported {
            // What a stream that broke had reported by then leaves out what it said since.
            let said = estimate::of_bytes(self.content_bytes);
            if outcome != Outcome::Complete && said > tokens.output {
                return (
                    Tokens {
                        output: said,
                        ..tokens
                    },
                    UsageSource::Partial,
                );
            }
            return (tokens, UsageSource::Provider);
        }
        if outcome == Outcome::UpstreamError && self.status >= 400 {
            return (Tokens::default(), UsageSource::None);
        }
        let tokens = Tokens {
            input: estimate::of_request(&self.body),
            output: estimate::of_bytes(self.content_bytes),
            ..Tokens::default()
        };
        let cut_short = outcome != Outcome::Complete && self.content_bytes > 0;
        let source = if cut_short {
            UsageSource::Partial
        } else {
            UsageSource::Estimated
        };
        (tokens, source)
    }
}

impl Meter {
    /// Opens the record of a request. `started` is when its first byte was read.
    pub fn open(self: &Arc<Self>, start: Start, started: Instant) -> Recording {
        // The time in its id, by which it is filed and found: a millisecond may have passed since.
        let started_at_unix_ms = start.request_id.unix_ms();
        let entry = self.live.begin(Started {
            id: start.request_id,
            method: Arc::clone(&start.method),
            path: start.path.clone(),
            endpoint: Arc::clone(&start.endpoint),
        });
        Recording {
            meter: Arc::clone(self),
            kill_switch: entry.kill_switch(),
            entry: Some(entry),
            slot: None,
            payer: None,
            attempt: None,
            settled: false,
            last_settled: (Tokens::default(), None),
            commit: None,
            routing: None,
            bodies: None,
            request_id: start.request_id,
            started,
            waited: Duration::ZERO,
            log: Box::new(RequestLog {
                request_id: start.request_id.to_string(),
                client_request_id: start.client_request_id,
                trace_id: start.trace_id,
                started_at_unix_ms,
                method: start.method,
                path: start.path,
                endpoint: start.endpoint,
                client_address: start.client_address,
                ..RequestLog::default()
            }),
        }
    }
}

/// The record of one request. Dropping it writes it.
#[derive(Debug)]
pub struct Recording {
    meter: Arc<Meter>,
    entry: Option<Entry>,
    kill_switch: KillSwitch,
    slot: Option<Slot>,
    /// Whose limits and budgets the request counts against, once it was admitted.
    payer: Option<Box<dyn Payer>>,
    /// The attempt that is under way.
    attempt: Option<Attempt>,
    /// An attempt has been settled, and with it how the request ends unless there is another.
    settled: bool,
    /// What the attempt that was settled last used, and what it cost.
    last_settled: (Tokens, Option<i64>),
    /// Ledger rows on their way to the disk that the client's last byte has to wait for.
    commit: Option<Commit>,
    /// Why the request went where it went, where there was something to decide.
    routing: Option<Box<RoutingTrace>>,
    /// What the client sent and was sent, where it is to be kept.
    bodies: Option<Box<Bodies>>,
    request_id: RequestId,
    started: Instant,
    /// Time spent waiting for client and upstream, which is not the gateway's own.
    waited: Duration,
    /// The row as it stands; callers fill in what they learn.
    pub log: Box<RequestLog>,
}

impl Recording {
    pub fn request_id(&self) -> RequestId {
        self.request_id
    }

    /// Since the request's first byte, in microseconds.
    pub fn elapsed_us(&self) -> u64 {
        micros(self.started.elapsed())
    }

    /// What the gateway itself has added so far, in microseconds.
    pub fn overhead_us(&self) -> u64 {
        micros(self.started.elapsed().saturating_sub(self.waited))
    }

    /// Where the request hears that an operator ends it.
    pub fn kill_switch(&self) -> &KillSwitch {
        &self.kill_switch
    }

    /// What the client is told last is decided: from here on it cannot be killed. False when it has been.
    pub fn decide(&self) -> bool {
        self.entry.as_ref().is_none_or(Entry::decide)
    }

    /// Notes that the client is being sent the first content. Only the first call counts.
    pub fn first_content(&mut self) {
        if self.log.ttft_us.is_none() {
            self.log.ttft_us = Some(self.elapsed_us());
        }
    }

    /// Takes `time` out of the gateway's own share: it was spent waiting for client or upstream.
    pub fn waited(&mut self, time: Duration) {
        self.waited += time;
    }

    pub fn phase(&self, phase: Phase) {
        if let Some(entry) = &self.entry {
            entry.set_phase(phase);
        }
    }

    pub fn set_key(&mut self, id: &Arc<str>, tenant: Option<&Arc<TenantContext>>) {
        self.log.api_key_id = Some(Arc::clone(id));
        self.log.tenant = tenant.cloned();
        if let Some(entry) = &self.entry {
            entry.set_key(Arc::clone(id), tenant.cloned());
        }
    }

    /// Notes which model is asked, before it is known who answers for it.
    pub fn set_model(&mut self, model: &Arc<str>) {
        self.log.model = Some(Arc::clone(model));
    }

    pub fn set_target(&mut self, model: &Arc<str>, provider: &Arc<str>) {
        self.log.model = Some(Arc::clone(model));
        self.log.provider = Some(Arc::clone(provider));
        if let Some(entry) = &self.entry {
            entry.set_target(Arc::clone(model), Arc::clone(provider));
        }
    }

    /// Notes that the request was answered with `error`.
    pub fn failed(&mut self, error: &RequestError) {
        self.log.error_code = Some(Arc::from(error.code()));
        // What the ledger says of the last attempt, the log says too.
        if !self.settled || error.kind == ErrorKind::RequestKilled {
            self.log.outcome = outcome_of(error.kind, self.log.attempts > 0);
        }
    }

    /// From here on what the request uses is charged to `payer`, who lets go of it when the record closes.
    pub fn admitted(&mut self, payer: Box<dyn Payer>) {
        self.payer = Some(payer);
    }

    /// Keeps what the client sent and was sent beside the log.
    pub fn keep_bodies(&mut self, bodies: Bodies) {
        self.bodies = Some(Box::new(bodies));
    }

    /// Takes a place in the writer's queue, waiting for one while the writer is behind.
    ///
    /// # Errors
    /// `ledger_unavailable` when the store is closed.
    pub async fn reserve(&mut self) -> Result<(), RequestError> {
        self.slot = Some(self.meter.store.reserve().await.map_err(ledger_error)?);
        Ok(())
    }

    /// Opens an attempt at a provider. With `settle = "before-last-byte"` its estimate is committed first.
    ///
    /// # Errors
    /// A budget's refusal when what an earlier attempt used has left too little for this one. `ledger_unavailable` when
    /// the hold could not be committed. Either way no provider may be asked.
    pub async fn begin_attempt(
        &mut self,
        attempt: Attempt,
        output_tokens_max: u64,
    ) -> Result<(), RequestError> {
        // The rows of the attempts before, and with them their hold, make way for the next.
        self.commit().await?;
        if self.settled
            && let Some(payer) = &mut self.payer
        {
            payer.renew(self.meter.clock.unix_ms()).await?;
        }
        self.log.attempts += 1;
        if self.meter.settle == Settle::BeforeLastByte {
            let tokens = Tokens {
                input: estimate::of_request(&attempt.body),
                output: output_tokens_max,
                ..Tokens::default()
            };
            self.hold(tokens, attempt.price).await?;
        }
        self.attempt = Some(attempt);
        Ok(())
    }

    async fn hold(&mut self, tokens: Tokens, price: Option<Price>) -> Result<(), RequestError> {
        let hold = Hold {
            request_id: self.request_id,
            attempt: self.log.attempts,
            created_at_unix_ms: self.meter.clock.unix_ms(),
            api_key_id: named(&self.log.api_key_id),
            tenant: self.log.tenant.clone(),
            endpoint: Arc::clone(&self.log.endpoint),
            model: named(&self.log.model),
            provider: named(&self.log.provider),
            provider_model: named(&self.log.provider_model),
            stream: self.log.stream,
            tokens,
            price,
            cost_nanos: price.and_then(|price| pricing::cost_nanos(tokens, price)),
        };
        if let Some(slot) = &mut self.slot {
            slot.hold(hold).await.map_err(ledger_error)?;
        }
        Ok(())
    }

    /// The attempt under way, to note what it has told so far.
    pub fn attempt(&mut self) -> Option<&mut Attempt> {
        self.attempt.as_mut()
    }

    /// Ends the attempt under way: what it used becomes a row of the ledger and is charged. One that was never sent
    /// leaves no row and costs nothing.
    pub fn settle(&mut self, outcome: Outcome) {
        let Some(attempt) = self.attempt.take().filter(|attempt| attempt.sent) else {
            return;
        };
        let (tokens, source) = attempt.usage(outcome);
        let cost = attempt
            .price
            .and_then(|price| pricing::cost_nanos(tokens, price));
        self.settled = true;
        self.last_settled = (tokens, cost);
        self.log.outcome = outcome;
        self.log.tokens += tokens;
        self.log.usage_source = source;
        if let Some(cost) = cost {
            let sum = self.log.cost_nanos.unwrap_or_default();
            self.log.cost_nanos = Some(sum.saturating_add(cost));
        }
        let event = MeteringEvent {
            status: attempt.status,
            outcome,
            tokens,
            usage_source: source,
            cost_nanos: cost,
            ..self.event(self.log.attempts)
        };
        self.charge(Metered {
            event,
            price: attempt.price,
        });
    }

    /// What the attempt that was settled last used, and what it cost.
    pub fn last_settled(&self) -> (Tokens, Option<i64>) {
        self.last_settled
    }

    /// Notes that the answer came from the cache: a row of the ledger that uses nothing and says what was saved.
    pub fn settle_hit(&mut self, status: u16, saved_nanos: Option<i64>) {
        self.settled = true;
        self.log.outcome = Outcome::Complete;
        self.log.cache = Some(CacheStatus::Hit);
        self.log.saved_nanos = saved_nanos;
        let event = MeteringEvent {
            status,
            cache_hit: true,
            saved_nanos,
            ..self.event(0)
        };
        self.charge(Metered { event, price: None });
    }

    /// A row of the ledger about this request, before anything is known of what was used.
    fn event(&self, attempt: u32) -> MeteringEvent {
        MeteringEvent {
            request_id: self.log.request_id.clone(),
            attempt,
            occurred_at_unix_ms: self.meter.clock.unix_ms(),
            api_key_id: named(&self.log.api_key_id),
            tenant: self.log.tenant.clone(),
            endpoint: Arc::clone(&self.log.endpoint),
            model: named(&self.log.model),
            provider: named(&self.log.provider),
            provider_model: named(&self.log.provider_model),
            status: 0,
            outcome: Outcome::Complete,
            stream: self.log.stream,
            tokens: Tokens::default(),
            usage_source: UsageSource::None,
            cost_nanos: None,
            price_version: None,
            cache_hit: false,
            saved_nanos: None,
        }
    }

    /// Hands a row to the writer at the moment at which it is charged, so that the ledger and the budgets in memory
    /// see the same rows in the same order.
    fn charge(&mut self, row: Metered) {
        let used = Used {
            tokens: row.event.tokens.total(),
            cost_nanos: row.event.cost_nanos,
        };
        let at_unix_ms = row.event.occurred_at_unix_ms;
        let wait = self.meter.settle == Settle::BeforeLastByte;
        let (slot, commit) = (&mut self.slot, &mut self.commit);
        let mut row = Some(row);
        let mut hand_over = || {
            if let (Some(slot), Some(row)) = (slot.as_mut(), row.take()) {
                *commit = slot.settle(vec![row], wait);
            }
        };
        match &mut self.payer {
            Some(payer) => payer.charge(used, at_unix_ms, &mut hand_over),
            None => hand_over(),
        }
    }

    /// With `settle = "before-last-byte"`, waits until the ledger rows are committed; call it before the client's last
    /// byte.
    ///
    /// # Errors
    /// `ledger_unavailable` when the commit failed; then the client must not see a complete answer. The writer has the
    /// rows and tries again.
    pub async fn commit(&mut self) -> Result<(), RequestError> {
        match self.commit.take() {
            Some(commit) => commit.await.map_err(ledger_error),
            None => Ok(()),
        }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        // Still open: whoever worked on the request was dropped with it, because the client is gone, or it was killed.
        self.settle(match self.kill_switch.is_killed() {
            true => Outcome::Killed,
            false => Outcome::ClientGone,
        });
        self.log.duration_us = self.elapsed_us();
        self.log.overhead_us = Some(self.overhead_us());
        self.meter.metrics.record(&self.log);
        self.meter.access_log.log(&self.log);
        self.meter.watch.record(&self.log);
        if let Some(entry) = self.entry.take() {
            entry.finish(|| Arc::new((*self.log).clone()));
        }
        // Metered requests reserved a place; the others take one if there is one, and are counted if not.
        let slot = self.slot.take().or_else(|| self.meter.store.try_reserve());
        if let Some(slot) = slot {
            slot.finish(Record {
                log: Some(std::mem::take(&mut self.log)),
                routing: self.routing.take(),
                bodies: self.bodies.take(),
            });
        }
    }
}

fn named(name: &Option<Arc<str>>) -> Arc<str> {
    name.clone().unwrap_or_default()
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
