//! `POST /v1/responses`, and the counting of its input.

mod body;
mod count;
mod items;
mod output;
mod stream;

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use self::{body::Progress, output::Output, stream::Stream};
pub use self::{count::CountRequest, items::Item};
use super::{Identity, Written, content, content::nullable, json_bytes, open_ai, read};
use crate::simulator::{
    errors::Problem,
    heard::Heard,
    memory::{Memory, Stored, number_of},
    reply::{Reply, Turn},
    route::Route,
    tokens::tokens_of,
};

/// A request, as far as the simulator reads it.
#[derive(Debug, Deserialize)]
pub struct Request {
    #[serde(default)]
    model: String,
    input: Option<content::Content<Item>>,
    instructions: Option<String>,
    max_output_tokens: Option<u64>,
    #[serde(default, deserialize_with = "nullable")]
    stream: bool,
    #[serde(default, deserialize_with = "nullable")]
    tools: Vec<Value>,
    tool_choice: Option<Value>,
    parallel_tool_calls: Option<bool>,
    #[serde(default, deserialize_with = "nullable")]
    metadata: Map<String, Value>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    #[serde(default, deserialize_with = "nullable")]
    reasoning: Reasoning,
    #[serde(default, deserialize_with = "nullable")]
    text: Text,
    previous_response_id: Option<String>,
    store: Option<bool>,
    /// The whole conversation: what the previous response stands for, and the input.
    #[serde(skip)]
    items: Vec<Arc<Item>>,
}

#[derive(Debug, Default, Deserialize)]
struct Reasoning {
    effort: Option<String>,
    summary: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Text {
    format: Option<Value>,
}

impl Request {
    pub(super) fn parse(route: &Route, body: &[u8]) -> Result<Self, Problem> {
        let mut request: Self = read(body, |error| {
            format!("We could not parse the JSON body of your request: {error}.")
        })?;
        if let Some(deployment) = &route.model {
            request.model.clone_from(deployment);
        }
        let items = match request.input.take() {
            None => return Err(missing("input")),
            Some(content::Content::Text(text)) => vec![Item::user(&text)],
            Some(content::Content::Parts(items)) => items,
        };
        if request.model.is_empty() {
            return Err(missing("model"));
        }
        for (index, item) in items.iter().enumerate() {
            item.check(&format!("input[{index}]"))?;
        }
        request.items = items.into_iter().map(Arc::new).collect();
        Ok(request)
    }

    fn output<'a>(&self, reply: &'a Reply, identity: Identity<'a>) -> Output<'a> {
        Output {
            reply,
            identity,
            summary: self.reasoning.summary.is_some(),
        }
    }

    fn stream(&self, reply: &Reply, identity: Identity<'_>) -> Written {
        let mut stream = Stream::default();
        let begun = json!({"response": self.response(identity, &Progress::default())});
        stream.event("response.created", begun.clone());
        stream.event("response.in_progress", begun);
        stream.output(&self.output(reply, identity));
        let last = match output::status(&reply.stopped) {
            "completed" => "response.completed",
            _ => "response.incomplete",
        };
        stream.event(last, json!({"response": self.ended(reply, identity)}));
        stream.events.step();
        Written::Stream(stream.events, reply.usage)
    }
}

impl super::Request for Request {
    fn model(&self) -> &str {
        &self.model
    }

    fn prompt(&self) -> &str {
        let prompts = self.items.iter().rev().filter_map(|item| item.prompt());
        prompts.into_iter().next().unwrap_or_default()
    }

    fn wants_stream(&self) -> bool {
        self.stream
    }

    fn recall(&mut self, memory: &Memory) -> Result<bool, Problem> {
        let mut recalled = false;
        for item in &self.items {
            recalled |= item.is_recalled(memory)?;
        }
        if let Some(id) = &self.previous_response_id {
            let previous = number_of(id, "resp_").and_then(|number| memory.find(number));
            let previous = previous.ok_or_else(|| {
                let message = format!("Previous response with id '{id}' not found.");
                Problem::invalid_at("previous_response_id", message)
                    .with_code("previous_response_not_found")
            })?;
            self.items.splice(..0, previous.items.iter().cloned());
            recalled = true;
        }
        items::check_calls(&self.items)?;
        Ok(recalled)
    }

    fn verify_state(&self, strict: bool) -> Result<(), Problem> {
        items::verify_state(&self.items, strict)
    }

    fn turn(&self, prompt: &str) -> Turn {
        let items: u64 = self.items.iter().map(|item| item.cost()).sum();
        let instructions = self.instructions.as_ref().map_or(0, String::len);
        let choice = self.tool_choice.as_ref().map(open_ai::tool_choice);
        Turn {
            prompt: prompt.to_owned(),
            input_tokens: items + tokens_of(instructions),
            output_tokens_max: self.max_output_tokens,
            tools: self.tools.iter().filter_map(open_ai::tool).collect(),
            choice: choice.map(|(_, meant)| meant).unwrap_or_default(),
            one_tool: self.parallel_tool_calls == Some(false),
            after_tools: self.items.last().is_some_and(|last| last.is_tool_output()),
            output: open_ai::output(self.text.format.as_ref()),
            stop: None,
            recite: None,
        }
    }

    fn hear(&self) -> Heard {
        let mut heard = Heard {
            model: self.model.clone(),
            system: self.instructions.iter().cloned().collect(),
            tools: self.tools.iter().map(open_ai::tool_name).collect(),
            tool_choice: self
                .tool_choice
                .as_ref()
                .map(|choice| open_ai::tool_choice(choice).0),
            parallel: self.parallel_tool_calls,
            output: (&open_ai::output(self.text.format.as_ref())).into(),
            temperature: self.temperature,
            top_p: self.top_p,
            max_tokens: self.max_output_tokens,
            effort: self.reasoning.effort.clone(),
            thoughts: self.reasoning.summary.is_some().then_some(true),
            stream: self.stream,
            ..Heard::default()
        };
        for item in &self.items {
            item.hear(&mut heard);
        }
        heard
    }

    fn write(&self, reply: &Reply, identity: Identity<'_>) -> Written {
        if self.stream {
            self.stream(reply, identity)
        } else {
            Written::Whole(json_bytes(&self.ended(reply, identity)), reply.usage)
        }
    }

    fn stored(&self, reply: &Reply, identity: Identity<'_>) -> Option<Stored> {
        if self.store == Some(false) {
            return None;
        }
        let response = self.ended(reply, identity);
        let output = response.get("output").and_then(Value::as_array);
        let output = output
            .into_iter()
            .flatten()
            .filter_map(|item| Item::deserialize(item).ok().map(Arc::new));
        Some(Stored {
            number: identity.id,
            items: self.items.iter().cloned().chain(output).collect(),
            response: json_bytes(&response).into(),
        })
    }

    fn write_error(&self, events: &mut super::Events, body: &Value) {
        // JSON has no bare line breaks, so that this counts events.
        let sent = memchr::memmem::find_iter(&events.bytes, b"\n\n").count();
        let told = &body["error"];
        let data = json!({
            "type": "error", "sequence_number": sent, "code": told["code"], "message": told["message"], "param": null,
        });
        events.named("error", &data);
    }

    fn malformed(&self) -> &'static str {
        "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.de\n\n"
    }
}

fn missing(field: &str) -> Problem {
    let message = format!("Missing required parameter: '{field}'.");
    Problem::invalid_at(field, message).with_code("missing_required_parameter")
}
