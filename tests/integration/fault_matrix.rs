//! The fault matrix: everything that can go wrong with a provider, and for each what the client saw, what was recorded
//! and what was billed. The table is kept in `docs/RELIABILITY.md`, and this test holds the two together:
//! `FERROGATE_BLESS=1` writes it anew.

use std::{env, fs, path::PathBuf};

use ferrogate_api::{MeteringEvent, UsageSource};
use futures_util::future::join_all;
use serde_json::Value;

use crate::support::{Dialect, Event, Gateway, KEY, Opened, Provider, gateway_for};

use Dialect::{Chat, Messages};

const PAGE: &str = "docs/RELIABILITY.md";
const BEGIN: &str = "<!-- fault matrix: begin -->\n";
const END: &str = "<!-- fault matrix: end -->\n";

/// No row takes longer than a second; the breaker is a matter of its own.
const LIMITS: &str = "[reliability]\nprovider_dispatch_timeout_secs = 1\nprovider_response_timeout_secs = 1\n\
    provider_stream_idle_timeout_secs = 1\nprovider_circuit_breaker_failure_threshold = 0\n";

/// Where nobody listens.
const NOWHERE: &str = "http://127.0.0.1:9/v1";

/// The cells of a row, in the order of [`HEAD`].
type Row = [String; 10];

const STREAM: usize = 2;
const FALLBACK: usize = 4;

/// How a fault is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Delivery {
    Whole,
    /// As a stream that fails before its first content.
    Before,
    /// As a stream that fails when the client has seen content.
    After,
}

use Delivery::{After, Before, Whole};

/// One row of the table.
#[derive(Debug, Clone, Copy)]
struct Case {
    fault: &'static str,
    /// In the simulator's words; empty for a provider that cannot be reached.
    directive: &'static str,
    delivery: Delivery,
    client: Dialect,
    provider: Dialect,
    fallback: bool,
}

/// A fault that shows in the status, or in that there is none: before anything of a stream.
const AT_ONCE: [(&str, &str); 10] = [
    ("status 400", "fault=400"),
    ("status 401", "fault=401"),
    ("status 408", "fault=408"),
    ("status 429", "fault=429"),
    ("status 500", "fault=500"),
    ("status 503", "fault=503"),
    ("status 529", "fault=529"),
    ("prompt too long", "fault=context_window"),
    ("no answer", "fault=slow"),
    ("unreachable", ""),
];

/// A fault in the middle: of a whole answer, of a stream before its content, of one after.
const IN_THE_MIDDLE: [(&str, [&str; 3]); 4] = [
    (
        "cut",
        [
            "fault=cut",
            "cut=role",
            "tokens=9,delay_ms=20,fault=cut,after=2",
        ],
    ),
    (
        "stall",
        [
            "fault=stall",
            "fault=stall,after=0",
            "tokens=9,delay_ms=20,fault=stall,after=2",
        ],
    ),
    (
        "malformed",
        [
            "fault=malformed",
            "fault=malformed,after=0",
            "tokens=9,delay_ms=20,fault=malformed,after=2",
        ],
    ),
    (
        "error inside a 200",
        [
            "fault=json_error",
            "fault=json_error,after=0",
            "tokens=9,delay_ms=20,fault=json_error,after=2",
        ],
    ),
];

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (fault, directive) in AT_ONCE {
        for delivery in [Whole, Before] {
            for fallback in [false, true] {
                cases.push(Case {
                    fault,
                    directive,
                    delivery,
                    client: Chat,
                    provider: Chat,
                    fallback,
                });
            }
        }
    }
    for (client, provider) in [(Chat, Chat), (Messages, Chat), (Chat, Messages)] {
        for (fault, directives) in IN_THE_MIDDLE {
            for (delivery, directive) in [Whole, Before, After].into_iter().zip(directives) {
                // Between dialects, what differs is how a stream ends.
                if client != provider && (delivery == Whole || fault == "malformed") {
                    continue;
                }
                for fallback in [false, true] {
                    cases.push(Case {
                        fault,
                        directive,
                        delivery,
                        client,
                        provider,
                        fallback,
                    });
                }
            }
        }
    }
    cases
}

/// The model's name at its provider, with the directive in it; all as long as each other, so that estimates of prompts
/// are the same in all rows.
fn provider_model(directive: &str) -> String {
    let named = format!("m+{directive},tag=");
    format!("{named:x<64}")
}

/// Each case with a model and a provider of its own, so that none suffers from another.
fn config(cases: &[Case], provider: &Provider) -> String {
    let mut config = LIMITS.to_owned();
    for (number, case) in cases.iter().enumerate() {
        let kind = match case.provider {
            Messages => "anthropic",
            _ => "openai-compatible",
        };
        let base_url = match case.directive {
            "" => NOWHERE.to_owned(),
            _ => provider.base_url(),
        };
        let model = provider_model(case.directive);
        config.push_str(&format!(
            r#"
            [[providers]]
            name = "p{number}"
            kind = "{kind}"
            base_url = "{base_url}"
            api_key_env = "PROVIDER_KEY"

            [[models]]
            name = "row-{number}"
            provider = "p{number}"
            provider_model = "{model}"
            input_price_per_1m = 1
            output_price_per_1m = 2
            "#
        ));
        if case.fallback {
            config.push_str(
                r#"
                [[models.fallbacks]]
                provider = "openai"
                provider_model = "second"
                input_price_per_1m = 1
                output_price_per_1m = 2
                "#,
            );
        }
    }
    config
}

