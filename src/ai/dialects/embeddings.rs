//! OpenAI embeddings: a list of inputs in, vectors out, never streamed.
//! <https://platform.openai.com/docs/api-reference/embeddings>

/// The fields of a request that the gateway reads.
pub(super) const FIELDS: &[&str] = &["model"];
