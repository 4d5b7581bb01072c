//! Gemini `generateContent`, its stream, and `countTokens`. <https://ai.google.dev/api/generate-content>
//!
//! What differs from the other dialects: the model and whether to stream stand in the URL, a stream has no closing
//! event, calls come whole, and a call or a text may carry a `thoughtSignature` that must come back with it. Requests
//! may spell their keys `camelCase` or `snake_case`, as Google's own API takes both.

mod array_framing;
mod base64_text;
mod calls;
mod count_tokens;
mod error;
mod fields;
mod finish;
mod media;
mod model_family;
mod models;
mod pass_request;
mod pass_stream;
mod read_answer;
mod read_calls;
mod read_config;
mod read_contents;
mod read_events;
mod read_request;
mod read_tools;
mod schema;
mod signature;
mod usage;
mod whole;
mod wire;
mod write_answer;
mod write_config;
mod write_contents;
mod write_events;
mod write_request;
mod write_tools;

pub(in crate::ai) use array_framing::ArrayFraming;
pub(in crate::ai) use count_tokens::{
    read_count_answer, read_count_request, write_count_answer, write_count_request,
};
pub(in crate::ai) use error::{error_body, error_event, provider_error};
pub(in crate::ai) use models::{ListedModel, model_entry, models_page};
pub(in crate::ai) use pass_request::{FIELDS, controls, passing_body};
pub(in crate::ai) use pass_stream::{Stream, usage_of_answer};
pub(in crate::ai) use read_answer::read_answer;
pub(in crate::ai) use read_events::EventReader;
pub(in crate::ai) use read_request::read_request;
pub(in crate::ai) use write_answer::write_answer;
pub(in crate::ai) use write_events::EventWriter;
pub(in crate::ai) use write_request::write_request;
