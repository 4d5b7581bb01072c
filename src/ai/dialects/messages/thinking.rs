//! How much a model is to think, and what follows from it: the ceiling on output, and which sampling controls may
//! stand beside it.
//!
//! ```text
//! the client says     Claude up to 4.5, others           Claude 4.6           later Claude
//! a budget            enabled, at least 1024             the same             adaptive + effort of it, noted
//! an effort           enabled, Effort::budget_tokens     adaptive + effort    adaptive + effort
//! "as you like"       enabled, budget of the effort      adaptive             adaptive
//!                     or of medium
//! no thought          disabled                           disabled             disabled; where it cannot be
//!                                                                             switched off: effort low, noted
//! nothing             nothing                            nothing              nothing
//! ```
//!
//! Thinking gives way, and is noted, where a tool is forced, where the turn that goes on began without it, and where
//! the client's ceiling leaves no room for the least budget.

use serde::Serialize;

use super::generation::Generation;
use crate::ai::conversation::{
    Controls, Conversation, Effort, ReasoningControl, ReasoningSummary, ToolChoice,
};
use crate::ai::dialects::{Dropped, Field, Target};

/// The least budget that the API takes.
const BUDGET_TOKENS_MIN: u64 = 1024;
/// What most thinking models can write at most. A ceiling that is made up here stays below it if it can.
const OUTPUT_TOKENS_OFTEN_MAX: u64 = 64_000;
/// The least `top_p` that may stand beside thinking.
const THINKING_TOP_P_MIN: f64 = 0.95;

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Thinking {
    Enabled {
        budget_tokens: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        display: Option<&'static str>,
    },
    Adaptive {
        #[serde(skip_serializing_if = "Option::is_none")]
        display: Option<&'static str>,
    },
    Disabled,
}

/// What is decided together.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) thinking: Option<Thinking>,
    pub(super) thinks: bool,
    pub(super) effort: Option<&'static str>,
    pub(super) max_tokens: u64,
}

/// What the client wants, in the words of its model's generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Nothing,
    Off,
    Budget {
        tokens: u64,
        /// The number is the client's own.
        own: bool,
    },
    Adaptive(Option<Effort>),
}

/// Decides. `goes_on_without_thought` is [`super::history::History`]'s word for the turn at the end.
pub(super) fn plan(
    conversation: &Conversation,
    target: &Target<'_>,
    goes_on_without_thought: bool,
    dropped: &mut Dropped<'_>,
) -> Plan {
    let generation = Generation::of(target.model);
    let reasoning = &conversation.reasoning;
    let ceiling = conversation.controls.max_output_tokens;
    let wanted = wanted(reasoning, generation, dropped);
    let mut plan = Plan {
        thinking: None,
        thinks: false,
        effort: None,
        max_tokens: ceiling.unwrap_or(target.default_max_output_tokens),
    };
    let forced = matches!(
        conversation.tool_choice,
        ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Allowed { required: true, .. }
    );
    let display = display(reasoning.summary);
    match wanted {
        Wanted::Nothing => {}
        Wanted::Off if generation == Generation::AlwaysAdaptive => {
            note(reasoning, dropped);
            plan.effort = Some(Effort::Low.as_str());
        }
        Wanted::Off => plan.thinking = Some(Thinking::Disabled),
        Wanted::Adaptive(effort) => {
            plan.effort = effort.map(|effort| word(effort, generation));
            if forced {
                note(reasoning, dropped);
            } else {
                plan.thinking = Some(Thinking::Adaptive { display });
            }
        }
        Wanted::Budget { tokens, own } => match fit(tokens, own, ceiling) {
            Some(budget_tokens) if !forced && !goes_on_without_thought => {
                plan.thinking = Some(Thinking::Enabled {
                    budget_tokens,
                    display,
                });
                if plan.max_tokens <= budget_tokens {
                    plan.max_tokens = roomy(budget_tokens, target.default_max_output_tokens);
                }
            }
            _ => note(reasoning, dropped),
        },
    }
    plan.thinks = matches!(
        plan.thinking,
        Some(Thinking::Enabled { .. } | Thinking::Adaptive { .. })
    );
    // Without thinking there is nothing to hide, but the wish to see it is not met.
    if !plan.thinks && display == Some("summarized") {
        dropped.field(Field::ReasoningSummary);
    }
    plan
}

