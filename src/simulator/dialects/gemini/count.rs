//! `models/{model}:countTokens`.

use serde::Deserialize;
use serde_json::json;

use super::{
    Identity, Request, Written, json_bytes, read,
    request::{Body, Content},
    words,
};
use crate::simulator::{
    dialects,
    errors::Problem,
    heard::Heard,
    reply::{Reply, Turn},
    route::Route,
};

/// Contents, or a whole request, of which only the tokens are counted.
#[derive(Debug)]
pub struct CountRequest(Request);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Counted {
    #[serde(default)]
    contents: Vec<Content>,
    #[serde(alias = "generate_content_request")]
    generate_content_request: Option<Body>,
}

impl CountRequest {
    pub(in crate::simulator::dialects) fn parse(
        route: &Route,
        body: &[u8],
    ) -> Result<Self, Problem> {
        let counted: Counted = read(body, words)?;
        let body = counted
            .generate_content_request
            .unwrap_or_else(|| Body::of(counted.contents));
        Request::checked(body, route).map(Self)
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
        let body = json!({
            "totalTokens": tokens,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens}],
        });
        Written::Whole(json_bytes(&body), None)
    }
}
