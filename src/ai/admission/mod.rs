//! Admission: a request is counted against the limits and budgets of its key and tenants, or refused and counted
//! nowhere.
//!
//! First this node's own accounts are asked, then, where nodes share their counters, those of all nodes together
//! ([`shared`]). What is held is the estimate: the prompt, and the most that may be answered, at the price of the
//! dearest candidate.

pub mod shared;

use async_trait::async_trait;
use ferrogate_api::Tokens;

use self::shared::SharedAccount;
use super::request::{AiRequest, Operation};
use super::routing::Plan;
use super::{Ai, Exchange};
use crate::error::RequestError;
use crate::governance::{self, Ask, Key, Permit, Refusal, Standing};
use crate::metering::pricing::cost_nanos;
use crate::metering::{Payer, Used};
use crate::store::Store;

/// What counts as a request and uses nothing.
pub(super) const REQUEST_ALONE: Ask = Ask {
    tokens: 0,
    cost_nanos: Some(0),
    charges: false,
};

/// The proof that a request was admitted. Without one nothing goes to a provider.
#[derive(Debug)]
pub(super) struct Admitted(());

/// What an admitted request's attempts are charged to.
#[derive(Debug)]
struct Account {
    permit: Permit,
    /// Its place in the counters that nodes share. Dropped after the permit: what it writes is read from there.
    shared: Option<SharedAccount>,
    store: Store,
}

#[async_trait]
impl Payer for Account {
    fn charge(&mut self, used: Used, at_unix_ms: i64, hand_over: &mut dyn FnMut()) {
        let used = governance::Used {
            tokens: used.tokens,
            cost_nanos: used.cost_nanos,
        };
        let store = &self.store;
        self.permit.settle(used, at_unix_ms, |begun| {
            store.open_balances_later(begun);
            hand_over();
        });
        if let Some(shared) = &mut self.shared {
            shared.used(used.tokens);
        }
    }

    async fn renew(&mut self, now_unix_ms: i64) -> Result<(), RequestError> {
        self.permit
            .renew(now_unix_ms)
            .map_err(|refusal| told(*refusal))?;
        match &mut self.shared {
            Some(shared) => shared.renew(now_unix_ms).await,
            None => Ok(()),
        }
    }
}

impl Ai {
    /// Admits a request.
    ///
    /// # Errors
    /// The refusal of the tightest limit or budget; `governance_counter_unavailable` where nodes share their counters
    /// and these cannot be reached. Either way the answer's headers say where the key stands.
    pub(super) async fn admit<C>(
        &self,
        key: &Key,
        ask: Ask,
        exchange: &mut Exchange<'_, C>,
    ) -> Result<Admitted, RequestError> {
        if key.needs_estimate() && ask.charges {
            exchange.recording.log.estimated_tokens = Some(ask.tokens);
            exchange.recording.log.estimated_cost_nanos = ask.cost_nanos;
        }
        let now = self.clock.unix_ms();
        let admitted = self.accounts.admit(key.path(), ask, now, |begun| {
            self.store.open_balances_later(begun);
        });
        let permit = match admitted {
            Ok(permit) => permit,
            Err(refusal) => {
                say(refusal.standing, exchange);
                return Err(told(*refusal));
            }
        };
        let (standing, shared) = match &self.shared {
            None => (permit.standing(), None),
            Some(counters) => match counters.admit(key.path(), ask, now).await {
                Ok(account) => (account.standing(), Some(account)),
                Err(refused) => {
                    permit.cancel();
                    say(refused.standing, exchange);
                    return Err(refused.error);
                }
            },
        };
        say(standing, exchange);
        exchange.recording.admitted(Box::new(Account {
            permit,
            shared,
            store: self.store.clone(),
        }));
        Ok(Admitted(()))
    }
}

fn say<C>(standing: Standing, exchange: &mut Exchange<'_, C>) {
    exchange.answer_headers.extend(standing.headers());
}

/// What a request may use at most: the prompt, and the longest answer of any candidate at the dearest price.
pub(super) fn estimate(key: &Key, request: &AiRequest, plan: &Plan<'_>) -> Ask {
    if request.operation == Operation::CountTokens || !key.needs_estimate() {
        return Ask {
            tokens: 0,
            cost_nanos: Some(0),
            charges: true,
        };
    }
    let input = request.estimated_input_tokens();
    let tokens_at = |default_output: u64| Tokens {
        input,
        output: request.max_output_tokens.unwrap_or(default_output),
        ..Tokens::default()
    };
    let candidates = || plan.candidates.iter().map(|planned| planned.candidate);
    let mut costs = candidates().map(|candidate| {
        let tokens = tokens_at(candidate.default_max_output_tokens);
        cost_nanos(tokens, candidate.price?)
    });
    Ask {
        tokens: candidates()
            .map(|candidate| tokens_at(candidate.default_max_output_tokens).total())
            .max()
            .unwrap_or_default(),
        // One without a price leaves nothing to hold.
        cost_nanos: costs.try_fold(0, |dearest, cost| cost.map(|cost| cost.max(dearest))),
        charges: true,
    }
}

/// What the client is told. Whether waiting helps is known better here than from the kind of the error.
fn told(refusal: Refusal) -> RequestError {
    refusal.error.with_retry(refusal.retry_can_help)
}