fn wanted(
    reasoning: &ReasoningControl,
    generation: Generation,
    dropped: &mut Dropped<'_>,
) -> Wanted {
    let effort = reasoning.effort;
    match reasoning.budget_tokens {
        Some(0) => return Wanted::Off,
        Some(tokens) if generation.takes_budget() => {
            dropped.if_set(Field::ReasoningEffort, &effort);
            return Wanted::Budget {
                tokens: tokens.max(BUDGET_TOKENS_MIN),
                own: true,
            };
        }
        Some(tokens) => {
            dropped.field(Field::ReasoningBudget);
            return Wanted::Adaptive(effort.or(Some(Effort::of_budget(tokens))));
        }
        None => {}
    }
    match effort {
        Some(Effort::None) => Wanted::Off,
        None if !reasoning.dynamic => Wanted::Nothing,
        effort if generation.takes_adaptive() => Wanted::Adaptive(effort),
        effort => Wanted::Budget {
            tokens: effort.unwrap_or(Effort::Medium).budget_tokens(),
            own: false,
        },
    }
}

/// Names what was asked for in vain.
fn note(reasoning: &ReasoningControl, dropped: &mut Dropped<'_>) {
    match (reasoning.effort, reasoning.budget_tokens) {
        (Some(_), None) => dropped.field(Field::ReasoningEffort),
        _ => dropped.field(Field::ReasoningBudget),
    }
}

/// A budget below the client's ceiling; `None` where there is no room for one. One that was the gateway's own idea
/// leaves a quarter for the answer.
fn fit(tokens: u64, own: bool, ceiling: Option<u64>) -> Option<u64> {
    let Some(ceiling) = ceiling else {
        return Some(tokens);
    };
    if ceiling <= BUDGET_TOKENS_MIN {
        return None;
    }
    if own && tokens < ceiling {
        return Some(tokens);
    }
    let share = (ceiling - ceiling / 4).max(BUDGET_TOKENS_MIN);
    Some(tokens.min(share))
}

/// A ceiling with room for an answer after the thought.
fn roomy(budget_tokens: u64, answer_tokens: u64) -> u64 {
    budget_tokens
        .saturating_add(answer_tokens)
        .min(OUTPUT_TOKENS_OFTEN_MAX)
        .max(budget_tokens.saturating_add(1))
}

fn word(effort: Effort, generation: Generation) -> &'static str {
    match effort {
        Effort::None | Effort::Minimal | Effort::Low => "low",
        Effort::XHigh if generation == Generation::BudgetOrAdaptive => "high",
        other => other.as_str(),
    }
}

fn display(summary: Option<ReasoningSummary>) -> Option<&'static str> {
    match summary? {
        ReasoningSummary::Hidden => Some("omitted"),
        ReasoningSummary::Auto | ReasoningSummary::Concise | ReasoningSummary::Detailed => {
            Some("summarized")
        }
    }
}

/// The sampling controls that are written.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Sampling {
    pub(super) temperature: Option<f64>,
    pub(super) top_p: Option<f64>,
    pub(super) top_k: Option<u64>,
}

/// Sampling beside `thinks`. A value of 1 is what the API does anyway: it can be left out without a word.
pub(super) fn sampling(
    controls: &Controls,
    model: &str,
    thinks: bool,
    dropped: &mut Dropped<'_>,
) -> Sampling {
    let generation = Generation::of(model);
    let takes = generation.takes_sampling();
    let mut written = Sampling {
        temperature: controls.temperature.filter(|value| *value != 1.0),
        top_p: controls.top_p.filter(|value| *value != 1.0),
        top_k: controls.top_k,
    };
    let mut leave_out = |unless: bool, field: Field| {
        if !unless {
            dropped.field(field);
        }
        unless
    };
    written.temperature = written
        .temperature
        .filter(|_| leave_out(takes && !thinks, Field::Temperature));
    written.top_k = written
        .top_k
        .filter(|_| leave_out(takes && !thinks, Field::TopK));
    let alone = written.temperature.is_none() || generation.takes_temperature_beside_top_p();
    written.top_p = written.top_p.filter(|top_p| {
        let fits = !thinks || *top_p >= THINKING_TOP_P_MIN;
        leave_out(takes && fits && alone, Field::TopP)
    });
    if written.temperature.is_some_and(|value| value > 1.0) {
        dropped.field(Field::Temperature);
        written.temperature = Some(1.0);
    }
    written
}
