//! The dialects that clients and providers speak. Pure: no IO and no clock.
//!
//! Where client and provider speak the same one, bytes pass through: only the model's name and the stream options are
//! spliced in, and answers are read for usage and for how they end ([`Passing`]). Where they do not, requests, answers
//! and events are read into [`crate::ai::conversation`] and written from it ([`convert`], [`Translator`]).

pub(in crate::ai) mod chat;
pub mod convert;
mod dialect;
#[cfg(test)]
mod documentation;
pub(in crate::ai) mod embeddings;
mod envelope;
mod error;
mod failed_call;
mod field;
pub(in crate::ai) mod gemini;
pub mod json_object;
pub(in crate::ai) mod messages;
mod passing;
pub(in crate::ai) mod responses;
mod seen;
mod stream_reader;
#[cfg(test)]
mod tests;
mod translation;
mod translator;
pub mod usage;

pub use dialect::Dialect;
pub use envelope::{error_body, is_context_window, read_error};
pub use error::provider_error;
pub use field::Field;
pub use passing::{Passing, usage_of_answer};
pub use seen::Seen;
pub use stream_reader::{Framing, StreamReader};
pub use translation::{AnswerContext, Dropped, Quirks, Target, Written, unsupported};
pub use translator::Translator;
