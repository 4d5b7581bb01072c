//! What the converters of all dialects are given and give back.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;

use super::Field;
use crate::ai::conversation::Conversation;
use crate::error::{ErrorKind, RequestError};

/// Who a request is written for.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// What the provider calls the model.
    pub model: &'a str,
    pub stream: bool,
    pub quirks: Quirks,
    /// What an API that demands a ceiling on output is told when the client named none.
    pub default_max_output_tokens: u64,
}

/// Where providers of one dialect differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quirks {
    /// The chat API knows `max_completion_tokens`; compatible servers often know `max_tokens` alone.
    pub max_completion_tokens: bool,
    /// The role `developer` is known; else it is written as `system`.
    pub developer_role: bool,
    /// Custom tools are known; else they are written as functions.
    pub custom_tools: bool,
}

/// A request body, and what of the client's request could not be put into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub body: Bytes,
    /// In the client's spelling, without repetition.
    pub dropped: Vec<Cow<'static, str>>,
}

/// Collects what cannot be expressed while a request is written.
#[derive(Debug)]
pub struct Dropped<'c> {
    conversation: &'c Conversation,
    names: Vec<Cow<'static, str>>,
}

impl<'c> Dropped<'c> {
    /// Begins with what the client's own reader could not place.
    pub fn new(conversation: &'c Conversation) -> Self {
        Self {
            names: conversation.unread.clone(),
            conversation,
        }
    }

    /// Notes a field that is left out.
    pub fn field(&mut self, field: Field) {
        self.name(self.conversation.spelling(field));
    }

    /// Notes a field that is left out if the client set it.
    pub fn if_set<T>(&mut self, field: Field, value: &Option<T>) {
        if value.is_some() {
            self.field(field);
        }
    }

    pub fn name(&mut self, name: impl Into<Cow<'static, str>>) {
        let name = name.into();
        if !self.names.contains(&name) {
            self.names.push(name);
        }
    }

    pub fn into_names(self) -> Vec<Cow<'static, str>> {
        self.names
    }
}

/// 400 `unsupported_parameter`, naming the field in the client's own spelling.
///
/// For what this provider's dialect has no way to say, and without which the answer would mean something else. `why` is
/// a clause: "Anthropic's API gives one answer at a time".
pub fn unsupported(conversation: &Conversation, field: Field, why: &str) -> RequestError {
    let name = conversation.spelling(field);
    RequestError::new(
        ErrorKind::UnsupportedParameter,
        format!(
            "`{name}` cannot be passed on to the provider of this model: {why}. \
             Leave it out, or ask for a model whose provider can."
        ),
    )
    .with_param(name)
}

/// What an answer is written from besides itself.
#[derive(Debug)]
pub struct AnswerContext {
    /// The gateway's request id (a UUID): ids that no provider gave are made from it.
    pub request_id: String,
    /// When the request came, in seconds since the Unix epoch.
    pub created_unix: u64,
    /// The model's name at the provider, for an answer that does not say it.
    pub model: String,
    /// The id this answer is kept under, for a responses client; the writer makes none of its own.
    pub response_id: String,
    /// A chat client asked for the usage event.
    pub wants_usage_event: bool,
    /// The request that is answered.
    pub conversation: Arc<Conversation>,
}

impl AnswerContext {
    /// An id for the call number `index` of this answer, for providers that give none. The same for the same call.
    pub fn call_id(&self, index: u32) -> String {
        let digits: String = self
            .request_id
            .chars()
            .filter(char::is_ascii_hexdigit)
            .collect();
        format!("call_{digits}_{index}")
    }
}
