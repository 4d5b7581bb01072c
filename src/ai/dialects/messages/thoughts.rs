//! Thinking blocks as carriers of state, this dialect's own and that of others.
//!
//! ```text
//! state of                      with text                            without text
//! Anthropic, a signature        thinking, its signature              thinking, empty, its signature
//! Anthropic, encrypted          –                                    redacted_thinking, its data
//! another dialect               thinking, signature = sealed state   redacted_thinking, data = sealed state
//! nobody                        thinking, signature = ""             nothing
//! another dialect's tool call   –                                    redacted_thinking, data = sealed state that
//!                                                                    names the call by its id
//! ```
//!
//! The sealed state does not repeat the text beside it: clients send whole blocks back or leave them out.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::blocks::Block;
use crate::ai::conversation::{Opaque, OpaqueKind, Part, Reasoning, ToolCall};
use crate::ai::dialects::Dialect;

/// How every sealed text begins; a test holds it to the sealer's own.
const SEAL: &str = "fgs1.";

const SIGNATURE_KEY: &[u8] = b"\"signature\"";

/// A thinking block of a request.
pub(super) fn read_thinking(thinking: String, signature: String) -> Reasoning {
    if let Some(mut sealed) = Reasoning::unseal(&signature) {
        if sealed.text.is_empty() {
            sealed.text = thinking;
        }
        return sealed;
    }
    own_thinking(thinking, Some(signature))
}

/// A thinking block of Anthropic's own. What its models show is a summary of what they thought.
pub(super) fn own_thinking(thinking: String, signature: Option<String>) -> Reasoning {
    Reasoning {
        summary: !thinking.is_empty(),
        text: thinking,
        state: signature
            .filter(|signature| !signature.is_empty())
            .map(|data| own(OpaqueKind::Signature, data)),
    }
}

/// A `redacted_thinking` block of a request.
pub(super) fn read_redacted(data: String) -> Reasoning {
    Reasoning::unseal(&data).unwrap_or_else(|| own_redacted(data))
}

/// A `redacted_thinking` block of Anthropic's own.
pub(super) fn own_redacted(data: String) -> Reasoning {
    Reasoning {
        state: Some(own(OpaqueKind::Encrypted, data)),
        ..Reasoning::default()
    }
}

fn own(kind: OpaqueKind, data: String) -> Opaque {
    Opaque {
        origin: Dialect::Messages,
        kind,
        data,
        item_id: None,
    }
}

/// Gives the calls of one message the state that was carried beside them, see [`sealed_for_call`]. It goes on naming
/// its call, as state that a Gemini model puts on a call does from the start.
pub(super) fn return_call_states(parts: &mut Vec<Part>) {
    let mut index = 0;
    while let Some(part) = parts.get(index) {
        let named = match part {
            Part::Reasoning(reasoning) if reasoning.text.is_empty() => reasoning.state.clone(),
            _ => None,
        };
        let owner = named.and_then(|state| {
            let id = state.item_id.as_deref()?;
            let call = parts.iter_mut().find_map(|part| match part {
                Part::ToolCall(call) if call.id == id => Some(call),
                _ => None,
            })?;
            call.state = Some(state);
            Some(())
        });
        match owner {
            Some(()) => {
                parts.remove(index);
            }
            None => index += 1,
        }
    }
}

/// What to write for one thought. The text of Anthropic's encrypted state, which has none, would be unsigned.
pub(super) enum Carrier<'a> {
    Thinking {
        text: &'a str,
        signature: Cow<'a, str>,
    },
    Redacted(Cow<'a, str>),
    Nothing,
}

/// For a client: every thought has a place, whoever had it.
pub(super) fn for_client(reasoning: &Reasoning) -> Carrier<'_> {
    let text = &*reasoning.text;
    let Some(state) = &reasoning.state else {
        return match text {
            "" => Carrier::Nothing,
            text => Carrier::Thinking {
                text,
                signature: Cow::Borrowed(""),
            },
        };
    };
    match (state.origin, state.kind) {
        (Dialect::Messages, OpaqueKind::Encrypted) => Carrier::Redacted(Cow::Borrowed(&state.data)),
        (Dialect::Messages, _) => Carrier::Thinking {
            text,
            signature: Cow::Borrowed(&state.data),
        },
        _ if text.is_empty() => Carrier::Redacted(Cow::Owned(sealed(state, reasoning.summary))),
        _ => Carrier::Thinking {
            text,
            signature: Cow::Owned(sealed(state, reasoning.summary)),
        },
    }
}

/// For Anthropic: its own thoughts, since it verifies them; those of others are left out.
pub(super) fn for_provider(reasoning: &Reasoning) -> Carrier<'_> {
    match &reasoning.state {
        Some(state) if state.origin == Dialect::Messages => for_client(reasoning),
        _ => Carrier::Nothing,
    }
}

impl<'a> Carrier<'a> {
    pub(super) fn block(self) -> Option<Block<'a>> {
        match self {
            Self::Thinking { text, signature } => Some(Block::Thinking {
                thinking: text,
                signature,
            }),
            Self::Redacted(data) => Some(Block::RedactedThinking { data }),
            Self::Nothing => None,
        }
    }
}

/// Another dialect's state in one text, without the thought it belongs to.
pub(super) fn sealed(state: &Opaque, summary: bool) -> String {
    let reasoning = Reasoning {
        text: String::new(),
        summary,
        state: Some(state.clone()),
    };
    reasoning.sealed().unwrap_or_default()
}

