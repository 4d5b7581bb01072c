//! The decision in words, for `ferrogate explain` and `ferrogate simulate`.

use std::sync::Arc;

use ferrogate_api::{CandidateTrace, RoutingTrace};

use super::{
    balanced, cost,
    fitness::{Fit, HeldBack, PassedOver, Question},
    latency, priority,
};
use crate::ai::dialects::Dialect;
use crate::ai::health::wait_secs;
use crate::ai::models::{Candidate, Model};
use crate::config::RoutingStrategy;

/// Why each candidate stands where it stands: `fits` in the order of the plan, then those passed over.
pub(super) fn write(
    question: &Question<'_>,
    model: &Model,
    fits: &[Fit<'_>],
    passed_over: &[(&Candidate, PassedOver)],
) -> Box<RoutingTrace> {
    let ranked = (1..).zip(fits).enumerate().map(|(index, (rank, fit))| {
        let standing = fit.standing;
        CandidateTrace {
            rank: Some(rank),
            reason: reason(question, model, fits, index),
            latency_us: standing.latency_us,
            failure_permille: standing.failure_permille,
            ..candidate(question, fit.candidate, Some(fit.api))
        }
    });
    let others = passed_over.iter().map(|(passed, why)| {
        let provider = &passed.provider;
        let standing = question
            .health
            .standing(passed, question.ask.stream, question.now_unix_ms);
        CandidateTrace {
            reason: format!("passed over: {}", why.sentence(question, passed)),
            latency_us: standing.latency_us,
            failure_permille: standing.failure_permille,
            ..candidate(question, passed, provider.api_for(question.ask.dialect))
        }
    });
    Box::new(RoutingTrace {
        model: Arc::clone(&model.name),
        strategy: question.strategy.as_str().into(),
        dialect: question.ask.dialect.as_str().into(),
        input_tokens_estimate: question.ask.input_tokens,
        candidates: ranked.chain(others).collect(),
        attempts: Vec::new(),
    })
}

fn candidate(
    question: &Question<'_>,
    candidate: &Candidate,
    api: Option<Dialect>,
) -> CandidateTrace {
    CandidateTrace {
        provider: Arc::clone(&candidate.provider.name),
        provider_model: Arc::clone(&candidate.provider_model),
        api: api.map_or_else(Arc::default, |api| api.as_str().into()),
        priority: candidate.priority,
        weight: candidate.weight,
        cost_nanos_estimate: question.cost_nanos(candidate),
        ..CandidateTrace::default()
    }
}

/// How the sentence about `fits[index]` begins.
pub(super) fn place(index: usize) -> &'static str {
    if index == 0 { "first" } else { "then" }
}

fn reason(question: &Question<'_>, model: &Model, fits: &[Fit<'_>], index: usize) -> String {
    let in_order = match question.strategy {
        _ if model.candidates().len() == 1 => "the only candidate".to_owned(),
        RoutingStrategy::Priority | RoutingStrategy::Weighted => priority::reason(fits, index),
        RoutingStrategy::LowestCost => cost::reason(fits, index),
        RoutingStrategy::LowestLatency => latency::reason(fits, index),
        RoutingStrategy::Balanced => balanced::reason(fits, index),
    };
    match fits[index].held_back {
        None => in_order,
        Some(HeldBack::Resting { until_unix_ms }) => {
            let wait = wait_secs(until_unix_ms - question.now_unix_ms);
            format!("{in_order}; held back: every credential rests for another {wait} s")
        }
        Some(HeldBack::Tight { context_window }) => format!(
            "{in_order}; held back: with all the output that is asked for, its window of {context_window} tokens may be too small"
        ),
    }
}

impl PassedOver {
    /// A clause about the candidate.
    fn sentence(self, question: &Question<'_>, candidate: &Candidate) -> String {
        let wait = |until: i64| wait_secs(until - question.now_unix_ms);
        match self {
            Self::Disabled => "it is switched off".to_owned(),
            Self::ProviderDisabled => "its provider is switched off".to_owned(),
            Self::NotPinned => {
                let pinned = question.ask.pinned_provider.unwrap_or_default();
                format!("the request is bound to provider `{pinned}`")
            }
            Self::ProviderNotAllowed => "the key may not use its provider".to_owned(),
            Self::Policy => match question.policy_against(candidate) {
                Some(policy) => format!("policy `{}` stands against it", policy.name),
                None => "a policy stands against it".to_owned(),
            },
            Self::NoApi => format!(
                "its provider speaks nothing that carries {} requests",
                question.ask.dialect.as_str()
            ),
            Self::Endpoint(only) => format!("it is for {} only", only.as_str()),
            Self::Feature(feature) => {
                format!("its capabilities do not name `{}`", feature.as_str())
            }
            Self::ContextWindow(window) => format!(
                "about {} tokens do not fit into its window of {window}",
                question.ask.input_tokens
            ),
            Self::Unpriced => "it has no price, and `[pricing] unknown` is `deny`".to_owned(),
            Self::CredentialUnset => "no key of its provider is set".to_owned(),
            Self::CredentialRefused { until_unix_ms } => format!(
                "its provider refused every key, and is asked again in {} s",
                wait(until_unix_ms)
            ),
            Self::CircuitOpen { until_unix_ms } => format!(
                "the circuit breaker is open for another {} s",
                wait(until_unix_ms)
            ),
        }
    }
}
