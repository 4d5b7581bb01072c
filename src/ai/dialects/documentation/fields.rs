//! What becomes of each field of a request.

use std::collections::HashSet;

use serde_json::{Map, json};

use super::page::{Table, hold};
use super::probe::{PROVIDERS, Probe, function, hi, rule, with_tool};
use crate::ai::conversation::{
    Conversation, Effort, OutputFormat, ReasoningSummary, ToolChoice, ToolKind,
};
use crate::ai::dialects::{Dialect, Field};

/// Fields that hold content: what is in them has a table of its own.
const CONTENT: [Field; 5] = [
    Field::Messages,
    Field::Instructions,
    Field::Image,
    Field::Document,
    Field::Audio,
];

/// A row for each thing that can be said in a field.
pub(super) fn rows() -> Vec<(Field, &'static str, Probe)> {
    let mut rows = about_tools();
    rows.extend(about_form());
    rows.extend(about_sampling());
    rows.extend(about_the_account());
    rows
}

fn about_tools() -> Vec<(Field, &'static str, Probe)> {
    let choose = |choice| {
        Probe::on(with_tool(function()), |asked| {
            asked.tool_choice = choice;
        })
    };
    let allowed = |required| {
        let mut asked = with_tool(function());
        asked.tools.extend(with_tool(function()).tools);
        asked.tools[1].name = "other".into();
        Probe::on(asked, |asked| {
            asked.tool_choice = ToolChoice::Allowed {
                names: vec!["look".into()],
                required,
            };
        })
    };
    vec![
        (
            Field::Tools,
            "functions",
            Probe::of(|asked| asked.tools = with_tool(function()).tools),
        ),
        (
            Field::Tools,
            "free-text (`custom`) tools",
            Probe::of(|asked| asked.tools = with_tool(ToolKind::Custom { format: None }).tools),
        ),
        (
            Field::ToolGrammar,
            "grammar of a free-text tool",
            Probe::on(with_tool(ToolKind::Custom { format: None }), |asked| {
                asked.tools[0].kind = ToolKind::Custom {
                    format: Some(
                        json!({"type": "grammar", "syntax": "lark", "definition": "s: A"}),
                    ),
                };
            }),
        ),
        (
            Field::ToolStrict,
            "strict arguments",
            Probe::on(with_tool(function()), |asked| {
                asked.tools[0].kind = ToolKind::Function {
                    parameters: Some(json!({"type": "object", "properties": {}})),
                    strict: Some(true),
                };
            }),
        ),
        (
            Field::ToolChoice,
            "tool choice: none",
            choose(ToolChoice::None),
        ),
        (
            Field::ToolChoice,
            "tool choice: required",
            choose(ToolChoice::Required),
        ),
        (
            Field::ToolChoice,
            "tool choice: one by name",
            choose(ToolChoice::Named("look".into())),
        ),
        (
            Field::ToolChoice,
            "tool choice: some of these or none",
            allowed(false),
        ),
        (
            Field::ToolChoice,
            "tool choice: one of these",
            allowed(true),
        ),
        (
            Field::ToolChoice,
            "tool choice: required, and every tool is hosted",
            Probe::of(|asked| asked.tool_choice = ToolChoice::Required),
        ),
        (
            Field::ParallelToolCalls,
            "no parallel calls",
            Probe::on(with_tool(function()), |asked| {
                asked.parallel_tool_calls = Some(false);
            }),
        ),
    ]
}

fn about_form() -> Vec<(Field, &'static str, Probe)> {
    let schema = OutputFormat::JsonSchema {
        name: "probe".into(),
        description: None,
        schema: json!({"type": "object", "description": "d", "properties": {}}),
        strict: None,
    };
    let mut thinking = hi();
    thinking.reasoning.effort = Some(Effort::High);
    vec![
        (
            Field::OutputFormat,
            "output: a JSON object",
            Probe::of(|asked| asked.output = OutputFormat::JsonObject),
        ),
        (
            Field::OutputFormat,
            "output: a JSON schema",
            Probe::of(|asked| asked.output = schema),
        ),
        (
            Field::ReasoningEffort,
            "reasoning effort",
            Probe::of(|asked| asked.reasoning.effort = Some(Effort::High)),
        ),
        (
            Field::ReasoningBudget,
            "reasoning budget",
            Probe::of(|asked| asked.reasoning.budget_tokens = Some(5000)),
        ),
        (
            Field::ReasoningSummary,
            "reasoning to be shown",
            Probe::on(thinking, |asked| {
                asked.reasoning.summary = Some(ReasoningSummary::Auto);
            }),
        ),
    ]
}

