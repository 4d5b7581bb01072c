//! Which candidates may answer a request, in the order they are tried.
//!
//! 1. Each candidate is judged ([`fitness`]): may it be asked, and can it answer this?
//! 2. The model's strategy puts those that are fit in order.
//! 3. Those that can be asked but would better not be (their credentials rest, the prompt and the asked output may be too
//!    much together) go to the end, in the same order.
//!
//! A plan of several candidates comes with its [`RoutingTrace`]: why each stands where it stands. It is written here and
//! never derived again. The plan of a model with one candidate costs no more than asking whether that one may be asked.

mod balanced;
mod cost;
mod draw;
mod fitness;
mod latency;
mod priority;
mod refusal;
#[cfg(test)]
mod tests;
mod trace;
mod weighted;

use std::sync::Arc;

use ferrogate_api::RoutingTrace;

use crate::ai::dialects::Dialect;
use crate::ai::health::Health;
use crate::ai::models::{Candidate, Catalog, Model};
use crate::config::RoutingStrategy;
use crate::error::RequestError;
use crate::governance::{Key, Policies};
use draw::Draw;
use fitness::{Fit, PassedOver, Question};

/// What of a request decides who may answer it.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'r> {
    /// The logical model.
    pub model: &'r str,
    /// In place of the model's own, where the request's profile says so.
    pub strategy: Option<RoutingStrategy>,
    /// What the client speaks.
    pub dialect: Dialect,
    pub stream: bool,
    pub features: Features,
    /// An estimate.
    pub input_tokens: u64,
    /// The client's own ceiling on output.
    pub output_tokens_max: Option<u64>,
    /// The one provider that can answer, because the request refers to something that only it has.
    pub pinned_provider: Option<&'r str>,
    /// Wants the trace even where there is nothing to choose.
    pub explain: bool,
}

/// What a model must be able to do for a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Features {
    pub tools: bool,
    pub vision: bool,
    pub json: bool,
    pub reasoning: bool,
}

/// The candidates of one request, best first; never empty.
#[derive(Debug)]
pub struct Plan<'c> {
    pub model: &'c Model,
    pub candidates: Vec<Planned<'c>>,
    /// Why each candidate stands where it stands; `None` where there was nothing to choose.
    pub trace: Option<Box<RoutingTrace>>,
}

/// One candidate, and what it is spoken to in.
#[derive(Debug, Clone, Copy)]
pub struct Planned<'c> {
    pub candidate: &'c Candidate,
    pub api: Dialect,
}

/// Nobody may answer.
#[derive(Debug)]
pub struct Refused {
    pub error: RequestError,
    /// Why each candidate was passed over; `None` where the request did not get as far as candidates.
    pub trace: Option<Box<RoutingTrace>>,
    /// The rule that stands against the request.
    pub policy: Option<Arc<str>>,
}

impl Refused {
    /// Refused before any candidate was looked at.
    pub fn outright(error: RequestError) -> Self {
        Self {
            error,
            trace: None,
            policy: None,
        }
    }
}

/// What a configuration has to say about who may answer.
#[derive(Debug, Clone, Copy)]
pub struct Deciding<'c, 'h> {
    pub catalog: &'c Catalog,
    pub policies: &'h Policies,
    pub health: &'h Health,
}

/// Finds who may answer `ask` for `key`, and in which order.
///
/// # Errors
/// What stands against the model ([`Catalog::model_for`]). Where every candidate is passed over, the reason of the one
/// that came nearest to being asked.
pub fn plan<'c>(
    deciding: Deciding<'c, '_>,
    key: &Key,
    ask: &Ask<'_>,
    now_unix_ms: i64,
) -> Result<Plan<'c>, Refused> {
    let Deciding {
        catalog,
        policies,
        health,
    } = deciding;
    let model = catalog
        .model_for(key, ask.model)
        .map_err(Refused::outright)?;
    let question = Question {
        ask,
        key,
        policies,
        health,
        strategy: ask.strategy.unwrap_or(model.strategy),
        refuses_unpriced: catalog.refuses_unpriced || key.needs_price(),
        output_tokens: ask
            .output_tokens_max
            .unwrap_or(model.primary().default_max_output_tokens),
        now_unix_ms,
    };
    let mut fits = Vec::with_capacity(model.candidates().len());
    let mut passed_over: Vec<(&Candidate, PassedOver)> = Vec::new();
    for candidate in model.candidates() {
        match question.judge(candidate) {
            Ok(fit) => fits.push(fit),
            Err(reason) => passed_over.push((candidate, reason)),
        }
    }
    if fits.is_empty() {
        return Err(Refused {
            error: refusal::error(&question, model, &passed_over),
            trace: Some(trace::write(&question, model, &fits, &passed_over)),
            policy: refusal::policy(&question, &passed_over),
        });
    }
    order(model, question.strategy, &mut fits);
    let traced = ask.explain || model.candidates().len() > 1;
    Ok(Plan {
        model,
        trace: traced.then(|| trace::write(&question, model, &fits, &passed_over)),
        candidates: fits.iter().map(Fit::planned).collect(),
    })
}

/// Best first, by the strategy; then those held back.
fn order(model: &Model, strategy: RoutingStrategy, fits: &mut [Fit<'_>]) {
    if fits.len() < 2 {
        return;
    }
    let mut draw = Draw::new(model.next_turn());
    match strategy {
        RoutingStrategy::Priority => priority::order(fits, &mut draw),
        RoutingStrategy::Weighted => weighted::order(fits, &mut draw),
        RoutingStrategy::LowestCost => cost::order(fits),
        RoutingStrategy::LowestLatency => latency::order(fits, &draw),
        RoutingStrategy::Balanced => balanced::order(fits),
    }
    // Stable, so that within each half the strategy's order stays.
    fits.sort_by_key(|fit| fit.held_back.is_some());
}
