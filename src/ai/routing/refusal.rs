//! What the client is told when no candidate may be asked: the reason of the one that came nearest.

use std::{sync::Arc, time::Duration};

use super::fitness::{Feature, PassedOver, Question};
use crate::ai::health::{credential_missing, credential_refused, wait_secs};
use crate::ai::models::{Candidate, Model};
use crate::error::{ErrorKind, RequestError};

pub(super) fn error(
    question: &Question<'_>,
    model: &Model,
    passed_over: &[(&Candidate, PassedOver)],
) -> RequestError {
    let Some((candidate, reason)) = nearest(passed_over) else {
        return RequestError::new(
            ErrorKind::ProviderDisabled,
            format!("Nobody answers for model `{}`.", model.name),
        );
    };
    let name = &model.name;
    let now = question.now_unix_ms;
    match *reason {
        PassedOver::Disabled | PassedOver::ProviderDisabled => RequestError::new(
            ErrorKind::ProviderDisabled,
            format!("Every provider that answers for model `{name}` is switched off."),
        ),
        PassedOver::NotPinned => about_model(
            ErrorKind::InvalidRequest,
            format!(
                "This request goes on from something that only provider `{}` has, and that does not answer for model `{name}`.",
                question.ask.pinned_provider.unwrap_or_default()
            ),
        ),
        PassedOver::ProviderNotAllowed => about_model(
            ErrorKind::ProviderNotAllowed,
            format!("This key may not use a provider that answers for model `{name}`."),
        ),
        PassedOver::Policy => policy_denied(question, candidate),
        PassedOver::NoApi => about_model(
            ErrorKind::CapabilityNotSupported,
            format!(
                "No provider that answers for model `{name}` takes {} requests.",
                question.ask.dialect.as_str()
            ),
        ),
        PassedOver::Endpoint(only) => about_model(
            ErrorKind::CapabilityNotSupported,
            format!("Model `{name}` is for {} only.", only.as_str()),
        ),
        PassedOver::Feature(feature) => about_model(
            ErrorKind::CapabilityNotSupported,
            format!(
                "Model `{name}` {}: its `capabilities` do not name `{}`. Ask for another model.",
                inability(feature),
                feature.as_str()
            ),
        ),
        PassedOver::ContextWindow(_) => about_model(
            ErrorKind::ContextWindowExceeded,
            format!(
                "The prompt is about {} tokens long, and model `{name}` reads at most {}. Shorten it.",
                question.ask.input_tokens,
                widest(passed_over)
            ),
        ),
        PassedOver::Unpriced => about_model(
            ErrorKind::PriceUnknown,
            format!(
                "Model `{name}` has no price, and what cannot be priced is refused here or does not fit into a \
                 budget of money. The gateway's operator must set `input_price_per_1m` and `output_price_per_1m`."
            ),
        ),
        PassedOver::CredentialUnset => credential_missing(&candidate.provider),
        PassedOver::CredentialRefused { until_unix_ms } => {
            credential_refused(&candidate.provider, until_unix_ms - now)
        }
        PassedOver::CircuitOpen { until_unix_ms } => circuit_open(model, until_unix_ms - now),
    }
}

/// The rule that the client is told of, where one stands against the nearest candidate.
pub(super) fn policy(
    question: &Question<'_>,
    passed_over: &[(&Candidate, PassedOver)],
) -> Option<Arc<str>> {
    let (candidate, _) =
        nearest(passed_over).filter(|(_, reason)| *reason == PassedOver::Policy)?;
    let policy = question.policy_against(candidate)?;
    Some(Arc::clone(&policy.name))
}

/// Of equals the first, which is the one the operator put first; of waits the shortest.
fn nearest<'p, 'c>(
    passed_over: &'p [(&'c Candidate, PassedOver)],
) -> Option<&'p (&'c Candidate, PassedOver)> {
    passed_over
        .iter()
        .rev()
        .max_by_key(|(_, reason)| reason.nearness())
}

impl PassedOver {
    /// By check alone, and by the shorter wait where there are waits.
    fn nearness(self) -> (u8, i64) {
        match self {
            Self::Disabled => (0, 0),
            Self::ProviderDisabled => (1, 0),
            Self::NotPinned => (2, 0),
            Self::ProviderNotAllowed => (3, 0),
            Self::Policy => (4, 0),
            Self::NoApi => (5, 0),
            Self::Endpoint(_) => (6, 0),
            Self::Feature(_) => (7, 0),
            Self::ContextWindow(_) => (8, 0),
            Self::Unpriced => (9, 0),
            Self::CredentialUnset => (10, 0),
            Self::CredentialRefused { until_unix_ms } => (11, until_unix_ms.saturating_neg()),
            Self::CircuitOpen { until_unix_ms } => (12, until_unix_ms.saturating_neg()),
        }
    }
}

/// In the words of the rule.
fn policy_denied(question: &Question<'_>, candidate: &Candidate) -> RequestError {
    match question.policy_against(candidate) {
        Some(policy) => RequestError::new(ErrorKind::PolicyDenied, policy.message.clone())
            .with_code(&policy.code),
        None => RequestError::new(
            ErrorKind::PolicyDenied,
            "A policy of this gateway stands against the request.",
        ),
    }
}

fn circuit_open(model: &Model, wait_ms: i64) -> RequestError {
    let wait = wait_secs(wait_ms);
    RequestError::new(
        ErrorKind::ProviderCircuitOpen,
        format!(
            "Every provider that could answer for model `{}` has failed repeatedly and is left alone. \
             The first is tried again in {wait} s.",
            model.name
        ),
    )
    .with_retry_after(Duration::from_secs(wait))
}

fn about_model(kind: ErrorKind, message: String) -> RequestError {
    RequestError::new(kind, message).with_param("model")
}

fn widest(passed_over: &[(&Candidate, PassedOver)]) -> u64 {
    let windows = passed_over.iter().filter_map(|(_, reason)| match reason {
        PassedOver::ContextWindow(window) => Some(*window),
        _ => None,
    });
    windows.max().unwrap_or_default()
}

fn inability(feature: Feature) -> &'static str {
    match feature {
        Feature::Tools => "calls no tools",
        Feature::Vision => "sees no images",
        Feature::Json => "does not promise JSON",
        Feature::Reasoning => "has no control over reasoning",
    }
}