fn about_sampling() -> Vec<(Field, &'static str, Probe)> {
    fn set(change: impl FnOnce(&mut Conversation)) -> Probe {
        Probe::of(change)
    }
    vec![
        (
            Field::MaxOutputTokens,
            "ceiling on output tokens",
            set(|asked| asked.controls.max_output_tokens = Some(4097)),
        ),
        (
            Field::Stop,
            "stop sequences",
            set(|asked| asked.controls.stop = vec!["END".into()]),
        ),
        (
            Field::Temperature,
            "temperature",
            set(|asked| asked.controls.temperature = Some(0.25)),
        ),
        (
            Field::TopP,
            "top p",
            set(|asked| asked.controls.top_p = Some(0.75)),
        ),
        (
            Field::TopK,
            "top k",
            set(|asked| asked.controls.top_k = Some(33)),
        ),
        (
            Field::FrequencyPenalty,
            "frequency penalty",
            set(|asked| asked.controls.frequency_penalty = Some(0.5)),
        ),
        (
            Field::PresencePenalty,
            "presence penalty",
            set(|asked| asked.controls.presence_penalty = Some(0.5)),
        ),
        (
            Field::Seed,
            "seed",
            set(|asked| asked.controls.seed = Some(77)),
        ),
        (
            Field::LogitBias,
            "logit bias",
            set(|asked| {
                asked.controls.logit_bias = Some(Map::from_iter([("1".to_owned(), json!(-99))]));
            }),
        ),
        (
            Field::Verbosity,
            "verbosity",
            set(|asked| asked.controls.verbosity = Some("low".into())),
        ),
        (
            Field::Choices,
            "several answers (`n` over 1)",
            set(|asked| asked.controls.choices = Some(2)),
        ),
        (
            Field::Logprobs,
            "log probabilities",
            set(|asked| asked.controls.logprobs = Some(3)),
        ),
    ]
}

fn about_the_account() -> Vec<(Field, &'static str, Probe)> {
    let tier =
        |word: &'static str| Probe::of(|asked| asked.controls.service_tier = Some(word.into()));
    let mut of_responses = hi();
    of_responses.dialect = Dialect::Responses;
    vec![
        (
            Field::User,
            "end user",
            Probe::of(|asked| asked.controls.user = Some("ann".into())),
        ),
        (
            Field::User,
            "end user, over 64 characters",
            Probe::of(|asked| asked.controls.user = Some("a".repeat(65))),
        ),
        (
            Field::SpeakerName,
            "name of a speaker",
            Probe::of(|asked| asked.messages[0].name = Some("ann".into())),
        ),
        (
            Field::Metadata,
            "metadata",
            Probe::of(|asked| {
                asked.controls.metadata.insert("team".into(), json!("blue"));
            }),
        ),
        (
            Field::ServiceTier,
            "service tier `default`",
            tier("default"),
        ),
        (Field::ServiceTier, "service tier `flex`", tier("flex")),
        (
            Field::ServiceTier,
            "service tier of another provider's",
            tier("turbo"),
        ),
        (
            Field::PromptCacheKey,
            "prompt cache key",
            Probe::of(|asked| asked.controls.prompt_cache_key = Some("k".into())),
        ),
        (
            Field::Store,
            "`store: true`",
            Probe::of(|asked| asked.controls.store = Some(true)),
        ),
        (
            Field::Store,
            "`store: true` of a responses client",
            Probe::on(of_responses, |asked| {
                asked.controls.store = Some(true);
            }),
        ),
    ]
}

#[test]
fn every_field_becomes_what_the_page_says() {
    let heads = PROVIDERS.iter().map(|provider| provider.name);
    let mut table = Table::new(
        &std::iter::once("asked for")
            .chain(heads)
            .collect::<Vec<_>>(),
    );
    for (field, label, probe) in rows() {
        let mut cells = vec![label.to_owned()];
        cells.extend(
            PROVIDERS
                .iter()
                .map(|provider| rule(provider, &probe, field)),
        );
        table.row(&cells);
    }
    hold("fields", &table);
}

#[test]
fn no_field_is_without_a_row() {
    let fields: HashSet<Field> = rows().into_iter().map(|(field, ..)| field).collect();
    for field in Field::ALL {
        let content = CONTENT.contains(field);
        assert_eq!(fields.contains(field), !content, "{field:?}");
    }
}
