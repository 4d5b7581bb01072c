//! The fields of a request that cross between dialects, and how each dialect spells them. An error about a field, and
//! the header that lists dropped ones, use the client's own spelling.

use super::Dialect;

macro_rules! fields {
    ($($field:ident: $chat:literal, $responses:literal, $messages:literal, $gemini:literal;)*) => {
        /// A field of a request, whatever it is called.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Field { $($field,)* }

        impl Field {
            pub const ALL: &[Self] = &[$(Self::$field,)*];

            /// What `dialect` calls it. One that the dialect does not have keeps the name that is best known.
            pub fn spelling(self, dialect: Dialect) -> &'static str {
                match (self, dialect) {
                    $((Self::$field, Dialect::Responses) => $responses,
                    (Self::$field, Dialect::Messages) => $messages,
                    (Self::$field, Dialect::Gemini) => $gemini,
                    (Self::$field, _) => $chat,)*
                }
            }
        }
    };
}

// One line a field: chat, responses, messages, Gemini.
fields! {
    Messages: "messages", "input", "messages", "contents";
    Instructions: "messages", "instructions", "system", "systemInstruction";
    Image: "messages", "input", "messages", "contents";
    Document: "messages", "input", "messages", "contents";
    Audio: "messages", "input", "messages", "contents";
    SpeakerName: "messages.name", "input.name", "messages.name", "contents.name";
    Tools: "tools", "tools", "tools", "tools";
    ToolStrict: "tools.function.strict", "tools.strict", "tools.strict", "tools.strict";
    ToolGrammar: "tools.custom.format", "tools.format", "tools.format", "tools.format";
    ToolChoice: "tool_choice", "tool_choice", "tool_choice", "toolConfig";
    ParallelToolCalls: "parallel_tool_calls", "parallel_tool_calls", "tool_choice.disable_parallel_tool_use", "parallel_tool_calls";
    OutputFormat: "response_format", "text.format", "output_config.format", "generationConfig.responseSchema";
    ReasoningEffort: "reasoning_effort", "reasoning.effort", "output_config.effort", "generationConfig.thinkingConfig.thinkingLevel";
    ReasoningBudget: "reasoning.max_tokens", "reasoning.max_tokens", "thinking.budget_tokens", "generationConfig.thinkingConfig.thinkingBudget";
    ReasoningSummary: "reasoning.summary", "reasoning.summary", "thinking.display", "generationConfig.thinkingConfig.includeThoughts";
    Temperature: "temperature", "temperature", "temperature", "generationConfig.temperature";
    TopP: "top_p", "top_p", "top_p", "generationConfig.topP";
    TopK: "top_k", "top_k", "top_k", "generationConfig.topK";
    FrequencyPenalty: "frequency_penalty", "frequency_penalty", "frequency_penalty", "generationConfig.frequencyPenalty";
    PresencePenalty: "presence_penalty", "presence_penalty", "presence_penalty", "generationConfig.presencePenalty";
    Seed: "seed", "seed", "seed", "generationConfig.seed";
    Stop: "stop", "stop", "stop_sequences", "generationConfig.stopSequences";
    MaxOutputTokens: "max_completion_tokens", "max_output_tokens", "max_tokens", "generationConfig.maxOutputTokens";
    Choices: "n", "n", "n", "generationConfig.candidateCount";
    Logprobs: "logprobs", "top_logprobs", "logprobs", "generationConfig.responseLogprobs";
    LogitBias: "logit_bias", "logit_bias", "logit_bias", "logit_bias";
    User: "user", "user", "metadata.user_id", "user";
    Metadata: "metadata", "metadata", "metadata", "labels";
    ServiceTier: "service_tier", "service_tier", "service_tier", "serviceTier";
    Verbosity: "verbosity", "text.verbosity", "verbosity", "verbosity";
    PromptCacheKey: "prompt_cache_key", "prompt_cache_key", "prompt_cache_key", "cachedContent";
    Store: "store", "store", "store", "store";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_dialect_names_a_field_its_own_way() {
        let spelled = |dialect| Field::MaxOutputTokens.spelling(dialect);
        assert_eq!(spelled(Dialect::Chat), "max_completion_tokens");
        assert_eq!(spelled(Dialect::Responses), "max_output_tokens");
        assert_eq!(spelled(Dialect::Messages), "max_tokens");
        assert_eq!(spelled(Dialect::Gemini), "generationConfig.maxOutputTokens");
    }
}
