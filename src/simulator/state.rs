//! The opaque state of a thought: what a provider hands out with an answer and wants back, unaltered, with the next
//! request.
//!
//! Nothing is remembered. A sealed state is a tag, which names the answer it was made for, and a hash over the tag
//! and whatever else the state vouches for. The ids of tool calls that were made with reasoning carry the tag too, so
//! that a missing state, an altered one and one of another answer are all found out.

use std::fmt;

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use sha2::{Digest, Sha256};

/// What precedes the tag in the id of a tool call that was made with reasoning.
const MARK: &str = "_rs";

const TAG_BYTES: usize = 4;

/// With padding or without: clients may leave it out.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Names the answer that a state belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Tag([u8; TAG_BYTES]);

/// Which of the states: one kind is never taken for another.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Anthropic's signature of a thinking block, which vouches for its text.
    Thinking,
    /// The data of Anthropic's redacted thinking block.
    Redacted,
    /// Gemini's signature on a function call, which vouches for the call.
    Call,
    /// Gemini's signature on a text.
    Text,
    /// The encrypted content of a reasoning item.
    Encrypted,
}

impl Tag {
    /// The tag of the answer with this id.
    pub fn of(id: u64) -> Self {
        let hash = Sha256::new().chain_update(id.to_be_bytes()).finalize();
        let mut tag = [0; TAG_BYTES];
        tag.copy_from_slice(&hash[..TAG_BYTES]);
        Self(tag)
    }

    /// The tag in the id of a tool call, if that call was made with reasoning.
    pub fn in_id(id: &str) -> Option<Self> {
        let (_, digits) = id.rsplit_once(MARK)?;
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        if !is_hex || digits.len() != TAG_BYTES * 2 {
            return None;
        }
        let number = u32::from_str_radix(digits, 16).ok()?;
        Some(Self(number.to_be_bytes()))
    }

    /// What is added to the id of a tool call.
    pub fn mark(self) -> String {
        format!("{MARK}{self}")
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The state of answer `tag`, which vouches for `subject`.
pub fn seal(kind: Kind, subject: &str, tag: Tag) -> String {
    let mut state = tag.0.to_vec();
    state.extend_from_slice(&hash(kind, subject, tag));
    STANDARD.encode(state)
}

/// The answer that a state was made for; `None` when it is no state of ours, or does not vouch for `subject`.
pub fn open(kind: Kind, subject: &str, sealed: &str) -> Option<Tag> {
    let state = decode(sealed)?;
    let (tag, rest) = state.split_first_chunk::<TAG_BYTES>()?;
    let tag = Tag(*tag);
    (rest == hash(kind, subject, tag)).then_some(tag)
}

/// Base64 of either alphabet.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    if text.contains(['-', '_']) {
        LENIENT
            .decode(text.replace('-', "+").replace('_', "/"))
            .ok()
    } else {
        LENIENT.decode(text).ok()
    }
}

fn hash(kind: Kind, subject: &str, tag: Tag) -> [u8; 32] {
    let hash = Sha256::new()
        .chain_update(format!("simulated state of {kind:?}\0"))
        .chain_update(tag.0)
        .chain_update(subject);
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_opens_only_for_what_it_was_sealed_for() {
        let tag = Tag::of(7);
        let sealed = seal(Kind::Thinking, "first this", tag);
        assert_eq!(open(Kind::Thinking, "first this", &sealed), Some(tag));
        assert_eq!(open(Kind::Thinking, "first that", &sealed), None);
        assert_eq!(open(Kind::Call, "first this", &sealed), None);
        assert_eq!(
            open(Kind::Thinking, "first this", &sealed.replacen('A', "B", 1)),
            (!sealed.contains('A')).then_some(tag)
        );
        let url_safe = sealed.replace('+', "-").replace('/', "_");
        let bare = url_safe.trim_end_matches('=');
        assert_eq!(open(Kind::Thinking, "first this", bare), Some(tag));
        for broken in ["", "AAAA", "no state", "c2tpcA=="] {
            assert_eq!(open(Kind::Thinking, "", broken), None, "{broken}");
        }
    }

    #[test]
    fn an_id_says_which_answer_its_call_belongs_to() {
        let tag = Tag::of(7);
        let id = format!("toolu_01{}", tag.mark());
        assert_eq!(Tag::in_id(&id), Some(tag));
        for other in [
            "toolu_01",
            "call_rs",
            "call_rs12",
            "call_rs1234567x",
            "_rs+1234567",
        ] {
            assert_eq!(Tag::in_id(other), None, "{other}");
        }
    }
}
