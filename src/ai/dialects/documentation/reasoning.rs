//! What a wish for thought becomes, in numbers and words: it is the control that dialects and generations of models
//! differ most about.

use super::page::{Table, hold};
use super::probe::{PROVIDERS, Probe, Provider, function, provider, values, with_tool};
use crate::ai::conversation::{Conversation, Effort, ToolChoice};
use crate::ai::dialects::{Dialect, Field};

const CLAUDE: [Provider; 5] = [
    provider("not a Claude model", Dialect::Messages, "glm-x"),
    provider("Claude up to 4.5", Dialect::Messages, "claude-sonnet-4-5"),
    provider("Claude 4.6", Dialect::Messages, "claude-opus-4-6"),
    provider("later Claude", Dialect::Messages, "claude-opus-4-8"),
    provider("always thinking", Dialect::Messages, "claude-fable-5-1"),
];

fn effort(effort: Effort) -> Probe {
    Probe::of(|asked| asked.reasoning.effort = Some(effort))
}

fn budget(tokens: u64) -> Probe {
    Probe::of(|asked| asked.reasoning.budget_tokens = Some(tokens))
}

fn rows() -> Vec<(String, Field, Probe)> {
    let mut rows: Vec<(String, Field, Probe)> = [
        Effort::None,
        Effort::Minimal,
        Effort::Low,
        Effort::Medium,
        Effort::High,
        Effort::XHigh,
        Effort::Max,
    ]
    .into_iter()
    .map(|word| {
        let label = format!("effort `{}`", word.as_str());
        (label, Field::ReasoningEffort, effort(word))
    })
    .collect();
    for tokens in [0, 500, 5000, 20_000, 30_000, 60_000] {
        let label = format!("budget {tokens}");
        rows.push((label, Field::ReasoningBudget, budget(tokens)));
    }
    rows.push((
        "no number: as the model likes".into(),
        Field::ReasoningBudget,
        Probe::of(|asked| asked.reasoning.dynamic = true),
    ));
    rows
}

fn table(first: &str, providers: &[Provider], rows: Vec<(String, Field, Probe)>) -> Table {
    let heads = providers.iter().map(|provider| provider.name);
    let mut table = Table::new(&std::iter::once(first).chain(heads).collect::<Vec<_>>());
    for (label, field, probe) in rows {
        let mut cells = vec![label];
        cells.extend(
            providers
                .iter()
                .map(|provider| values(provider, &probe, field)),
        );
        table.row(&cells);
    }
    table
}

#[test]
fn thought_is_asked_for_in_each_dialects_words() {
    let [chat, _, responses, messages, gemini] = PROVIDERS;
    let providers = [chat, responses, messages, gemini];
    hold("reasoning", &table("asked for", &providers, rows()));
}

#[test]
fn each_generation_of_claude_is_told_what_it_takes() {
    let beside = |change: fn(&mut Conversation)| {
        let mut thinking = with_tool(function());
        thinking.reasoning.effort = Some(Effort::High);
        Probe::on(thinking, change)
    };
    let mut forced = with_tool(function());
    forced.tool_choice = ToolChoice::Required;
    let alone = |change: fn(&mut Conversation)| Probe::of(change);
    let rows = vec![
        (
            "effort `high`",
            Field::ReasoningEffort,
            effort(Effort::High),
        ),
        (
            "effort `xhigh`",
            Field::ReasoningEffort,
            effort(Effort::XHigh),
        ),
        (
            "effort `none`",
            Field::ReasoningEffort,
            effort(Effort::None),
        ),
        ("budget 5000", Field::ReasoningBudget, budget(5000)),
        (
            "budget 5000 of a ceiling of 4000",
            Field::ReasoningBudget,
            Probe::of(|asked| {
                asked.reasoning.budget_tokens = Some(5000);
                asked.controls.max_output_tokens = Some(4000);
            }),
        ),
        (
            "no number: as the model likes",
            Field::ReasoningBudget,
            Probe::of(|asked| asked.reasoning.dynamic = true),
        ),
        (
            "effort `high` where a call is forced",
            Field::ReasoningEffort,
            Probe::on(forced, |asked| asked.reasoning.effort = Some(Effort::High)),
        ),
        (
            "temperature 0.5",
            Field::Temperature,
            alone(|asked| asked.controls.temperature = Some(0.5)),
        ),
        (
            "temperature 1.5",
            Field::Temperature,
            alone(|asked| asked.controls.temperature = Some(1.5)),
        ),
        (
            "temperature 0.5 and top p 0.9",
            Field::TopP,
            alone(|asked| {
                asked.controls.temperature = Some(0.5);
                asked.controls.top_p = Some(0.9);
            }),
        ),
        (
            "while it thinks: temperature 0.5",
            Field::Temperature,
            beside(|asked| asked.controls.temperature = Some(0.5)),
        ),
        (
            "while it thinks: top p 0.9",
            Field::TopP,
            beside(|asked| asked.controls.top_p = Some(0.9)),
        ),
        (
            "while it thinks: top p 0.97",
            Field::TopP,
            beside(|asked| asked.controls.top_p = Some(0.97)),
        ),
        (
            "while it thinks: top k 40",
            Field::TopK,
            beside(|asked| asked.controls.top_k = Some(40)),
        ),
    ];
    let rows = rows
        .into_iter()
        .map(|(label, field, probe)| (label.to_owned(), field, probe));
    hold("claude", &table("asked for", &CLAUDE, rows.collect()));
}
