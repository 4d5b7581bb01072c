//! Usage as OpenAI's APIs report it: both spellings read, and the chat spelling written.
//!
//! <https://platform.openai.com/docs/api-reference/chat/object>, <https://platform.openai.com/docs/api-reference/responses/object>

use ferrogate_api::Tokens;
use serde::{Deserialize, Serialize};

/// A `usage` object: chat completions and embeddings say `prompt` and `completion`, responses say `input` and `output`.
/// Some servers send both spellings, so neither is an alias of the other.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub struct Usage {
    prompt_tokens: Option<u64>,
    input_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    output_tokens: Option<u64>,
    total_tokens: Option<u64>,
    prompt_tokens_details: Option<InputDetails>,
    input_tokens_details: Option<InputDetails>,
    completion_tokens_details: Option<OutputDetails>,
    output_tokens_details: Option<OutputDetails>,
    /// DeepSeek's word for `cached_tokens`.
    prompt_cache_hit_tokens: Option<u64>,
    /// Moonshot's place for it.
    cached_tokens: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct InputDetails {
    cached_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct OutputDetails {
    reasoning_tokens: Option<u64>,
}

impl Usage {
    /// The counts; `None` where the object names neither input nor output, which is no report at all.
    pub fn tokens(self) -> Option<Tokens> {
        let input = self.prompt_tokens.or(self.input_tokens);
        let output = self.completion_tokens.or(self.output_tokens);
        if input.is_none() && output.is_none() {
            return None;
        }
        let inputs = self.prompt_tokens_details.or(self.input_tokens_details);
        let inputs = inputs.unwrap_or_default();
        let outputs = self
            .completion_tokens_details
            .or(self.output_tokens_details)
            .unwrap_or_default();
        let cache_read = inputs
            .cached_tokens
            .or(self.prompt_cache_hit_tokens)
            .or(self.cached_tokens);
        let mut tokens = Tokens {
            input: input.unwrap_or_default(),
            output: output.unwrap_or_default(),
            cache_read: cache_read.unwrap_or_default(),
            cache_write: inputs.cache_write_tokens.unwrap_or_default(),
            reasoning: outputs.reasoning_tokens.unwrap_or_default(),
        };
        // xAI counts reasoning beside the completion, not in it; its total gives that away.
        let with_reasoning = tokens.total().saturating_add(tokens.reasoning);
        if self.total_tokens == Some(with_reasoning) {
            tokens.output = tokens.output.saturating_add(tokens.reasoning);
        }
        Some(tokens)
    }
}

/// The `usage` object of a chat answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ChatUsage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: PromptDetails,
    completion_tokens_details: CompletionDetails,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct PromptDetails {
    cached_tokens: u64,
    cache_write_tokens: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct CompletionDetails {
    reasoning_tokens: u64,
}

impl From<Tokens> for ChatUsage {
    fn from(tokens: Tokens) -> Self {
        Self {
            prompt_tokens: tokens.input,
            completion_tokens: tokens.output,
            total_tokens: tokens.total(),
            prompt_tokens_details: PromptDetails {
                cached_tokens: tokens.cache_read,
                cache_write_tokens: tokens.cache_write,
            },
            completion_tokens_details: CompletionDetails {
                reasoning_tokens: tokens.reasoning,
            },
        }
    }
}

/// The usage of an answer that was not streamed; `None` where it reports none.
pub fn of_answer(answer: &[u8]) -> Option<Tokens> {
    #[derive(Deserialize)]
    struct Answer {
        usage: Option<Usage>,
    }
    serde_json::from_slice::<Answer>(answer)
        .ok()?
        .usage?
        .tokens()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_read_and_no_report_is_not_zero() {
        let check = |json: &str, expected: Option<(u64, u64, u64, u64)>| {
            let tokens = of_answer(json.as_bytes());
            let found = tokens.map(|t| (t.input, t.output, t.cache_read, t.reasoning));
            assert_eq!(found, expected, "{json}");
        };
        check(
            r#"{"usage":{"prompt_tokens":19,"completion_tokens":60,"total_tokens":79,"prompt_tokens_details":{"cached_tokens":5},"completion_tokens_details":{"reasoning_tokens":7}}}"#,
            Some((19, 60, 5, 7)),
        );
        check(
            r#"{"usage":{"input_tokens":3,"output_tokens":4,"input_tokens_details":{"cached_tokens":1},"output_tokens_details":{"reasoning_tokens":2}}}"#,
            Some((3, 4, 1, 2)),
        );
        check(
            r#"{"usage":{"prompt_tokens":8,"total_tokens":8}}"#,
            Some((8, 0, 0, 0)),
        );
        check(
            r#"{"usage":{"prompt_tokens":0,"completion_tokens":0}}"#,
            Some((0, 0, 0, 0)),
        );
        // Both spellings at once, and the places where compatible servers put their cache hits.
        check(
            r#"{"usage":{"prompt_tokens":3,"completion_tokens":4,"input_tokens":3,"output_tokens":4,"prompt_tokens_details":null}}"#,
            Some((3, 4, 0, 0)),
        );
        check(
            r#"{"usage":{"prompt_tokens":3,"completion_tokens":4,"prompt_cache_hit_tokens":2,"prompt_cache_miss_tokens":1}}"#,
            Some((3, 4, 2, 0)),
        );
        check(
            r#"{"usage":{"prompt_tokens":3,"completion_tokens":4,"cached_tokens":2}}"#,
            Some((3, 4, 2, 0)),
        );
        // Reasoning beside the completion, as the total shows; and in it.
        check(
            r#"{"usage":{"prompt_tokens":32,"completion_tokens":9,"total_tokens":151,"completion_tokens_details":{"reasoning_tokens":110}}}"#,
            Some((32, 119, 0, 110)),
        );
        check(
            r#"{"usage":{"prompt_tokens":32,"completion_tokens":119,"total_tokens":151,"completion_tokens_details":{"reasoning_tokens":110}}}"#,
            Some((32, 119, 0, 110)),
        );
        check(r#"{"usage":null}"#, None);
        check(r#"{"usage":{}}"#, None);
        check(r#"{"id":"x"}"#, None);
        check("not json", None);
    }

    #[test]
    fn what_is_written_for_chat_is_read_again() {
        let tokens = Tokens {
            input: 19,
            output: 60,
            cache_read: 5,
            cache_write: 2,
            reasoning: 7,
        };
        let json = serde_json::json!({"usage": ChatUsage::from(tokens)});
        assert_eq!(json["usage"]["total_tokens"], 79);
        assert_eq!(of_answer(json.to_string().as_bytes()), Some(tokens));
    }
}
