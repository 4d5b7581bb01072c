//! OpenAI responses. <https://platform.openai.com/docs/api-reference/responses>
//!
//! ```text
//! client ──▶ read_request ──▶ Conversation ──▶ write_request ──▶ provider
//!        ◀── write_answer ◀──    Answer    ◀── read_answer   ◀──
//!        ◀── write_events ◀──    Events    ◀── read_events   ◀──
//! ```
//!
//! Each arrow is one file; `pass_request` and `pass_answer` are what is read where bytes pass through. A client of this
//! dialect is answered under the id that its answer is kept under, and its request's own fields come back in it.

mod ending;
mod pass_answer;
mod pass_request;
mod read_answer;
mod read_calls;
mod read_content;
mod read_controls;
mod read_events;
mod read_input;
mod read_pieces;
mod read_request;
mod read_tools;
mod wire;
mod write_answer;
mod write_calls;
mod write_controls;
mod write_events;
mod write_input;
mod write_items;
mod write_output;
mod write_parts;
mod write_pieces;
mod write_request;

pub(in crate::ai) use pass_answer::{Stream, id_of_answer};
pub(in crate::ai) use pass_request::{FIELDS, controls};
pub(in crate::ai) use read_answer::read_answer;
pub(in crate::ai) use read_events::EventReader;
pub(in crate::ai) use read_request::read_request;
pub(in crate::ai) use write_answer::write_answer;
pub(in crate::ai) use write_events::EventWriter;
pub(in crate::ai) use write_request::write_request;
