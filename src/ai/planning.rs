//! What routing is asked about a request, and what becomes of an answer that nobody may give.

use std::sync::Arc;

use super::features;
use super::models::Model;
use super::profiles::Profile;
use super::request::AiRequest;
use super::routing::{self, Ask, Deciding, Features, Plan, Refused};
use super::{Ai, Rules};
use crate::config::Capability;
use crate::error::RequestError;
use crate::governance::Key;
use crate::metering::Recording;

/// Of a model's name that is not one of ours, what the request log keeps.
const LOGGED_MODEL_CHARS_MAX: usize = 128;

/// What besides the request decides who may answer it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wish<'w> {
    /// The one provider that can, because the request refers to something that only it has.
    pub(super) pinned_provider: Option<&'w str>,
    pub(super) profile: Option<&'w Profile>,
    /// Wants the trace even where there is nothing to choose.
    pub(super) explain: bool,
}

impl Ai {
    /// Finds who may answer `request`. What it takes another pass over the body to know is found out only where
    /// something depends on it.
    pub(super) fn plan<'r>(
        &self,
        rules: &'r Rules,
        key: &Key,
        request: &AiRequest,
        wish: Wish<'_>,
    ) -> Result<Plan<'r>, Refused> {
        let model = rules
            .catalog
            .model_for(key, &request.model)
            .map_err(Refused::outright)?;
        let explain = wish.explain;
        let ask = Ask {
            model: &request.model,
            strategy: wish.profile.and_then(|profile| profile.routing_strategy),
            dialect: request.dialect,
            stream: request.stream,
            features: if explain || names_features(model) {
                features::of_request(request.dialect, request.body())
            } else {
                Features::default()
            },
            input_tokens: if explain
                || weighs_input(model)
                || key.needs_estimate()
                || rules.policies.needs_estimate()
            {
                request.estimated_input_tokens()
            } else {
                0
            },
            output_tokens_max: request.max_output_tokens,
            pinned_provider: wish.pinned_provider,
            explain,
        };
        let deciding = Deciding {
            catalog: &rules.catalog,
            policies: &rules.policies,
            health: &self.health,
        };
        routing::plan(deciding, key, &ask, self.clock.unix_ms())
    }
}

fn names_features(model: &Model) -> bool {
    let is_feature = |word: &Capability| match word {
        Capability::Tools | Capability::Vision | Capability::Json | Capability::Reasoning => true,
        Capability::Chat | Capability::Embeddings | Capability::Streaming => false,
    };
    let mut candidates = model.candidates().iter();
    candidates.any(|candidate| candidate.capabilities.iter().any(is_feature))
}

/// Costs are compared and windows held against the prompt; where there is a choice, the trace tells its size.
fn weighs_input(model: &Model) -> bool {
    let candidates = model.candidates();
    candidates.len() > 1 || candidates.iter().any(|one| one.context_window.is_some())
}

/// Notes in the record what was asked for and why nobody may answer.
pub(super) fn note_refusal(
    refused: Refused,
    request: &AiRequest,
    recording: &mut Recording,
) -> RequestError {
    let asked_for: String = request.model.chars().take(LOGGED_MODEL_CHARS_MAX).collect();
    recording.set_model(&Arc::from(asked_for));
    recording.set_routing(refused.trace);
    recording.log.policy = refused.policy;
    refused.error
}
