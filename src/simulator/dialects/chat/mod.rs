//! `POST /v1/chat/completions`: one message, or chunks of one, for each of `n` choices.

mod hear;
mod history;
mod stream;
pub mod wire;

use serde::Deserialize;
use serde_json::Value;

use self::{
    stream::Stream,
    wire::{Answer, Completion, UsageField, WholeChoice, filter_results, whole_calls},
};
use super::{
    CREATED_UNIX, Identity, Written,
    content::{self, nullable},
    json_bytes,
    open_ai::{self, Content},
    read,
};
use crate::simulator::{
    errors::Problem,
    faults::TOKENS_MAX,
    heard::Heard,
    reply::{Reply, Stopped, Turn},
    route::{Route, Surface},
    stats::Usage,
    tokens::tokens_of,
};

/// OpenAI's own bound on `n`.
const CHOICES_MAX: u32 = 128;

/// What a message costs beyond its text.
const TOKENS_PER_MESSAGE: u64 = 3;

/// A request, as far as the simulator reads it. Fields it does not know are welcome: compatible providers have many.
#[derive(Debug, Deserialize)]
pub struct Request {
    #[serde(default)]
    model: String,
    messages: Vec<Message>,
    #[serde(default, deserialize_with = "nullable")]
    stream: bool,
    stream_options: Option<StreamOptions>,
    n: Option<u32>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    #[serde(default, deserialize_with = "nullable")]
    tools: Vec<Value>,
    tool_choice: Option<Value>,
    parallel_tool_calls: Option<bool>,
    response_format: Option<Value>,
    stop: Option<content::Content<String>>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_k: Option<f64>,
    presence_penalty: Option<f64>,
    frequency_penalty: Option<f64>,
    seed: Option<i64>,
    reasoning_effort: Option<String>,
    /// Azure says with every part of the answer that no filter had anything against it.
    #[serde(skip)]
    azure: bool,
}

#[derive(Debug, Deserialize)]
struct Message {
    role: String,
    content: Option<Content>,
    #[serde(default, deserialize_with = "nullable")]
    tool_calls: Vec<Call>,
    tool_call_id: Option<String>,
    reasoning_content: Option<String>,
    refusal: Option<String>,
}

/// A tool call of an earlier answer.
#[derive(Debug, Deserialize)]
struct Call {
    id: String,
    function: Option<Function>,
    custom: Option<Custom>,
}

#[derive(Debug, Deserialize)]
struct Function {
    name: String,
    arguments: String,
}

#[derive(Debug, Deserialize)]
struct Custom {
    name: String,
    input: String,
}

#[derive(Debug, Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

impl Request {
    pub(super) fn parse(route: &Route, body: &[u8]) -> Result<Self, Problem> {
        let mut request: Self = read(body, |error| {
            format!("We could not parse the JSON body of your request: {error}.")
        })?;
        if let Some(deployment) = &route.model {
            request.model.clone_from(deployment);
        }
        request.azure = route.surface == Surface::Azure;
        request.check()?;
        Ok(request)
    }

    fn check(&self) -> Result<(), Problem> {
        if self.model.is_empty() {
            return Err(Problem::invalid("you must provide a model parameter"));
        }
        if self.messages.is_empty() {
            return Err(Problem::invalid_at(
                "messages",
                "Invalid 'messages': empty array.",
            ));
        }
        if !(1..=CHOICES_MAX).contains(&self.choices()) {
            let message = format!("Invalid 'n': expected 1 to {CHOICES_MAX}.");
            return Err(Problem::invalid_at("n", message));
        }
        history::check(&self.messages)
    }

    fn choices(&self) -> u32 {
        self.n.unwrap_or(1)
    }

    fn stops(&self) -> &[String] {
        match &self.stop {
            None => &[],
            Some(content::Content::Text(one)) => std::slice::from_ref(one),
            Some(content::Content::Parts(many)) => many,
        }
    }

    fn whole(&self, reply: &Reply, identity: Identity<'_>) -> Written {
        let text = (!reply.text.is_empty()).then(|| reply.text.concat());
        let refused = reply.stopped == Stopped::Refusal;
        let (content, refusal) = if refused { (None, text) } else { (text, None) };
        let shown = !reply.thought.is_empty() && !reply.redacted;
        let with_calls = !reply.calls.is_empty() || reply.form.empty;
        let answer = Answer {
            role: "assistant",
            content,
            reasoning_content: shown.then(|| reply.thought.concat()),
            tool_calls: with_calls.then(|| whole_calls(&reply.calls, identity)),
            refusal,
            annotations: [],
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
                    finish_reason: finish_reason(&reply.stopped),
                    content_filter_results: self.azure.then(filter_results),
                })
                .collect(),
            usage: usage.map(UsageField::from),
            service_tier: "default",
            system_fingerprint: "fp_simulator",
            prompt_filter_results: self.azure.then(wire::prompt_filter_results),
        };
        Written::Whole(json_bytes(&completion), usage)
    }

    fn stream(&self, reply: &Reply, identity: Identity<'_>) -> Written {
        let include_usage = self
            .stream_options
            .as_ref()
            .is_some_and(|options| options.include_usage);
        let usage = self.usage(reply).filter(|_| include_usage);
        let mut stream = Stream::new(identity, self.choices(), include_usage);
        if self.azure {
            stream.filter_prompt();
        }
        stream.answer(reply);
        stream.finish(finish_reason(&reply.stopped), usage);
        Written::Stream(stream.events, usage)
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

impl super::Request for Request {
    fn model(&self) -> &str {
        &self.model
    }

    fn prompt(&self) -> &str {
        self.messages
            .iter()
            .rev()
            .find(|message| message.role == "user")
            .and_then(|message| message.content.as_ref())
            .map_or("", Content::text)
    }

    fn wants_stream(&self) -> bool {
        self.stream
    }

    fn turn(&self, prompt: &str) -> Turn {
        let cost = |message: &Message| {
            let bytes = message.content.as_ref().map_or(0, Content::len_bytes);
            TOKENS_PER_MESSAGE + tokens_of(bytes)
        };
        // Many choices of a long answer would be as much memory as one endless answer.
        let budget = u64::from(TOKENS_MAX / self.choices());
        let asked = self.max_completion_tokens.or(self.max_tokens);
        let choice = self.tool_choice.as_ref().map(open_ai::tool_choice);
        Turn {
            prompt: prompt.to_owned(),
            input_tokens: self.messages.iter().map(cost).sum(),
            output_tokens_max: Some(asked.unwrap_or(budget).min(budget)),
            tools: self.tools.iter().filter_map(open_ai::tool).collect(),
            choice: choice.map(|(_, meant)| meant).unwrap_or_default(),
            one_tool: self.parallel_tool_calls == Some(false),
            after_tools: self.messages.last().is_some_and(|last| last.role == "tool"),
            output: open_ai::output(self.response_format.as_ref()),
            stop: self.stops().first().cloned(),
            recite: None,
        }
    }

    fn hear(&self) -> Heard {
        hear::hear(self)
    }

    fn write(&self, reply: &Reply, identity: Identity<'_>) -> Written {
        if self.stream {
            self.stream(reply, identity)
        } else {
            self.whole(reply, identity)
        }
    }
}

fn finish_reason(stopped: &Stopped) -> &'static str {
    match stopped {
        Stopped::End | Stopped::Sequence(_) | Stopped::Refusal => "stop",
        Stopped::Limit => "length",
        Stopped::Calls => "tool_calls",
        Stopped::Filter | Stopped::PromptFilter => "content_filter",
    }
}
