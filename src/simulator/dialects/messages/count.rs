//! `POST /v1/messages/count_tokens`.

use serde_json::json;

use super::{Identity, Request, Written, json_bytes};
use crate::simulator::{
    dialects,
    errors::Problem,
    heard::Heard,
    reply::{Reply, Turn},
};

/// A request of which only the tokens are counted.
#[derive(Debug)]
pub struct CountRequest(Request);

impl CountRequest {
    pub(in crate::simulator::dialects) fn parse(body: &[u8]) -> Result<Self, Problem> {
        let request = Request::parse_counted(body)?;
        let sampled = ("max_tokens", request.0.max_tokens.is_some());
        let streamed = ("stream", request.0.stream);
        if let Some((field, _)) = [sampled, streamed].into_iter().find(|(_, there)| *there) {
            return Err(Problem::invalid(format!(
                "{field}: Extra inputs are not permitted"
            )));
        }
        Ok(Self(request))
    }
}

impl dialects::Request for CountRequest {
    fn model(&self) -> &str {
        self.0.model()
    }

    fn prompt(&self) -> &str {
        self.0.prompt()
    }

    fn turn(&self, prompt: &str) -> Turn {
        self.0.turn(prompt)
    }

    fn hear(&self) -> Heard {
        self.0.hear()
    }

    fn write(&self, reply: &Reply, _identity: Identity<'_>) -> Written {
        let tokens = reply.usage.map_or(0, |usage| usage.input);
        Written::Whole(json_bytes(&json!({"input_tokens": tokens})), None)
    }
}
