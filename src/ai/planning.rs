//! What routing is asked about a request, and what becomes of an answer that nobody may give.

use std::sync::Arc;

use super::features;
use super::models::Model;
use super::request::AiRequest;
use super::routing::{self, Ask, Features, Plan, Refused};
use super::{Ai, Rules};
use crate::config::Capability;
use crate::error::RequestError;
use crate::governance::Key;
use crate::metering::{Recording, estimated_input_tokens};

/// Of a model's name that is not one of ours, what the request log keeps.
const LOGGED_MODEL_CHARS_MAX: usize = 128;

impl Ai {
    /// Finds who may answer `request`. What it takes another pass over the body to know is found out only where
    /// something depends on it.
    pub(super) fn plan<'r>(
        &self,
        rules: &'r Rules,
        key: &Key,
        request: &AiRequest,
        (pinned_provider, explain): (Option<&str>, bool),
    ) -> Result<Plan<'r>, Refused> {
        let model = rules
            .catalog
            .model_for(key, &request.model)
            .map_err(|error| Refused { error, trace: None })?;
        let ask = Ask {
            model: &request.model,
            dialect: request.dialect,
            stream: request.stream,
            features: if explain || names_features(model) {
                features::of_request(request.dialect, request.body())
            } else {
                Features::default()
            },
            input_tokens: if explain || weighs_input(model) {
                estimated_input_tokens(request.body())
            } else {
                0
            },
            output_tokens_max: request.max_output_tokens,
            pinned_provider,
            explain,
        };
        routing::plan(
            &rules.catalog,
            &self.health,
            key,
            &ask,
            self.clock.unix_ms(),
        )
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
    refused.error
}