/// The state of a tool call in one text that names the call: `tool_use` blocks have no field for it.
pub(super) fn sealed_for_call(state: &Opaque, call_id: &str) -> String {
    let named = Opaque {
        item_id: Some(call_id.to_owned()),
        ..state.clone()
    };
    named.sealed()
}

/// The block that carries a call's state, if it has any.
pub(super) fn call_state_block<'a>(call: &ToolCall) -> Option<Block<'a>> {
    let state = call.state.as_ref()?;
    Some(Block::RedactedThinking {
        data: Cow::Owned(sealed_for_call(state, &call.id)),
    })
}

/// Whether a block holds nothing but another dialect's state.
pub(super) fn is_sealed_alone(block: &Block<'_>) -> bool {
    matches!(block, Block::RedactedThinking { data } if data.starts_with(SEAL))
}

/// Whether a body may hold thoughts that are not Anthropic's; never a wrong no.
pub(super) fn may_hold_foreign(body: &[u8]) -> bool {
    memchr::memmem::find(body, SEAL.as_bytes()).is_some()
        || memchr::memmem::find_iter(body, SIGNATURE_KEY).any(|at| {
            let rest = body.get(at + SIGNATURE_KEY.len()..).unwrap_or_default();
            let mut value = rest
                .iter()
                .filter(|byte| !byte.is_ascii_whitespace() && **byte != b':');
            value.next() == Some(&b'"') && value.next() == Some(&b'"')
        })
}

/// Whether a content block is a thought that Anthropic would refuse: sealed by a gateway, or unsigned.
pub(super) fn is_foreign_block(block: &RawValue) -> bool {
    #[derive(Deserialize)]
    struct Thought<'a> {
        #[serde(borrow)]
        r#type: Cow<'a, str>,
        #[serde(default)]
        signature: Option<String>,
        #[serde(default)]
        data: Option<String>,
    }
    let Ok(thought) = serde_json::from_str::<Thought<'_>>(block.get()) else {
        return false;
    };
    match &*thought.r#type {
        "thinking" => thought
            .signature
            .is_none_or(|signature| signature.is_empty() || signature.starts_with(SEAL)),
        "redacted_thinking" => thought.data.is_some_and(|data| data.starts_with(SEAL)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn foreign() -> Opaque {
        Opaque {
            origin: Dialect::Gemini,
            kind: OpaqueKind::Signature,
            data: "c2ln".into(),
            item_id: None,
        }
    }

    /// What a client sends back when it was given `reasoning`.
    fn echoed(reasoning: &Reasoning) -> Option<Reasoning> {
        match for_client(reasoning) {
            Carrier::Thinking { text, signature } => {
                Some(read_thinking(text.to_owned(), signature.into_owned()))
            }
            Carrier::Redacted(data) => Some(read_redacted(data.into_owned())),
            Carrier::Nothing => None,
        }
    }

    #[test]
    fn every_kind_of_thought_comes_back_as_it_was() {
        let thought = |text: &str, summary, state: Option<Opaque>| Reasoning {
            text: text.into(),
            summary,
            state,
        };
        let rows = [
            thought("hm", true, Some(own(OpaqueKind::Signature, "RXE=".into()))),
            thought("", false, Some(own(OpaqueKind::Signature, "RXE=".into()))),
            thought("", false, Some(own(OpaqueKind::Encrypted, "ZW5j".into()))),
            thought("hm", false, Some(foreign())),
            thought("hm", true, Some(foreign())),
            thought("", false, Some(foreign())),
            thought("hm", true, None),
        ];
        for row in rows {
            assert_eq!(echoed(&row), Some(row.clone()), "{row:?}");
        }
        assert_eq!(echoed(&thought("", false, None)), None);
    }

    #[test]
    fn anthropic_is_shown_its_own_thoughts_alone() {
        let shown = |state: Option<Opaque>| {
            let reasoning = Reasoning {
                text: "hm".into(),
                summary: true,
                state,
            };
            for_provider(&reasoning).block().is_some()
        };
        assert!(shown(Some(own(OpaqueKind::Signature, "RXE=".into()))));
        assert!(!shown(Some(foreign())));
        assert!(!shown(None));
    }

    #[test]
    fn a_calls_state_finds_its_call_again_on_either_side_of_it() {
        let call = |id: &str, state| {
            Part::ToolCall(ToolCall {
                id: id.into(),
                name: "f".into(),
                arguments: "{}".into(),
                custom: false,
                state,
            })
        };
        let carried = |id: &str| Part::Reasoning(read_redacted(sealed_for_call(&foreign(), id)));
        let mut parts = vec![call("a", None), carried("a"), carried("b"), call("b", None)];
        return_call_states(&mut parts);
        let named = |id: &str| {
            Some(Opaque {
                item_id: Some(id.into()),
                ..foreign()
            })
        };
        assert_eq!(parts, [call("a", named("a")), call("b", named("b"))]);
        let mut lone = vec![carried("gone"), call("a", None)];
        return_call_states(&mut lone);
        assert_eq!(lone.len(), 2, "a state without its call stays a thought");
    }

    #[test]
    fn the_seal_is_the_sealers_own() {
        assert!(foreign().sealed().starts_with(SEAL));
    }
}
