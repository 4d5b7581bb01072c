//! State that a provider hands out with an answer and must see again with the next request: Anthropic's thinking
//! signatures, Gemini's thought signatures, OpenAI's encrypted reasoning, a compatible server's reasoning text.
//!
//! It means something to the dialect it came from and to nobody else. A client whose dialect has a place for such
//! state carries it there: natively where the dialects are the same, else sealed, which is the state, its origin and
//! the reasoning it belongs to in one text that survives any client. It is no secret and no proof; the provider
//! checks its own.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::Reasoning;
use crate::ai::dialects::Dialect;

/// One piece of a provider's own state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opaque {
    /// The dialect it was spoken in, and the only one it may be sent in again.
    #[serde(rename = "o")]
    pub origin: Dialect,
    #[serde(rename = "k")]
    pub kind: OpaqueKind,
    #[serde(rename = "d")]
    pub data: String,
    /// The id of the item it came in, where it had one (OpenAI's `rs_…`).
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub item_id: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OpaqueKind {
    /// Proves the text beside it: Anthropic's `signature`, Gemini's `thoughtSignature`.
    #[serde(rename = "s")]
    Signature,
    /// Stands for text that is not shown: Anthropic's `redacted_thinking`, OpenAI's `encrypted_content`.
    #[serde(rename = "e")]
    Encrypted,
    /// No more than the text beside it, which the provider wants back (`reasoning_content` of compatible servers).
    #[serde(rename = "t")]
    Text,
}

/// Marks a sealed text. No provider's own state begins like this.
const SEAL: &str = "fgs1.";

#[derive(Serialize, Deserialize)]
struct Sealed {
    #[serde(flatten)]
    state: Opaque,
    #[serde(rename = "t", default, skip_serializing_if = "String::is_empty")]
    text: String,
    #[serde(rename = "s", default, skip_serializing_if = "std::ops::Not::not")]
    summary: bool,
}

impl Reasoning {
    /// Its state and text in one, for a client whose dialect can carry state but not this one's; `None` without state.
    pub fn sealed(&self) -> Option<String> {
        let sealed = Sealed {
            state: self.state.clone()?,
            text: self.text.clone(),
            summary: self.summary,
        };
        let json = serde_json::to_vec(&sealed).expect("plain strings are always JSON");
        Some(format!("{SEAL}{}", URL_SAFE_NO_PAD.encode(json)))
    }

    /// What [`Reasoning::sealed`] gave; `None` for a text that no gateway sealed.
    pub fn unseal(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(SEAL)?).ok()?;
        let sealed: Sealed = serde_json::from_slice(&bytes).ok()?;
        Some(Self {
            text: sealed.text,
            summary: sealed.summary,
            state: Some(sealed.state),
        })
    }
}

/// Whether sealed state may stand in a request body; text that only looks like it counts too.
pub fn holds_sealed(body: &[u8]) -> bool {
    memchr::memmem::find(body, SEAL.as_bytes()).is_some()
}

impl Opaque {
    /// This alone in one text; for the state of a tool call.
    pub fn sealed(&self) -> String {
        let reasoning = Reasoning {
            state: Some(self.clone()),
            ..Reasoning::default()
        };
        reasoning.sealed().unwrap_or_default()
    }

    /// What [`Opaque::sealed`] gave.
    pub fn unseal(text: &str) -> Option<Self> {
        Reasoning::unseal(text)?.state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_thought_comes_back_as_it_was() {
        let reasoning = Reasoning {
            text: "ä \"b\"".into(),
            summary: true,
            state: Some(Opaque {
                origin: Dialect::Messages,
                kind: OpaqueKind::Signature,
                data: "c2ln".into(),
                item_id: None,
            }),
        };
        let sealed = reasoning.sealed().unwrap();
        assert!(sealed.bytes().all(|byte| byte.is_ascii_graphic()));
        assert_eq!(Reasoning::unseal(&sealed), Some(reasoning));
        for text in ["", "c2ln", "fgs1.", "fgs1.!!!", "fgs1.e30"] {
            assert_eq!(Reasoning::unseal(text), None, "{text}");
        }
        assert_eq!(Reasoning::default().sealed(), None);
    }
}
