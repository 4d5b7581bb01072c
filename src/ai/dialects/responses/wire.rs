//! The items that both a client and a provider send: what the model said, thought and called.

use serde::Deserialize;
use serde_json::Value;

use crate::ai::conversation::{Opaque, OpaqueKind, Reasoning, ToolCall};
use crate::ai::dialects::Dialect;

/// Between the parts of a summary, and between messages that follow each other: each is a paragraph of its own.
pub(super) const PARAGRAPH: &str = "\n\n";

/// An item of an output, or of an input, that says something the model said.
#[derive(Debug)]
pub(super) enum Item {
    Message(Vec<MessagePart>),
    Reasoning(Thought),
    Call(Call),
    /// A tool that the provider ran itself, or something newer than this.
    Other,
}

/// A part of what the assistant said in a message.
#[derive(Debug, Deserialize)]
pub(super) struct MessagePart {
    #[serde(default)]
    pub(super) text: Option<String>,
    #[serde(default)]
    pub(super) refusal: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Thought {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    pub(super) summary: Option<Vec<ThoughtPart>>,
    #[serde(default)]
    pub(super) content: Option<Vec<ThoughtPart>>,
    #[serde(default)]
    encrypted_content: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ThoughtPart {
    #[serde(default)]
    pub(super) text: Option<String>,
}

/// A call, of a function or of a custom tool.
#[derive(Debug, Deserialize)]
pub(super) struct Call {
    #[serde(default)]
    pub(super) id: Option<String>,
    #[serde(default)]
    pub(super) call_id: Option<String>,
    #[serde(default)]
    pub(super) name: Option<String>,
    /// A text; some servers send the object itself.
    #[serde(default)]
    arguments: Option<Value>,
    #[serde(default)]
    input: Option<Value>,
    #[serde(skip)]
    pub(super) custom: bool,
}

impl Item {
    pub(super) fn read(item: Value) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Message {
            #[serde(default)]
            content: Option<Vec<MessagePart>>,
        }
        let custom = match item.get("type").and_then(Value::as_str) {
            Some("message") => {
                let message: Message = serde_json::from_value(item)?;
                return Ok(Self::Message(message.content.unwrap_or_default()));
            }
            Some("reasoning") => return serde_json::from_value(item).map(Self::Reasoning),
            Some("function_call") => false,
            Some("custom_tool_call") => true,
            _ => return Ok(Self::Other),
        };
        let mut call: Call = serde_json::from_value(item)?;
        call.custom = custom;
        Ok(Self::Call(call))
    }
}

impl Call {
    /// Its arguments, or free text; empty where there are none yet.
    pub(super) fn text(&mut self) -> String {
        let text = if self.custom {
            self.input.take()
        } else {
            self.arguments.take()
        };
        plain(text)
    }

    /// As it is held; `None` without an id or a name.
    pub(super) fn into_tool_call(mut self) -> Option<ToolCall> {
        let mut arguments = self.text();
        if arguments.is_empty() && !self.custom {
            "{}".clone_into(&mut arguments);
        }
        Some(ToolCall {
            id: self.call_id.or(self.id).filter(|id| !id.is_empty())?,
            name: self.name.filter(|name| !name.is_empty())?,
            arguments,
            custom: self.custom,
            state: None,
        })
    }
}

/// A text that may have come as the JSON value it should be the text of.
pub(super) fn plain(value: Option<Value>) -> String {
    match value {
        Some(Value::String(text)) => text,
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}

impl Thought {
    /// What the provider wants to see again. Thoughts that are shown and not encrypted are wanted as they are.
    pub(super) fn state(&self) -> Option<Opaque> {
        let encrypted = self.encrypted_content.as_deref().unwrap_or_default();
        let kind = match (encrypted.is_empty(), &self.content) {
            (false, _) => OpaqueKind::Encrypted,
            (true, Some(content)) if !joined(content).is_empty() => OpaqueKind::Text,
            (true, _) => return None,
        };
        Some(Opaque {
            origin: Dialect::Responses,
            kind,
            data: encrypted.to_owned(),
            item_id: self.id.clone(),
        })
    }

    /// Its summary and its thoughts, as two where it has both; the state belongs to the last.
    pub(super) fn into_reasoning(self) -> Vec<Reasoning> {
        let sealed = self.encrypted_content.as_deref();
        if let Some(reasoning) = sealed.and_then(Reasoning::unseal) {
            return vec![reasoning];
        }
        let state = self.state();
        let text = |parts: &Option<Vec<ThoughtPart>>| parts.as_deref().map(joined);
        let mut all: Vec<Reasoning> = [(text(&self.summary), true), (text(&self.content), false)]
            .into_iter()
            .filter_map(|(text, summary)| {
                Some(Reasoning {
                    text: text.filter(|text| !text.is_empty())?,
                    summary,
                    state: None,
                })
            })
            .collect();
        if all.is_empty() && state.is_some() {
            all.push(Reasoning::default());
        }
        if let Some(last) = all.last_mut() {
            last.state = state;
        }
        all
    }
}

fn joined(parts: &[ThoughtPart]) -> String {
    let texts: Vec<&str> = parts
        .iter()
        .filter_map(|part| part.text.as_deref())
        .collect();
    texts.join(PARAGRAPH)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reasoning_keeps_summary_thoughts_and_state_apart() {
        let check = |item: Value, expected: &[(&str, bool, Option<OpaqueKind>)]| {
            let Item::Reasoning(thought) = Item::read(item).unwrap() else {
                panic!("no reasoning");
            };
            let all = thought.into_reasoning();
            let found: Vec<_> = all
                .iter()
                .map(|one| {
                    (
                        &*one.text,
                        one.summary,
                        one.state.as_ref().map(|state| state.kind),
                    )
                })
                .collect();
            assert_eq!(found, expected);
        };
        let encrypted = Some(OpaqueKind::Encrypted);
        check(
            json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}], "encrypted_content": "x"}),
            &[("a\n\nb", true, encrypted)],
        );
        check(
            json!({"type": "reasoning", "summary": [], "content": null, "encrypted_content": "x"}),
            &[("", false, encrypted)],
        );
        check(
            json!({"type": "reasoning", "summary": [{"text": "s"}], "content": [{"type": "reasoning_text", "text": "t"}]}),
            &[("s", true, None), ("t", false, Some(OpaqueKind::Text))],
        );
        check(
            json!({"type": "reasoning", "summary": [{"text": "s"}]}),
            &[("s", true, None)],
        );
        check(
            json!({"type": "reasoning", "id": "rs_1", "summary": []}),
            &[],
        );
    }
}
