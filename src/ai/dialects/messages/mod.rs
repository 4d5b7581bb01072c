//! Anthropic messages, as a provider speaks them and as a client does. <https://docs.anthropic.com/en/api/messages>
//!
//! `pass_*` reads what passes through unchanged; `read_*` and `write_*` are the two halves of a translation, through
//! [`crate::ai::conversation`]. What one file decides for all of them: `thoughts` how foreign state is carried in
//! thinking blocks, `generation` what a Claude model accepts, `wire` usage and stop reasons.

mod arguments;
mod blocks;
mod count;
mod error;
mod fields;
mod frames;
mod generation;
mod history;
mod media;
mod models;
mod output_schema;
mod pass_request;
mod pass_stream;
mod read_answer;
mod read_content;
mod read_events;
mod read_request;
mod read_sources;
mod read_tools;
mod thinking;
mod thoughts;
mod tools;
mod wire;
mod write_answer;
mod write_events;
mod write_request;

#[cfg(test)]
mod tests;

pub(in crate::ai) use count::{read_count_answer, write_count_answer, write_count_request};
pub(in crate::ai) use error::error_body;
pub(in crate::ai) use models::{model, models_page};
pub(in crate::ai) use pass_request::{FIELDS, controls, without_foreign_thoughts};
pub(in crate::ai) use pass_stream::{Stream, error_event, usage_of_answer};
pub(in crate::ai) use read_answer::read_answer;
pub(in crate::ai) use read_events::EventReader;
pub(in crate::ai) use read_request::read_request;
pub(in crate::ai) use write_answer::write_answer;
pub(in crate::ai) use write_events::EventWriter;
pub(in crate::ai) use write_request::write_request;
