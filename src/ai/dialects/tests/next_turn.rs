//! The turn after an answer: the client sends it back as its library would, and the provider gets its own state again,
//! natively, while nobody else ever sees it.

use serde_json::{Value, json};

use super::corpus::{Outputs, input};
use super::translate::{PROVIDERS, Provider, Sent, context, target};
use super::{pairs, pretty};
use crate::ai::conversation::{Answer, Conversation, Part, Reasoning};
use crate::ai::dialects::{Dialect, convert};

/// Answers that leave something to come back to.
const SCENARIOS: [&str; 8] = [
    "tools",
    "tools_with_ids",
    "custom_tool",
    "reasoning",
    "thoughts",
    "open_thoughts",
    "hidden_thoughts",
    "refusal",
];

const RESULT: &str = "It is done.";
const GO_ON: &str = "Go on.";

/// A turn, its answer, and the turn after it.
struct Turns {
    client: Dialect,
    answer: Answer,
    next: Conversation,
}

impl Turns {
    /// `None` where the provider has no such answer.
    fn of(client: Dialect, provider: &Provider, scenario: &str) -> Option<Self> {
        let body = input(provider.dialect, "answer", scenario)?;
        let context = context(client, provider, scenario);
        let answer = convert::read_answer(provider.dialect, &body, &context).unwrap();
        let written = convert::write_answer(client, &answer, &context);
        let written: Value = serde_json::from_slice(&written).unwrap();
        let asked = input(client, "request", scenario).or_else(|| input(client, "request", "text"));
        let asked = asked.expect("every client asks for text");
        let asked: Value = serde_json::from_slice(&asked).unwrap();
        let next = next_request(client, asked, written);
        let mut next = convert::read_request(client, next.to_string().as_bytes()).unwrap();
        if client == Dialect::Chat {
            recall(&answer, &mut next);
        }
        Some(Self {
            client,
            answer,
            next,
        })
    }

    /// Everything that only the provider can read. A messages client is not given the state of a final text.
    fn states(&self) -> impl Iterator<Item = &str> {
        let parts = self
            .answer
            .choices
            .iter()
            .flat_map(|choice| match &*choice.parts {
                [said @ .., Part::Text(_), Part::Reasoning(last)]
                    if self.client == Dialect::Messages && last.text.is_empty() =>
                {
                    said
                }
                parts => parts,
            });
        let states = parts.filter_map(|part| match part {
            Part::Reasoning(thought) => thought.state.as_ref(),
            Part::ToolCall(call) => call.state.as_ref(),
            _ => None,
        });
        states
            .map(|state| &*state.data)
            .filter(|data| !data.is_empty())
    }
}

/// The request with the answer behind it, and results for its calls or a word of the user's.
fn next_request(client: Dialect, mut asked: Value, answer: Value) -> Value {
    let (turns, said) = match client {
        Dialect::Chat => ("messages", chat(&answer)),
        Dialect::Messages => ("messages", messages(&answer)),
        Dialect::Gemini => ("contents", gemini(&answer)),
        _ => ("input", responses(&answer)),
    };
    if let Value::String(text) = &asked[turns] {
        asked[turns] = json!([{"role": "user", "content": text}]);
    }
    asked[turns].as_array_mut().unwrap().extend(said);
    asked
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], |list| list)
}

fn chat(answer: &Value) -> Vec<Value> {
    let message = &answer["choices"][0]["message"];
    let results = list(&message["tool_calls"]).iter();
    let results =
        results.map(|call| json!({"role": "tool", "tool_call_id": call["id"], "content": RESULT}));
    let results: Vec<Value> = results.collect();
    after(
        message.clone(),
        results,
        json!({"role": "user", "content": GO_ON}),
    )
}

fn responses(answer: &Value) -> Vec<Value> {
    let output = list(&answer["output"]);
    let results = output.iter().filter_map(|item| {
        let kind = match item["type"].as_str()? {
            "function_call" => "function_call_output",
            "custom_tool_call" => "custom_tool_call_output",
            _ => return None,
        };
        Some(json!({"type": kind, "call_id": item["call_id"], "output": RESULT}))
    });
    let results: Vec<Value> = results.collect();
    let go_on = json!({"role": "user", "content": GO_ON});
    let then = if results.is_empty() {
        vec![go_on]
    } else {
        results
    };
    output.iter().cloned().chain(then).collect()
}

