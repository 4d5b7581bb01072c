//! What would become of a request now: planned and written as it would be, and sent to nobody.

use bytes::Bytes;
use ferrogate_api::{Explanation, RoutingTrace};

use super::dialects::{Target, convert};
use super::dispatch::name;
use super::planning::Wish;
use super::request::{AiRequest, Asked, Operation};
use super::routing::{Plan, Planned};
use super::{Ai, Rules};
use crate::error::RequestError;
use crate::governance::Key;

impl Ai {
    /// Explains what `key` would get for `body`. A response that it goes on from is left out of account.
    pub fn explain(&self, rules: &Rules, key: &Key, asked: &Asked<'_>, body: Bytes) -> Explanation {
        let request = match key
            .require(asked.endpoint.scope())
            .and_then(|()| AiRequest::parse(asked, body))
        {
            Ok(request) => request,
            Err(error) => return refused(&error, None),
        };
        let wish = Wish {
            explain: true,
            ..Wish::default()
        };
        match self.plan(rules, key, &request, wish) {
            Ok(plan) => explain_plan(&plan, &request),
            Err(refusal) => refused(&refusal.error, refusal.trace.map(|trace| *trace)),
        }
    }
}

fn refused(error: &RequestError, routing: Option<RoutingTrace>) -> Explanation {
    Explanation {
        routing,
        refusal: Some(error.openai_body("").error),
    }
}

/// Tries to write the request for each candidate: what one cannot be told, it would be passed over for.
fn explain_plan(plan: &Plan<'_>, request: &AiRequest) -> Explanation {
    let mut trace = plan.trace.as_deref().cloned().unwrap_or_default();
    let mut first_error = None;
    let mut sendable = false;
    for planned in &plan.candidates {
        match write(planned, request) {
            Ok(()) => sendable = true,
            Err(error) => {
                let (provider, model) = name(planned);
                let candidate = trace.candidates.iter_mut().find(|candidate| {
                    &*candidate.provider == provider && &*candidate.provider_model == model
                });
                if let Some(candidate) = candidate {
                    candidate.rank = None;
                    candidate.reason = format!("passed over: {}", error.message);
                }
                first_error.get_or_insert(error);
            }
        }
    }
    Explanation {
        routing: Some(trace),
        refusal: first_error
            .filter(|_| !sendable)
            .map(|error| error.openai_body("").error),
    }
}

fn write(planned: &Planned<'_>, request: &AiRequest) -> Result<(), RequestError> {
    let candidate = planned.candidate;
    if planned.api == request.dialect || request.operation == Operation::CountTokens {
        return request.passing_body(&candidate.provider_model).map(drop);
    }
    if request.dialect == super::dialects::Dialect::Embeddings {
        return Ok(());
    }
    let target = Target {
        model: &candidate.provider_model,
        stream: request.stream,
        quirks: candidate.provider.quirks(planned.api),
        default_max_output_tokens: candidate.default_max_output_tokens,
    };
    convert::write_request(planned.api, &request.conversation()?, &target).map(drop)
}
