//! `usageMetadata`: the prompt's count includes what came from the cache; the candidates' count excludes thoughts.

use ferrogate_api::Tokens;
use serde::{Deserialize, Serialize};

/// What a request used. <https://ai.google.dev/api/generate-content#UsageMetadata>
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UsageMetadata {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prompt_token_count: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cached_content_token_count: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    candidates_token_count: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    thoughts_token_count: Option<u64>,
    /// Results of tools that the provider ran itself, which the model read as input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tool_use_prompt_token_count: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    total_token_count: Option<u64>,
}

impl UsageMetadata {
    /// The counts; `None` where neither input nor output is named, which is no report at all.
    pub(super) fn tokens(self) -> Option<Tokens> {
        if self.prompt_token_count.is_none() && self.candidates_token_count.is_none() {
            return None;
        }
        let prompt = self.prompt_token_count.unwrap_or_default();
        let tools = self.tool_use_prompt_token_count.unwrap_or_default();
        let reasoning = self.thoughts_token_count.unwrap_or_default();
        let said = self.candidates_token_count.unwrap_or_default();
        Some(Tokens {
            input: prompt.saturating_add(tools),
            output: said.saturating_add(reasoning),
            cache_read: self.cached_content_token_count.unwrap_or_default(),
            cache_write: 0,
            reasoning,
        })
    }
}

impl From<Tokens> for UsageMetadata {
    fn from(tokens: Tokens) -> Self {
        let some = |count: u64| (count > 0).then_some(count);
        Self {
            prompt_token_count: Some(tokens.input),
            cached_content_token_count: some(tokens.cache_read),
            candidates_token_count: Some(tokens.output.saturating_sub(tokens.reasoning)),
            thoughts_token_count: some(tokens.reasoning),
            tool_use_prompt_token_count: None,
            total_token_count: Some(tokens.total()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(json: &str) -> Option<Tokens> {
        serde_json::from_str::<UsageMetadata>(json)
            .unwrap()
            .tokens()
    }

    #[test]
    fn thoughts_and_tool_results_are_added_and_the_cache_is_a_part_of_the_prompt() {
        let json = r#"{"promptTokenCount":20,"cachedContentTokenCount":8,"candidatesTokenCount":5,
            "thoughtsTokenCount":7,"toolUsePromptTokenCount":3,"totalTokenCount":35}"#;
        let expected = Tokens {
            input: 23,
            output: 12,
            cache_read: 8,
            cache_write: 0,
            reasoning: 7,
        };
        assert_eq!(tokens(json), Some(expected));
        // A model that only thought: there is no count of candidates.
        let thought = tokens(r#"{"promptTokenCount":2,"thoughtsTokenCount":7}"#);
        assert_eq!(thought.map(|t| (t.output, t.reasoning)), Some((7, 7)));
        assert_eq!(tokens("{}"), None);
        assert_eq!(tokens(r#"{"totalTokenCount":9}"#), None);
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let check = |tokens: Tokens, json: serde_json::Value| {
            let written = UsageMetadata::from(tokens);
            assert_eq!(serde_json::to_value(written).unwrap(), json);
            assert_eq!(written.tokens(), Some(tokens));
        };
        check(
            Tokens {
                input: 10,
                output: 9,
                cache_read: 4,
                cache_write: 0,
                reasoning: 3,
            },
            serde_json::json!({"promptTokenCount": 10, "cachedContentTokenCount": 4,
                "candidatesTokenCount": 6, "thoughtsTokenCount": 3, "totalTokenCount": 19}),
        );
        check(
            Tokens::default(),
            serde_json::json!({"promptTokenCount": 0, "candidatesTokenCount": 0, "totalTokenCount": 0}),
        );
    }
}
