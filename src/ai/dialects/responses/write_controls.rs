//! Tools, output format, reasoning and labels in this dialect's words.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::ai::conversation::{
    Controls, Conversation, Effort, OutputFormat, ReasoningControl, ReasoningSummary, Tool,
    ToolChoice, ToolKind,
};
use crate::ai::dialects::{Dropped, Field, Quirks};

/// OpenAI refuses a lower ceiling. Clients that ask for less want to know whether they are answered at all.
const OUTPUT_TOKENS_MIN: u64 = 16;
/// OpenAI refuses a longer name of a user.
const USER_CHARS_MAX: usize = 64;
/// The tiers that OpenAI knows; other dialects have words of their own.
const SERVICE_TIERS: [&str; 7] = [
    "auto",
    "default",
    "flex",
    "scale",
    "priority",
    "fast",
    "ultrafast",
];

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ToolWord<'a> {
    Function {
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        parameters: Value,
        strict: bool,
    },
    Custom {
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        format: Option<&'a Value>,
    },
}

/// The tools, each in its own kind; a provider that knows no custom tools gets functions that stand in for them. Such a
/// one is taken to know no allowed tools either: the same is said by leaving out the rest.
pub(super) fn tools<'a>(
    conversation: &'a Conversation,
    quirks: Quirks,
    dropped: &mut Dropped<'_>,
) -> Vec<ToolWord<'a>> {
    let word = |tool: &'a Tool| {
        let (name, description) = (&*tool.name, tool.description.as_deref());
        let (parameters, strict) = match &tool.kind {
            ToolKind::Custom { format } if quirks.custom_tools => {
                return ToolWord::Custom {
                    name,
                    description,
                    format: format.as_ref(),
                };
            }
            ToolKind::Custom { format } => {
                let grammar = format.as_ref().filter(|format| format["type"] == "grammar");
                dropped.if_set(Field::ToolGrammar, &grammar);
                (ToolKind::custom_schema(), None)
            }
            ToolKind::Function { parameters, strict } => {
                let none = || json!({"type": "object", "properties": {}});
                (parameters.clone().unwrap_or_else(none), *strict)
            }
        };
        ToolWord::Function {
            name,
            description,
            parameters,
            // Said always: this API takes silence for consent, the other dialects do not.
            strict: strict.unwrap_or(false),
        }
    };
    let offered = |tool: &&Tool| match &conversation.tool_choice {
        ToolChoice::Allowed { names, .. } if !quirks.custom_tools => names.contains(&tool.name),
        _ => true,
    };
    let tools = conversation.tools.iter();
    tools.filter(offered).map(word).collect()
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum ToolChoiceWord<'a> {
    Mode(&'static str),
    Named(NamedTool<'a>),
    Allowed {
        r#type: &'static str,
        mode: &'static str,
        tools: Vec<NamedTool<'a>>,
    },
}

#[derive(Debug, Serialize)]
pub(super) struct NamedTool<'a> {
    r#type: &'static str,
    name: &'a str,
}

/// `None` where the provider's own default says the same.
pub(super) fn tool_choice(
    conversation: &Conversation,
    quirks: Quirks,
) -> Option<ToolChoiceWord<'_>> {
    fn named<'a>(conversation: &Conversation, quirks: Quirks, name: &'a str) -> NamedTool<'a> {
        let custom = quirks.custom_tools && conversation.is_custom_tool(name);
        NamedTool {
            r#type: if custom { "custom" } else { "function" },
            name,
        }
    }
    match &conversation.tool_choice {
        ToolChoice::Auto => None,
        ToolChoice::None if conversation.tools.is_empty() => None,
        ToolChoice::None => Some(ToolChoiceWord::Mode("none")),
        ToolChoice::Required => Some(ToolChoiceWord::Mode("required")),
        ToolChoice::Allowed { required, .. } if !quirks.custom_tools => {
            required.then_some(ToolChoiceWord::Mode("required"))
        }
        ToolChoice::Named(name) => Some(ToolChoiceWord::Named(named(conversation, quirks, name))),
        ToolChoice::Allowed { names, required } => Some(ToolChoiceWord::Allowed {
            r#type: "allowed_tools",
            mode: if *required { "required" } else { "auto" },
            tools: names
                .iter()
                .map(|name| named(conversation, quirks, name))
                .collect(),
        }),
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Text<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Format<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verbosity: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Format<'a> {
    JsonObject,
    JsonSchema {
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        schema: &'a Value,
        #[serde(skip_serializing_if = "Option::is_none")]
        strict: Option<bool>,
    },
}

