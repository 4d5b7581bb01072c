//! A client's request, read as a conversation: the top level. What stands in its fields is read by `read_input`,
//! `read_tools` and `read_controls`.
//!
//! `previous_response_id` is not read here: whoever keeps the answers puts the earlier messages in front (see
//! [`Conversation::own_instructions`]).

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::write_answer::repeated;
use super::{read_controls, read_input, read_tools};
use crate::ai::conversation::{Conversation, Message, Part, Role};
use crate::ai::dialects::{Dialect, json_object::invalid};
use crate::error::{ErrorKind, RequestError};

/// What is read elsewhere, or asks for nothing that an answer could lack.
const HARMLESS: [&str; 5] = [
    // The route's and the relay's.
    "model",
    "stream",
    // All it can ask for is padding of events, or none.
    "stream_options",
    // Resolved before.
    "previous_response_id",
    // Labels of the client's own, for OpenAI's statistics.
    "client_metadata",
];

/// How many fields are named one by one as not read.
const UNREAD_MAX: usize = 32;
const UNREAD_CHARS_MAX: usize = 64;

/// Reads a request.
///
/// # Errors
/// 400 naming the field that is wrong, or that only a provider of this dialect could honour.
pub(in crate::ai) fn read_request(body: &[u8]) -> Result<Conversation, RequestError> {
    let mut fields = Fields::parse(body)?;
    refuse_what_cannot_cross(&mut fields)?;
    let mut conversation = Conversation::new(Dialect::Responses);
    conversation.echo = fields.echo();
    let instructions: Option<String> = fields.take("instructions", "a text")?;
    if let Some(text) = instructions.filter(|text| !text.is_empty()) {
        let parts = vec![Part::Text(text)];
        conversation
            .messages
            .push(Message::new(Role::System, parts));
    }
    for name in HARMLESS {
        fields.0.remove(name);
    }
    let continues = conversation.echo.contains_key("previous_response_id");
    let input = fields.take("input", "a text or a list of items")?;
    read_input::read(input, continues, &mut conversation.messages)?;
    read_tools::read(&mut fields, &mut conversation)?;
    read_controls::read(&mut fields, &mut conversation)?;
    for name in fields.0.keys() {
        note_unread(&mut conversation, name.clone());
    }
    Ok(conversation)
}

fn refuse_what_cannot_cross(fields: &mut Fields) -> Result<(), RequestError> {
    if fields.take("background", "a boolean")? == Some(true) {
        return Err(unsupported(
            "background",
            "an answer is made while its request is open",
        ));
    }
    for (name, why) in [
        (
            "conversation",
            "the provider of this model keeps no conversations",
        ),
        (
            "prompt",
            "the provider of this model keeps no prompt templates",
        ),
    ] {
        if fields.take::<Value>(name, "")?.is_some() {
            return Err(unsupported(name, why));
        }
    }
    Ok(())
}

/// 400 `unsupported_parameter` for what only a provider of this dialect can do. `why` is a clause.
pub(super) fn unsupported(name: &'static str, why: &str) -> RequestError {
    RequestError::new(
        ErrorKind::UnsupportedParameter,
        format!(
            "`{name}` cannot be honoured: {why}. \
             Leave it out, or ask for a model whose provider speaks the responses API."
        ),
    )
    .with_param(name)
}

/// Notes a name of the client's own making, in the letters that a header can hold.
pub(super) fn note_unread(conversation: &mut Conversation, name: impl Into<Cow<'static, str>>) {
    let mut name = name.into();
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    if name.len() > UNREAD_CHARS_MAX || !name.chars().all(plain) {
        name = name
            .chars()
            .take(UNREAD_CHARS_MAX)
            .map(|letter| if plain(letter) { letter } else { '_' })
            .collect();
    }
    if conversation.unread.len() < UNREAD_MAX && !conversation.unread.contains(&name) {
        conversation.unread.push(name);
    }
}

/// The top-level fields that have not been read yet.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    fn parse(body: &[u8]) -> Result<Self, RequestError> {
        let mut fields: Map<String, Value> = serde_json::from_slice(body).map_err(|error| {
            RequestError::new(
                ErrorKind::InvalidJson,
                format!("The body is not a JSON object the gateway can read: {error}."),
            )
        })?;
        fields.retain(|_, value| !value.is_null());
        Ok(Self(fields))
    }

    /// Takes a field out; `null` is absent. `expected` completes "must be".
    pub(super) fn take<T: DeserializeOwned>(
        &mut self,
        name: &'static str,
        expected: &str,
    ) -> Result<Option<T>, RequestError> {
        let Some(value) = self.0.remove(name) else {
            return Ok(None);
        };
        serde_json::from_value(value)
            .map(Some)
            .map_err(|_| invalid(name, &format!("must be {expected}")))
    }

    fn echo(&self) -> Map<String, Value> {
        let field = |name: &str| Some((name.to_owned(), self.0.get(name)?.clone()));
        repeated().filter_map(field).collect()
    }
}

#[cfg(test)]
mod tests;
