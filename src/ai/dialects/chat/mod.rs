//! OpenAI chat completions. <https://platform.openai.com/docs/api-reference/chat>

mod request;
mod stream;

pub(super) use request::{FIELDS, controls, options_with_usage};
pub(super) use stream::Stream;
