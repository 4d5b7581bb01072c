//! `POST /v1/chat/completions`: one message, or chunks of one, for each of `n` choices.

pub mod wire;

use serde::Deserialize;
use serde_json::Value;

use self::wire::{
    Answer, CallField, Chunk, Completion, Delta, StreamChoice, UsageField, WholeChoice, whole_calls,
};

use super::{CREATED_UNIX, Content, Events, Identity, Written, json_bytes};
use crate::simulator::{
    faults::TOKENS_MAX,
    reply::{Reply, Said, Tool, ToolCall, Turn, tokens_of},
    stats::Usage,
};

/// OpenAI's own bound on `n`.
const CHOICES_MAX: u32 = 128;

/// What a message costs beyond its text.
const TOKENS_PER_MESSAGE: u64 = 3;

#[derive(Debug, Deserialize)]
pub struct Request {
    pub model: String,
    messages: Vec<Message>,
    #[serde(default)]
    pub stream: bool,
    stream_options: Option<StreamOptions>,
    n: Option<u32>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    #[serde(default)]
    tools: Vec<ToolField>,
}

#[derive(Debug, Deserialize)]
struct Message {
    role: String,
    content: Option<Content>,
}

#[derive(Debug, Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

#[derive(Debug, Deserialize)]
struct ToolField {
    function: Option<Function>,
}

#[derive(Debug, Deserialize)]
struct Function {
    name: String,
    #[serde(default)]
    parameters: Value,
}

impl Request {
    pub(super) fn check(&self) -> Result<(), String> {
        if self.messages.is_empty() {
            return Err("Invalid 'messages': empty array.".into());
        }
        if !(1..=CHOICES_MAX).contains(&self.choices()) {
            return Err(format!("Invalid 'n': expected 1 to {CHOICES_MAX}."));
        }
        Ok(())
    }

    pub(super) fn prompt(&self) -> &str {
        self.messages
            .iter()
            .rev()
            .find(|message| message.role == "user")
            .and_then(|message| message.content.as_ref())
            .map_or("", Content::text)
    }

    /// What the model is asked, once the directive is taken out of the prompt.
    pub fn turn(&self, prompt: &str) -> Turn {
        let cost = |message: &Message| {
            let bytes = message.content.as_ref().map_or(0, Content::len_bytes);
            TOKENS_PER_MESSAGE + tokens_of(bytes)
        };
        // Many choices of a long answer would be as much memory as one endless answer.
        let budget = u64::from(TOKENS_MAX / self.choices());
        let asked = self.max_completion_tokens.or(self.max_tokens);
        Turn {
            prompt: prompt.to_owned(),
            input_tokens: self.messages.iter().map(cost).sum(),
            output_tokens_max: Some(asked.unwrap_or(budget).min(budget)),
            tools: self.tools.iter().filter_map(ToolField::tool).collect(),
            after_tools: self.messages.last().is_some_and(|last| last.role == "tool"),
        }
    }

    fn choices(&self) -> u32 {
        self.n.unwrap_or(1)
    }

    pub(super) fn whole(&self, reply: &Reply, identity: Identity<'_>) -> Written {
        let answer = match &reply.said {
            Said::Text { pieces, .. } => Answer {
                content: Some(pieces.concat()),
                ..Answer::default()
            },
            Said::Calls(calls) => Answer {
                tool_calls: whole_calls(calls, identity),
                ..Answer::default()
            },
        };
        let usage = self.usage(reply);
        let completion = Completion {
            id: format!("chatcmpl-{:016x}", identity.id),
            object: "chat.completion",
            created: CREATED_UNIX,
            model: identity.model,
            choices: (0..self.choices())
                .map(|index| WholeChoice {
                    index,
                    message: &answer,
                    logprobs: None,
                    finish_reason: finish_reason(&reply.said),
                })
                .collect(),
            usage: usage.map(UsageField::from),
            service_tier: "default",
            system_fingerprint: "fp_simulator",
        };
        Written::Whole(json_bytes(&completion), usage)
    }

