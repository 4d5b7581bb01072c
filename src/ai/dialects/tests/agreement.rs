//! A stream tells the same answer as the whole answer of the same scenario does, to the provider's own reader and to
//! the client's.
//!
//! What may differ: where pieces of text are cut, white space in arguments, and where among its neighbours the state
//! of a call stands.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use ferrogate_api::Tokens;
use serde_json::Value;

use super::corpus::inputs;
use super::pairs;
use super::translate::{Provider, context, main_providers, run};
use crate::ai::conversation::{Answer, Assembly, Event, Finish, Part, Reasoning};
use crate::ai::dialects::convert::{self, EventReader};
use crate::ai::dialects::{AnswerContext, Dialect};
use crate::ai::streaming::sse::Splitter;

/// An answer without what may differ.
#[derive(Debug, PartialEq)]
struct Told {
    id: Option<String>,
    model: Option<String>,
    usage: Option<Tokens>,
    choices: Vec<(Vec<Said>, BTreeSet<String>, Finish)>,
}

#[derive(Debug, PartialEq)]
enum Said {
    Text(String),
    Refusal(String),
    Thought(String),
    Call(String, String, Value),
}

impl Told {
    fn of(answer: &Answer) -> Self {
        let choices = answer.choices.iter().map(|choice| {
            let (said, states) = said(&choice.parts);
            (said, states, choice.finish.clone())
        });
        Self {
            id: answer.id.clone(),
            model: answer.model.clone(),
            usage: answer.usage,
            choices: choices.collect(),
        }
    }
}

fn said(parts: &[Part]) -> (Vec<Said>, BTreeSet<String>) {
    let mut all: Vec<Said> = Vec::new();
    let mut states = BTreeSet::new();
    for part in parts {
        match part {
            Part::Text(more) => match all.last_mut() {
                Some(Said::Text(text)) => text.push_str(more),
                _ => all.push(Said::Text(more.clone())),
            },
            Part::Refusal(more) => all.push(Said::Refusal(more.clone())),
            Part::Reasoning(thought) => {
                let state = thought.state.as_ref();
                let thought = unsealed(thought);
                states.extend(
                    thought
                        .state
                        .as_ref()
                        .or(state)
                        .map(|state| state.data.clone()),
                );
                match all.last_mut() {
                    _ if thought.text.is_empty() => {}
                    Some(Said::Thought(text)) => text.push_str(&thought.text),
                    _ => all.push(Said::Thought(thought.text)),
                }
            }
            Part::ToolCall(call) => {
                states.extend(call.state.as_ref().map(|state| state.data.clone()));
                let arguments = match call.custom {
                    true => Value::from(&*call.arguments),
                    false => serde_json::from_str(&call.arguments).unwrap(),
                };
                all.push(Said::Call(call.id.clone(), call.name.clone(), arguments));
            }
            other => panic!("no answer holds {other:?}"),
        }
    }
    (all, states)
}

/// Readers of answers leave it to readers of requests to open what the gateway sealed.
fn unsealed(thought: &Reasoning) -> Reasoning {
    let data = thought.state.as_ref().map(|state| &*state.data);
    let Some(opened) = data.and_then(Reasoning::unseal) else {
        return thought.clone();
    };
    Reasoning {
        text: thought.text.clone(),
        ..opened
    }
}

/// What a stream tells its reader.
fn assembled(dialect: Dialect, context: &Arc<AnswerContext>, stream: &[u8]) -> Answer {
    let mut reader = EventReader::new(dialect, Arc::clone(context));
    let (mut splitter, mut events) = (Splitter::default(), Vec::new());
    splitter.push(Bytes::copy_from_slice(stream));
    while let Some(event) = splitter.next_event() {
        reader.read(&event, &mut events).unwrap();
    }
    let ends = events.last() == Some(&Event::Ended) || reader.may_end_here();
    assert!(ends, "{}", String::from_utf8_lossy(stream));
    let mut assembly = Assembly::default();
    for event in &events {
        assembly.take(event);
    }
    assembly.into_answer()
}

/// Streams of a provider with the whole answer that each of them tells.
fn twice_told(provider: &Provider) -> Vec<(String, Vec<u8>, Vec<u8>)> {
    let answers = inputs(provider.dialect, "answer");
    let streams = inputs(provider.dialect, "stream").into_iter();
    let both = streams.filter_map(|(scenario, stream)| {
        let whole = match &*scenario {
            "tools_interleaved" | "tools_whole" | "tools_at_end" => "tools",
            scenario => scenario,
        };
        // What fails is told in another way.
        let whole = answers.get(whole).filter(|_| scenario != "failed")?;
        Some((scenario, whole.clone(), stream))
    });
    both.collect()
}

#[test]
fn a_providers_stream_tells_what_its_whole_answer_tells() {
    for provider in main_providers() {
        for (scenario, whole, stream) in twice_told(provider) {
            let context = context(Dialect::Responses, provider, &scenario);
            let whole = convert::read_answer(provider.dialect, &whole, &context).unwrap();
            let streamed = assembled(provider.dialect, &context, &stream);
            let told = (Told::of(&streamed), Told::of(&whole));
            assert_eq!(told.0, told.1, "{:?} {scenario}", provider.dialect);
        }
    }
}

#[test]
fn a_translated_stream_tells_its_client_what_the_whole_answer_tells() {
    for (client, provider) in pairs() {
        for (scenario, whole, stream) in twice_told(provider) {
            let context = context(client, provider, &scenario);
            let whole = convert::read_answer(provider.dialect, &whole, &context).unwrap();
            let whole = convert::write_answer(client, &whole, &context);
            let whole = convert::read_answer(client, &whole, &context).unwrap();
            let streamed = run(client, provider, &scenario, [&*stream]);
            let streamed = assembled(client, &context, &streamed.bytes);
            let told = (Told::of(&streamed), Told::of(&whole));
            assert_eq!(
                told.0, told.1,
                "{client:?} {:?} {scenario}",
                provider.dialect
            );
        }
    }
}
