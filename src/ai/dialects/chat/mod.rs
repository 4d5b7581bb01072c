//! OpenAI chat completions, which most providers and most clients speak in some form.
//! <https://platform.openai.com/docs/api-reference/chat>
//!
//! What passes through is watched by `pass_request` and `pass_stream`. What is translated is read and written by the
//! other files: requests (`read_request` with `read_message`, `read_part`, `read_tools` and `fields`; `write_request` with
//! `write_messages`, `write_content` and `write_tools`), answers, and events (`read_events` with `read_calls`; `write_events`). Readers
//! take what compatible servers make of this API; writers keep to what OpenAI's own libraries expect, and add
//! `reasoning_content`, which those servers and their clients agree on.

mod failure;
mod fields;
mod pass_request;
mod pass_stream;
mod read_answer;
mod read_calls;
mod read_events;
mod read_message;
mod read_part;
mod read_request;
mod read_tools;
mod reply;
mod wire;
mod write_answer;
mod write_call;
mod write_content;
mod write_events;
mod write_messages;
mod write_request;
mod write_tools;

#[cfg(test)]
mod tests;

pub(in crate::ai) use pass_request::{FIELDS, controls, options_with_usage};
pub(in crate::ai) use pass_stream::Stream;
pub(in crate::ai) use read_answer::read_answer;
pub(in crate::ai) use read_events::EventReader;
pub(in crate::ai) use read_request::read_request;
pub(in crate::ai) use write_answer::write_answer;
pub(in crate::ai) use write_events::EventWriter;
pub(in crate::ai) use write_request::write_request;