pub(super) fn text(conversation: &Conversation) -> Option<Text<'_>> {
    let format = match &conversation.output {
        OutputFormat::Text => None,
        OutputFormat::JsonObject => Some(Format::JsonObject),
        OutputFormat::JsonSchema {
            name,
            description,
            schema,
            strict,
        } => Some(Format::JsonSchema {
            name,
            description: description.as_deref(),
            schema,
            strict: *strict,
        }),
    };
    let verbosity = conversation.controls.verbosity.as_deref();
    (format.is_some() || verbosity.is_some()).then_some(Text { format, verbosity })
}

#[derive(Debug, Serialize)]
pub(super) struct Reasoning {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'static str>,
}

impl Reasoning {
    /// Whether the model is to think.
    pub(super) fn is_on(&self) -> bool {
        self.effort != Some(Effort::None.as_str())
    }
}

/// A budget becomes the least effort that is worth as much; none at all is left out, for most models refuse to be told
/// not to think. That a model decides for itself is its default.
pub(super) fn reasoning(
    control: &ReasoningControl,
    dropped: &mut Dropped<'_>,
) -> Option<Reasoning> {
    let effort = match (control.effort, control.budget_tokens) {
        (None, Some(tokens)) if tokens > 0 => Some(Effort::of_budget(tokens)),
        (effort, budget) => {
            dropped.if_set(Field::ReasoningBudget, &budget);
            effort
        }
    };
    let summary = match control.summary {
        None | Some(ReasoningSummary::Hidden) => None,
        Some(ReasoningSummary::Auto) => Some("auto"),
        Some(ReasoningSummary::Concise) => Some("concise"),
        Some(ReasoningSummary::Detailed) => Some("detailed"),
    };
    (effort.is_some() || summary.is_some()).then_some(Reasoning {
        effort: effort.map(Effort::as_str),
        summary,
    })
}

/// The ceiling, raised to the least that is accepted.
pub(super) fn max_output_tokens(controls: &Controls, dropped: &mut Dropped<'_>) -> Option<u64> {
    let ceiling = controls.max_output_tokens?;
    if ceiling < OUTPUT_TOKENS_MIN {
        dropped.field(Field::MaxOutputTokens);
    }
    Some(ceiling.max(OUTPUT_TOKENS_MIN))
}

/// Labels, which must be texts here.
pub(super) fn metadata<'a>(
    controls: &'a Controls,
    dropped: &mut Dropped<'_>,
) -> Option<&'a BTreeMap<String, Value>> {
    let metadata = &controls.metadata;
    if metadata.is_empty() {
        return None;
    }
    let fits = metadata.values().all(Value::is_string);
    if !fits {
        dropped.field(Field::Metadata);
    }
    fits.then_some(metadata)
}

pub(super) fn user<'a>(controls: &'a Controls, dropped: &mut Dropped<'_>) -> Option<&'a str> {
    let user = controls.user.as_deref()?;
    let fits = user.chars().count() <= USER_CHARS_MAX;
    if !fits {
        dropped.field(Field::User);
    }
    fits.then_some(user)
}

pub(super) fn service_tier<'a>(
    controls: &'a Controls,
    dropped: &mut Dropped<'_>,
) -> Option<&'a str> {
    let tier = controls.service_tier.as_deref()?;
    let known = SERVICE_TIERS.contains(&tier);
    if !known {
        dropped.field(Field::ServiceTier);
    }
    known.then_some(tier)
}
