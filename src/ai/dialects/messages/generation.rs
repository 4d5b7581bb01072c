//! What a Claude model accepts, by its name: the same body is right for one generation and a 400 for the next.
//!
//! Up to 4.5 a model thinks within a budget. 4.6 takes a budget or decides for itself. Later ones decide for
//! themselves alone, guided by an effort, and take no sampling controls at all; some cannot stop thinking. The list
//! of old names is closed, so a name that is not on it is taken for a new model. Models that are not Claude's, behind
//! servers that are compatible with this API, are spoken to in its first form.
//! <https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking>

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Generation {
    /// No model of Anthropic's.
    Foreign,
    /// Claude up to 4.5.
    Budget,
    /// Claude 4.6.
    BudgetOrAdaptive,
    /// Claude 4.7 and later.
    Adaptive,
    /// Like [`Generation::Adaptive`], and always thinking.
    AlwaysAdaptive,
}

/// What names of models up to 4.5 hold: `claude-3-7-sonnet-…`, `claude-sonnet-4-20250514`, `claude-opus-4-1-…`.
const BUDGET: [&str; 8] = [
    "claude-2",
    "claude-3",
    "claude-instant",
    "-4-0",
    "-4-1",
    "-4-2025",
    "-4-5",
    "-4-latest",
];

impl Generation {
    /// By a provider's name for the model; other clouds write dots and prefixes: `anthropic/claude-opus-4.5`,
    /// `us.anthropic.claude-sonnet-4-5-20250929-v1:0`, `claude-sonnet-4@20250514`.
    pub(super) fn of(model: &str) -> Self {
        let name = model.to_ascii_lowercase().replace(['.', '@', ':'], "-");
        if !name.contains("claude") {
            return Self::Foreign;
        }
        if BUDGET.iter().any(|part| name.contains(part)) || name.ends_with("-4") {
            return Self::Budget;
        }
        if name.contains("-4-6") {
            return Self::BudgetOrAdaptive;
        }
        if name.contains("mythos") || name.contains("fable") {
            return Self::AlwaysAdaptive;
        }
        Self::Adaptive
    }

    pub(super) fn takes_budget(self) -> bool {
        matches!(self, Self::Foreign | Self::Budget | Self::BudgetOrAdaptive)
    }

    pub(super) fn takes_adaptive(self) -> bool {
        matches!(
            self,
            Self::BudgetOrAdaptive | Self::Adaptive | Self::AlwaysAdaptive
        )
    }

    pub(super) fn takes_sampling(self) -> bool {
        self.takes_budget()
    }

    /// Since Claude 4.1 a request with both is refused; for older ones it was advised against.
    pub(super) fn takes_temperature_beside_top_p(self) -> bool {
        self == Self::Foreign
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_placed_by_its_name_whoever_serves_it() {
        use Generation::{Adaptive, AlwaysAdaptive, Budget, BudgetOrAdaptive, Foreign};
        for (model, expected) in [
            ("claude-3-5-haiku-20241022", Budget),
            ("claude-3-7-sonnet-latest", Budget),
            ("claude-sonnet-4-20250514", Budget),
            ("claude-sonnet-4@20250514", Budget),
            ("claude-sonnet-4-0", Budget),
            ("claude-opus-4", Budget),
            ("claude-opus-4-1-20250805", Budget),
            ("anthropic/claude-opus-4.5", Budget),
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", Budget),
            ("claude-haiku-4-5", Budget),
            ("claude-opus-4-6", BudgetOrAdaptive),
            ("anthropic/claude-sonnet-4.6", BudgetOrAdaptive),
            ("claude-opus-4-7", Adaptive),
            ("claude-opus-4-8", Adaptive),
            ("claude-sonnet-5", Adaptive),
            ("claude-opus-5-5", Adaptive),
            ("claude-mythos-preview", AlwaysAdaptive),
            ("claude-fable-5-1", AlwaysAdaptive),
            ("deepseek-reasoner", Foreign),
            ("kimi-k2-thinking", Foreign),
        ] {
            assert_eq!(Generation::of(model), expected, "{model}");
        }
    }
}
