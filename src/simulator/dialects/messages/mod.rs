//! Anthropic's `POST /v1/messages`, and the counting of its tokens.

mod answer;
mod blocks;
mod check;
mod count;
mod hear;
pub mod request;
mod state;
mod stream;

use serde_json::Value;

pub use self::count::CountRequest;
use self::{
    answer::Answer,
    request::{Body, Content, Message, Role, Thinking, ToolChoice},
};
use super::{Identity, Written, events::Events, json_bytes, read, unknown_field};
use crate::simulator::{
    errors::Problem,
    heard::Heard,
    reply::{self, OutputForm, Reply, Tool, Turn},
    tokens::tokens_of,
};

/// What a message costs beyond its text.
const TOKENS_PER_MESSAGE: u64 = 3;

/// A request that keeps Anthropic's rules.
#[derive(Debug)]
pub struct Request(Body);

impl Request {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Problem> {
        let request = Self::parse_counted(body)?;
        if request.0.max_tokens.is_none() {
            return Err(Problem::invalid("max_tokens: Field required"));
        }
        Ok(request)
    }

    /// Without what only an answer needs.
    fn parse_counted(body: &[u8]) -> Result<Self, Problem> {
        let body: Body = read(body, |error| match unknown_field(error) {
            Some(field) => format!("{field}: Extra inputs are not permitted"),
            None => format!("The request body is not valid: {error}"),
        })?;
        check::check(&body)?;
        Ok(Self(body))
    }

    fn last_is_result(&self) -> bool {
        let blocks = self.0.messages.last().map(|last| last.content.blocks());
        let mut blocks = blocks.into_iter().flatten();
        blocks.any(|block| block.r#type == "tool_result")
    }
}

impl super::Request for Request {
    fn model(&self) -> &str {
        &self.0.model
    }

    fn prompt(&self) -> &str {
        let messages = self.0.messages.iter().rev();
        let mut users = messages.filter(|message| message.role == Role::User);
        let said = users.find_map(|message| {
            let texts = message.content.texts();
            texts.into_iter().find(|text| !text.is_empty())
        });
        said.unwrap_or_default()
    }

    fn wants_stream(&self) -> bool {
        self.0.stream
    }

    fn verify_state(&self, strict: bool) -> Result<(), Problem> {
        state::verify(&self.0.messages, strict)
    }

    fn turn(&self, prompt: &str) -> Turn {
        let cost = |message: &Message| TOKENS_PER_MESSAGE + tokens_of(message.content.len_bytes());
        let messages: u64 = self.0.messages.iter().map(cost).sum();
        let system = self.0.system.as_ref().map_or(0, Content::len_bytes);
        let choice = self.0.tool_choice.as_ref();
        Turn {
            prompt: prompt.to_owned(),
            input_tokens: messages + tokens_of(system),
            output_tokens_max: self.0.max_tokens,
            tools: self.0.tools.iter().filter_map(tool).collect(),
            choice: match choice {
                Some(ToolChoice::Any { .. }) => reply::ToolChoice::Required,
                Some(ToolChoice::Tool { name, .. }) => reply::ToolChoice::Named(name.clone()),
                Some(ToolChoice::Auto { .. } | ToolChoice::None) | None => reply::ToolChoice::Free,
            },
            one_tool: choice.and_then(hear::parallel) == Some(false),
            after_tools: self.last_is_result(),
            output: match self.0.schema() {
                Some(schema) => OutputForm::JsonSchema(schema.clone()),
                None => OutputForm::Text,
            },
            stop: self.0.stop_sequences.first().cloned(),
            recite: None,
        }
    }

    fn hear(&self) -> Heard {
        hear::hear(&self.0)
    }

    fn write(&self, reply: &Reply, identity: Identity<'_>) -> Written {
        let answer = Answer {
            reply,
            identity,
            omitted: self.0.thinking.as_ref().is_some_and(Thinking::is_omitted),
        };
        if self.0.stream {
            Written::Stream(stream::write(answer), reply.usage)
        } else {
            Written::Whole(json_bytes(&answer.whole()), reply.usage)
        }
    }

    fn write_error(&self, events: &mut Events, body: &Value) {
        events.named("error", body);
    }

    fn malformed(&self) -> &'static str {
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"del\n\n"
    }
}

/// A tool that the simulated model can call; `None` for one that Anthropic runs.
fn tool(field: &Value) -> Option<Tool> {
    let kind = field
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or("custom");
    let name = field.get("name")?.as_str()?.to_owned();
    (kind == "custom").then(|| Tool {
        name,
        parameters: field.get("input_schema").cloned().unwrap_or_default(),
        custom: false,
    })
}
