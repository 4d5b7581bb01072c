//! Google's `generateContent`, `streamGenerateContent`, `countTokens` and the embedding methods.

mod answer;
mod check;
mod count;
mod declarations;
mod embed;
mod hear;
pub mod request;
mod state;

use serde_json::Value;

use self::{
    answer::Answer,
    request::{Body, Content},
};
pub use self::{count::CountRequest, embed::EmbedRequest};
use super::{
    Identity, Written,
    events::{Events, Framing},
    json_bytes, read, unknown_field,
};
use crate::simulator::{
    errors::Problem,
    heard::{Heard, Output},
    reply::{OutputForm, Reply, Tool, ToolChoice, Turn},
    route::{Delivery, Route},
    stats::Usage,
    tokens::tokens_of,
};

/// What a content costs beyond its text.
const TOKENS_PER_CONTENT: u64 = 3;

/// A request that keeps Google's rules.
#[derive(Debug)]
pub struct Request {
    body: Body,
    model: String,
    delivery: Delivery,
}

/// What Google says about a body that does not fit.
fn words(error: &str) -> String {
    match unknown_field(error) {
        Some(name) => {
            format!("Invalid JSON payload received. Unknown name \"{name}\": Cannot find field.")
        }
        None => format!("Invalid JSON payload received. {error}"),
    }
}

impl Request {
    pub(super) fn parse(route: &Route, body: &[u8]) -> Result<Self, Problem> {
        Self::checked(read(body, words)?, route)
    }

    fn checked(body: Body, route: &Route) -> Result<Self, Problem> {
        check::check(&body)?;
        Ok(Self {
            body,
            model: route.model.clone().unwrap_or_default(),
            delivery: route.delivery,
        })
    }

    fn candidates(&self) -> u32 {
        self.body.generation_config.candidate_count.unwrap_or(1)
    }
}

impl super::Request for Request {
    fn model(&self) -> &str {
        &self.model
    }

    fn prompt(&self) -> &str {
        let users = self
            .body
            .contents
            .iter()
            .rev()
            .filter(|content| !content.is_model());
        let mut texts = users.filter_map(|content| content.texts().find(|text| !text.is_empty()));
        texts.next().unwrap_or_default()
    }

    fn wants_stream(&self) -> bool {
        matches!(self.delivery, Delivery::Events | Delivery::Array)
    }

    fn verify_state(&self, strict: bool) -> Result<(), Problem> {
        state::verify(&self.body.contents, strict)
    }

    fn turn(&self, prompt: &str) -> Turn {
        let config = &self.body.generation_config;
        let cost =
            |content: &Content| TOKENS_PER_CONTENT + tokens_of(content.texts().map(str::len).sum());
        let contents: u64 = self.body.contents.iter().map(cost).sum();
        let system = self.body.system_instruction.as_ref();
        let system: usize = system.map_or(0, |system| system.texts().map(str::len).sum());
        Turn {
            prompt: prompt.to_owned(),
            input_tokens: contents + tokens_of(system),
            output_tokens_max: config.max_output_tokens,
            tools: self.body.functions().filter_map(tool).collect(),
            choice: hear::tool_choice(&self.body).map_or(ToolChoice::Free, |(_, meant)| meant),
            one_tool: false,
            after_tools: self
                .body
                .contents
                .last()
                .is_some_and(|last| last.responses() > 0),
            output: match (self.body.schema(), self.hear().output) {
                (Some(schema), _) => OutputForm::JsonSchema(schema.clone()),
                (None, Output::JsonObject) => OutputForm::JsonObject,
                (None, _) => OutputForm::Text,
            },
            stop: config.stop_sequences.first().cloned(),
            recite: None,
        }
    }

    fn hear(&self) -> Heard {
        hear::hear(&self.body, &self.model, self.wants_stream())
    }

    fn write(&self, reply: &Reply, identity: Identity<'_>) -> Written {
        // All candidates are paid for.
        let candidates = u64::from(self.candidates());
        let usage = reply.usage.map(|usage| Usage {
            output: usage.output * candidates,
            reasoning: usage.reasoning * candidates,
            ..usage
        });
        let thinking = &self.body.generation_config.thinking_config;
        let answer = Answer {
            reply,
            identity,
            candidates: self.candidates(),
            thoughts: thinking.include_thoughts == Some(true),
            usage,
        };
        match self.delivery {
            Delivery::Events => Written::Stream(answer.stream(Framing::Lines), usage),
            Delivery::Array => Written::Stream(answer.stream(Framing::Array), usage),
            Delivery::Asked | Delivery::Whole => Written::Whole(json_bytes(&answer.whole()), usage),
        }
    }

    fn write_error(&self, events: &mut Events, body: &Value) {
        events.data(body);
        events.close();
    }

    fn malformed(&self) -> &'static str {
        match self.delivery {
            Delivery::Array => ",\r\n{\"candidates\": [{\"content\": {\"par",
            _ => "data: {\"candidates\": [{\"content\": {\"par\n\n",
        }
    }
}

/// A function that the simulated model can call.
fn tool(function: &Value) -> Option<Tool> {
    let schema = [
        "parameters",
        "parametersJsonSchema",
        "parameters_json_schema",
    ]
    .iter()
    .find_map(|name| function.get(name));
    Some(Tool {
        name: function.get("name")?.as_str()?.to_owned(),
        parameters: schema.cloned().unwrap_or_default(),
        custom: false,
    })
}