    pub(super) fn stream(&self, reply: &Reply, identity: Identity<'_>) -> Written {
        let include_usage = self
            .stream_options
            .as_ref()
            .is_some_and(|options| options.include_usage);
        let usage = self.usage(reply).filter(|_| include_usage);
        let mut stream = Stream {
            events: Events::default(),
            id: format!("chatcmpl-{:016x}", identity.id),
            identity,
            choices: self.choices(),
            include_usage,
        };
        match &reply.said {
            Said::Text { pieces, .. } => stream.text(pieces),
            Said::Calls(calls) => stream.calls(calls),
        }
        stream.chunk(&Delta::default(), Some(finish_reason(&reply.said)));
        if let Some(usage) = usage {
            stream.usage(usage);
        }
        let mut events = stream.events;
        events.bytes.extend_from_slice(b"data: [DONE]\n\n");
        events.step();
        Written::Stream(events, usage)
    }

    /// All choices are paid for.
    fn usage(&self, reply: &Reply) -> Option<Usage> {
        let choices = u64::from(self.choices());
        reply.usage.map(|usage| Usage {
            output: usage.output * choices,
            reasoning: usage.reasoning * choices,
            ..usage
        })
    }
}

impl ToolField {
    fn tool(&self) -> Option<Tool> {
        self.function.as_ref().map(|function| Tool {
            name: function.name.clone(),
            parameters: function.parameters.clone(),
        })
    }
}

/// A stream while it is written.
struct Stream<'a> {
    events: Events,
    id: String,
    identity: Identity<'a>,
    choices: u32,
    include_usage: bool,
}

impl Stream<'_> {
    fn text(&mut self, pieces: &[String]) {
        let role = Delta {
            role: Some("assistant"),
            content: Some(Some("")),
            refusal: Some(None),
            ..Delta::default()
        };
        self.chunk(&role, None);
        self.events.step();
        for piece in pieces {
            let delta = Delta {
                content: Some(Some(piece)),
                ..Delta::default()
            };
            self.chunk(&delta, None);
            self.events.step();
        }
    }

    /// Parallel calls one after the other, each announced by its id and name.
    fn calls(&mut self, calls: &[ToolCall]) {
        let role = Delta {
            role: Some("assistant"),
            content: Some(None),
            ..Delta::default()
        };
        self.chunk(&role, None);
        self.events.step();
        for (index, call) in (0..).zip(calls) {
            let announced = CallField::announcing(index, call, self.identity);
            self.chunk(&Delta::calling(announced), None);
            for piece in &call.pieces {
                self.chunk(&Delta::calling(CallField::continuing(index, piece)), None);
                self.events.step();
            }
        }
    }

    /// The same delta for each choice.
    fn chunk(&mut self, delta: &Delta<'_>, finish_reason: Option<&'static str>) {
        for index in 0..self.choices {
            let choice = StreamChoice {
                index,
                delta,
                logprobs: None,
                finish_reason,
            };
            self.write(&[choice], self.include_usage.then_some(None));
        }
    }

    fn usage(&mut self, usage: Usage) {
        self.write(&[], Some(Some(usage.into())));
    }

    fn write(&mut self, choices: &[StreamChoice<'_>], usage: Option<Option<UsageField>>) {
        self.events.data(&Chunk {
            id: &self.id,
            object: "chat.completion.chunk",
            created: CREATED_UNIX,
            model: self.identity.model,
            service_tier: "default",
            system_fingerprint: "fp_simulator",
            choices,
            usage,
        });
    }
}

fn finish_reason(said: &Said) -> &'static str {
    match said {
        Said::Text {
            cut_short: true, ..
        } => "length",
        Said::Text { .. } => "stop",
        Said::Calls(_) => "tool_calls",
    }
}
