//! `POST /v1/responses/input_tokens`.

use serde_json::json;

use super::{Identity, Request, Written, json_bytes};
use crate::simulator::{
    dialects,
    errors::Problem,
    heard::Heard,
    memory::Memory,
    reply::{Reply, Turn},
    route::Route,
};

/// A request of which only the tokens are counted.
#[derive(Debug)]
pub struct CountRequest(Request);

impl CountRequest {
    pub(in crate::simulator::dialects) fn parse(
        route: &Route,
        body: &[u8],
    ) -> Result<Self, Problem> {
        Request::parse(route, body).map(Self)
    }
}

impl dialects::Request for CountRequest {
    fn model(&self) -> &str {
        &self.0.model
    }

    fn prompt(&self) -> &str {
        self.0.prompt()
    }

    fn recall(&mut self, memory: &Memory) -> Result<bool, Problem> {
        self.0.recall(memory)
    }

    fn turn(&self, prompt: &str) -> Turn {
        self.0.turn(prompt)
    }

    fn hear(&self) -> Heard {
        self.0.hear()
    }

    fn write(&self, reply: &Reply, _identity: Identity<'_>) -> Written {
        let tokens = reply.usage.map_or(0, |usage| usage.input);
        let body = json!({"object": "response.input_tokens", "input_tokens": tokens});
        Written::Whole(json_bytes(&body), None)
    }
}
