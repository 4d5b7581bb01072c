//! `thoughtSignature`: state that a model wants to see again, on whatever part of an answer it stands.
//!
//! The field is base64 of bytes that only the provider reads, and client libraries decode and encode it. So the state
//! of another provider's model, for a client of this dialect, is sealed and then base64 once more.
//!
//! Where it stood is kept by three marks, so that it goes back to the same place:
//! 1. On a call: it is the call's own state, and `item_id` is the call's id. A dialect that can carry reasoning but
//!    nothing on a call gives it back alone; the id says where it belongs.
//! 2. On text: alone right after the text, [`OpaqueKind::Signature`], which proves the text beside it.
//! 3. On a part with no text (the last one of a stream): alone, [`OpaqueKind::Encrypted`], since it stands for itself.

use std::borrow::Cow;

use super::base64_text;
use crate::ai::conversation::{Opaque, OpaqueKind, Reasoning};
use crate::ai::dialects::Dialect;

/// What a call from another model's history carries where a signature is demanded.
/// <https://ai.google.dev/gemini-api/docs/thought-signatures#faqs>
pub(super) const PLACEHOLDER: &str = "skip_thought_signature_validator";

/// Whether a signature is one of the words that Google documents for calls without one. Client libraries put them in,
/// as text or as bytes; they are the state of nothing.
pub(super) fn is_placeholder(signature: &str) -> bool {
    const WORDS: [&str; 2] = [PLACEHOLDER, "context_engineering_is_the_way_to_go"];
    WORDS.contains(&signature)
        || base64_text::decode(signature)
            .is_some_and(|bytes| WORDS.iter().any(|word| word.as_bytes() == bytes))
}

/// The state on a call with the id `call_id`.
pub(super) fn on_call(signature: &str, call_id: &str) -> Opaque {
    Opaque {
        item_id: Some(call_id.to_owned()),
        ..native(signature, OpaqueKind::Signature)
    }
}

/// The state beside a text, shown or thought, that may be empty.
pub(super) fn beside_text(signature: &str, text: &str) -> Opaque {
    let kind = if text.is_empty() {
        OpaqueKind::Encrypted
    } else {
        OpaqueKind::Signature
    };
    native(signature, kind)
}

fn native(signature: &str, kind: OpaqueKind) -> Opaque {
    Opaque {
        origin: Dialect::Gemini,
        kind,
        data: signature.to_owned(),
        item_id: None,
    }
}

/// What was sealed into a client's signature by [`for_client`] or [`call_for_client`].
pub(super) fn unsealed(signature: &str) -> Option<Reasoning> {
    let bytes = base64_text::decode(signature)?;
    Reasoning::unseal(std::str::from_utf8(&bytes).ok()?)
}

/// A thought whose state a client put on the call behind it, as those do that keep no thought without words. Anthropic's
/// and OpenAI's state is always a thought's, never a call's.
pub(super) fn moved_to_call(signature: &str) -> Option<Reasoning> {
    unsealed(signature).filter(|reasoning| {
        let origin = reasoning.state.as_ref().map(|state| state.origin);
        matches!(origin, Some(Dialect::Responses | Dialect::Messages))
    })
}

/// The signature that a client is given for a piece of reasoning; `None` without state.
pub(super) fn for_client(reasoning: &Reasoning) -> Option<Cow<'_, str>> {
    let state = reasoning.state.as_ref()?;
    if state.origin == Dialect::Gemini {
        return Some(Cow::Borrowed(&state.data));
    }
    let sealed = reasoning.sealed()?;
    Some(Cow::Owned(base64_text::encode(sealed.as_bytes())))
}

/// The signature that a client is given for a call.
pub(super) fn call_for_client(state: &Opaque) -> Cow<'_, str> {
    if state.origin == Dialect::Gemini {
        return Cow::Borrowed(&state.data);
    }
    Cow::Owned(base64_text::encode(state.sealed().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_state_is_base64_that_comes_back_through_either_alphabet() {
        let reasoning = Reasoning {
            text: "hm ?>?>".into(),
            summary: false,
            state: Some(Opaque {
                origin: Dialect::Messages,
                kind: OpaqueKind::Signature,
                data: "abc".into(),
                item_id: None,
            }),
        };
        let given = for_client(&reasoning).unwrap();
        assert!(base64_text::decode(&given).is_some());
        assert_eq!(unsealed(&given), Some(reasoning.clone()));
        let url_safe = given.replace('+', "-").replace('/', "_");
        assert_eq!(unsealed(url_safe.trim_end_matches('=')), Some(reasoning));
    }

    #[test]
    fn the_providers_own_signature_is_given_as_it_is() {
        let state = on_call("c2ln", "call_1");
        assert_eq!(call_for_client(&state), "c2ln");
        assert_eq!(state.item_id.as_deref(), Some("call_1"));
        assert_eq!(unsealed("c2ln"), None);
        assert_eq!(unsealed("not base64!"), None);
        assert_eq!(beside_text("c2ln", "").kind, OpaqueKind::Encrypted);
        assert_eq!(beside_text("c2ln", "x").kind, OpaqueKind::Signature);
    }
}
