//! Usage as OpenAI's APIs report it, in both spellings.
//! <https://platform.openai.com/docs/api-reference/chat/object>, <https://platform.openai.com/docs/api-reference/responses/object>

use ferrogate_api::Tokens;
use serde::Deserialize;

/// A `usage` object: chat completions and embeddings say `prompt` and `completion`, responses say `input` and `output`.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub struct Usage {
    #[serde(default, alias = "input_tokens")]
    prompt_tokens: Option<u64>,
    #[serde(default, alias = "output_tokens")]
    completion_tokens: Option<u64>,
    #[serde(default, alias = "input_tokens_details")]
    prompt_tokens_details: Option<InputDetails>,
    #[serde(default, alias = "output_tokens_details")]
    completion_tokens_details: Option<OutputDetails>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
struct InputDetails {
    #[serde(default)]
    cached_tokens: Option<u64>,
    #[serde(default)]
    cache_write_tokens: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
struct OutputDetails {
    #[serde(default)]
    reasoning_tokens: Option<u64>,
}

impl Usage {
    /// The counts; `None` where the object names neither input nor output, which is no report at all.
    pub fn tokens(self) -> Option<Tokens> {
        if self.prompt_tokens.is_none() && self.completion_tokens.is_none() {
            return None;
        }
        let input = self.prompt_tokens_details.unwrap_or_default();
        let output = self.completion_tokens_details.unwrap_or_default();
        Some(Tokens {
            input: self.prompt_tokens.unwrap_or_default(),
            output: self.completion_tokens.unwrap_or_default(),
            cache_read: input.cached_tokens.unwrap_or_default(),
            cache_write: input.cache_write_tokens.unwrap_or_default(),
            reasoning: output.reasoning_tokens.unwrap_or_default(),
        })
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
        check(r#"{"usage":null}"#, None);
        check(r#"{"usage":{}}"#, None);
        check(r#"{"id":"x"}"#, None);
        check("not json", None);
    }
}