/// One row, cell by cell.
async fn run(gateway: &Gateway, number: usize, case: Case) -> Row {
    let stream = case.delivery != Whole;
    let model = format!("row-{number}");
    let mut body = case.client.body(&model, stream);
    case.client.say(&mut body, "hello there");
    let path = case.client.path(&model, stream);
    let request = gateway.request("POST", &path).key(KEY).json(&body);
    let mut answer = request.open().await;
    let id = answer.header("x-request-id").to_owned();
    let saw = what_was_seen(&mut answer, case).await;

    let log = gateway.log_of(&id).await;
    let events = gateway.events_of(&id).await;
    let word = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    [
        case.fault.to_owned(),
        format!("{} → {}", case.client.name(), case.provider.name()),
        word(stream),
        word(case.delivery == After),
        word(case.fallback),
        saw,
        log.outcome.as_str().to_owned(),
        log.error_code.as_deref().unwrap_or("–").to_owned(),
        log.attempts.to_string(),
        billed(log.attempts, &events),
    ]
}

/// Rows that differ in whether it is a stream, or whether there is a fallback, become one.
fn merged(rows: Vec<Row>) -> Vec<Row> {
    [STREAM, FALLBACK].into_iter().fold(rows, |rows, column| {
        let mut merged: Vec<Row> = Vec::new();
        for row in rows {
            let differs_there_alone = |other: &&mut Row| {
                (0..row.len()).all(|index| index == column || other[index] == row[index])
            };
            match merged.iter_mut().find(differs_there_alone) {
                Some(same) => "either".clone_into(&mut same[column]),
                None => merged.push(row),
            }
        }
        merged
    })
}

/// Status and code, or how the stream ended.
async fn what_was_seen(answer: &mut Opened, case: Case) -> String {
    let status = answer.status;
    let from = match answer.header("x-ferrogate-provider") {
        "openai" => "200 of the fallback".to_owned(),
        _ => status.to_string(),
    };
    if status != 200 || case.delivery == Whole {
        let mut body = Vec::new();
        while let Some(piece) = answer.piece().await {
            body.extend_from_slice(&piece);
        }
        let body: Value = serde_json::from_slice(&body).unwrap();
        return match code(&body) {
            Some(code) => format!("{status} `{code}`"),
            None => from,
        };
    }
    let events: Vec<Event> = answer
        .events()
        .await
        .into_iter()
        .filter(|event| !event.is_comment())
        .collect();
    let last = events.last().unwrap();
    let closed = last.is_done() || last.field("event") == "message_stop";
    if closed {
        return from;
    }
    let told = last.json();
    let code = code(&told).unwrap_or_else(|| panic!("neither closed nor failed: {events:?}"));
    format!("{status}, content, then an error event `{code}`")
}

/// The code in an error envelope, or its type where it has none.
fn code(envelope: &Value) -> Option<String> {
    let error = envelope["error"].as_object()?;
    let field = |name: &str| error.get(name)?.as_str();
    Some(field("code").or_else(|| field("type"))?.to_owned())
}

/// What the ledger says of each attempt: where the counts come from, and input and output tokens.
fn billed(attempts: u32, events: &[MeteringEvent]) -> String {
    let told = (1..=attempts).map(|attempt| {
        let Some(event) = events.iter().find(|event| event.attempt == attempt) else {
            return "no row".to_owned();
        };
        let tokens = event.tokens;
        let cost = i64::try_from(tokens.input * 1000 + tokens.output * 2000).unwrap();
        assert_eq!(event.cost_nanos, Some(cost), "{event:?}");
        match event.usage_source {
            UsageSource::None => "nothing".to_owned(),
            source => format!("{} {} + {}", source.as_str(), tokens.input, tokens.output),
        }
    });
    told.collect::<Vec<_>>().join("; ")
}

const HEAD: &str = "| fault | client → provider | stream | committed | fallback | the client saw | outcome | error code | attempts | billed for each attempt |\n|---|---|---|---|---|---|---|---|---|---|\n";

#[tokio::test]
async fn each_fault_has_its_row_and_the_page_shows_it() {
    let provider = Provider::start().await;
    let cases = cases();
    let gateway = gateway_for(&provider.base_url(), &config(&cases, &provider)).await;
    let rows = cases
        .iter()
        .enumerate()
        .map(|(number, case)| run(&gateway, number, *case));
    let mut table = HEAD.to_owned();
    for row in merged(join_all(rows).await) {
        table.push_str(&format!("| {} |\n", row.join(" | ")));
    }
    eprintln!("{table}");

    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (kept, after) = rest.split_once(END).unwrap();
    if env::var_os("FERROGATE_BLESS").is_some() {
        fs::write(&path, format!("{before}{BEGIN}\n{table}\n{END}{after}")).unwrap();
        return;
    }
    assert_eq!(
        kept.trim(),
        table.trim(),
        "{PAGE} is not what happens; FERROGATE_BLESS=1 writes it anew"
    );
}
