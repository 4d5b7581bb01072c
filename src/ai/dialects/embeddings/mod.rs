//! OpenAI embeddings: a list of inputs in, vectors out, never streamed; and the same for providers that speak Gemini's
//! `batchEmbedContents` instead. <https://platform.openai.com/docs/api-reference/embeddings>

mod answer;
mod gemini;
mod request;

pub(in crate::ai) use answer::{EncodingFormat, write_embeddings_answer};
pub(in crate::ai) use gemini::{Asked, read_answer, write_request};

/// The fields of a request that the gateway reads.
pub(in crate::ai) const FIELDS: &[&str] = &["model"];