fn messages(answer: &Value) -> Vec<Value> {
    let content = &answer["content"];
    let calls = list(content)
        .iter()
        .filter(|block| block["type"] == "tool_use");
    let results = calls
        .map(|call| json!({"type": "tool_result", "tool_use_id": call["id"], "content": RESULT}));
    let results: Vec<Value> = results.collect();
    let then = match results.is_empty() {
        true => json!(GO_ON),
        false => json!(results),
    };
    let user = json!({"role": "user", "content": then});
    vec![json!({"role": "assistant", "content": content}), user]
}

fn gemini(answer: &Value) -> Vec<Value> {
    let content = &answer["candidates"][0]["content"];
    let calls = list(&content["parts"]).iter();
    let calls = calls.filter_map(|part| part.get("functionCall"));
    let results = calls.map(|call| {
        json!({"functionResponse": {"id": call["id"], "name": call["name"], "response": {"result": RESULT}}})
    });
    let results: Vec<Value> = results.collect();
    let then = match results.is_empty() {
        true => json!([{"text": GO_ON}]),
        false => json!(results),
    };
    vec![content.clone(), json!({"role": "user", "parts": then})]
}

fn after(said: Value, results: Vec<Value>, go_on: Value) -> Vec<Value> {
    let then = if results.is_empty() {
        vec![go_on]
    } else {
        results
    };
    std::iter::once(said).chain(then).collect()
}

/// What the gateway's memory does for a client whose dialect has no place for state: it keeps it by tool call.
fn recall(answer: &Answer, next: &mut Conversation) {
    let mut thoughts: Vec<Reasoning> = Vec::new();
    for part in answer.choices.iter().flat_map(|choice| &choice.parts) {
        match part {
            Part::Reasoning(thought) if thought.state.is_some() => thoughts.push(thought.clone()),
            Part::ToolCall(kept) => {
                for message in &mut next.messages {
                    let at = message.parts.iter().position(
                        |part| matches!(part, Part::ToolCall(call) if call.id == kept.id),
                    );
                    let Some(at) = at else { continue };
                    if let Some(Part::ToolCall(call)) = message.parts.get_mut(at) {
                        call.state.clone_from(&kept.state);
                    }
                    let thoughts = thoughts.drain(..).map(Part::Reasoning);
                    message.parts.splice(at..at, thoughts);
                }
            }
            _ => {}
        }
    }
}

#[test]
fn golden_next_turns_give_the_provider_its_own_state_again() {
    let mut outputs = Outputs::of("next");
    for (client, provider) in pairs() {
        for scenario in SCENARIOS {
            let Some(turns) = Turns::of(client, provider, scenario) else {
                continue;
            };
            let result =
                convert::write_request(provider.dialect, &turns.next, &target(provider, false));
            let sent = Sent::new(client, result).to_string();
            let whole = client != Dialect::Chat || scenario == "reasoning";
            for state in turns.states().filter(|_| whole) {
                let quoted = Value::from(state).to_string();
                let native =
                    sent.contains(&quoted) || sent.contains(pretty::json(state.as_bytes()).trim());
                assert!(native, "{client:?} {provider:?} {scenario} lost {state}");
            }
            outputs.put(
                client,
                provider.dialect,
                format!("next.{scenario}.json"),
                sent,
            );
        }
    }
    outputs.settle();
}

#[test]
fn a_providers_state_is_shown_to_nobody_else() {
    for (client, provider) in pairs() {
        for scenario in SCENARIOS {
            let Some(turns) = Turns::of(client, provider, scenario) else {
                continue;
            };
            // Another provider takes over, which may speak what the client speaks.
            for other in PROVIDERS
                .iter()
                .filter(|other| other.dialect != provider.dialect)
            {
                let sent =
                    convert::write_request(other.dialect, &turns.next, &target(other, false));
                let sent = String::from_utf8(sent.unwrap().body.to_vec()).unwrap();
                let told = |state: &str| sent.contains(state);
                assert!(
                    !turns.states().any(told) && !told("fgs1."),
                    "{client:?} {provider:?} {other:?} {scenario}: {sent}"
                );
            }
        }
    }
}
