//! OpenAI responses. <https://platform.openai.com/docs/api-reference/responses>

mod request;
mod stream;

pub(super) use request::{FIELDS, controls};
pub(super) use stream::Stream;
