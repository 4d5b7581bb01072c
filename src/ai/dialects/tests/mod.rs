//! The golden corpus: what goes in at one side of every pair of dialects, and to the byte what comes out at the other.
//!
//! The files are in `tests/golden/`, which explains itself. `FERROGATE_BLESS=1 cargo test golden` writes the outputs
//! anew; what changed is then read and judged like code.
//!
//! `agreement` and `splits` need no files of their own: a stream must tell the same answer as the whole answer does,
//! and must be the same however its bytes arrive.

mod agreement;
mod corpus;
mod next_turn;
mod pretty;
mod splits;
mod translate;

use std::collections::{BTreeMap, HashMap};

use corpus::{Outputs, input, inputs};
use serde_json::Value;
use translate::{
    PROVIDERS, Provider, REQUEST_ID, Sent, context, error_of, main_providers, refusal, run, surface,
};

use super::{Dialect, convert, error_body, read_error};

/// Every client with the main provider of every other dialect.
fn pairs() -> impl Iterator<Item = (Dialect, &'static Provider)> {
    let of = |client: Dialect| {
        let others = main_providers().filter(move |provider| provider.dialect != client);
        others.map(move |provider| (client, provider))
    };
    Dialect::CONVERSING.into_iter().flat_map(of)
}

#[test]
fn golden_requests_reach_every_provider_as_they_should() {
    let mut outputs = Outputs::of("request");
    for client in Dialect::CONVERSING {
        for (scenario, body) in inputs(client, "request") {
            let mut main: HashMap<Dialect, String> = HashMap::new();
            for provider in PROVIDERS
                .iter()
                .filter(|provider| provider.dialect != client)
            {
                let sent = Sent::of(client, provider, &scenario, &body);
                let name = match provider.variant {
                    None => format!("request.{scenario}.json"),
                    Some(variant) => format!("request.{scenario}.{variant}.json"),
                };
                // A variant is of interest where it is sent something else.
                let told = sent.without_model(provider);
                let known = main.entry(provider.dialect).or_insert_with(|| told.clone());
                if provider.variant.is_none() || *known != told {
                    outputs.put(client, provider.dialect, name, sent.to_string());
                }
            }
        }
    }
    outputs.settle();
}

#[test]
fn golden_answers_reach_every_client_as_they_should() {
    let mut outputs = Outputs::of("answer");
    for (client, provider) in pairs() {
        for (scenario, body) in inputs(provider.dialect, "answer") {
            let context = context(client, provider, &scenario);
            let answer = convert::read_answer(provider.dialect, &body, &context);
            let text = match answer {
                Ok(answer) => {
                    let written = convert::write_answer(client, &answer, &context);
                    pretty::json(&written)
                }
                Err(error) => refusal(client, &error),
            };
            let name = format!("answer.{scenario}.json");
            outputs.put(client, provider.dialect, name, text);
        }
    }
    outputs.settle();
}

#[test]
fn golden_streams_reach_every_client_as_they_should() {
    let mut outputs = Outputs::of("stream");
    for (client, provider) in pairs() {
        for (scenario, stream) in inputs(provider.dialect, "stream") {
            let got = run(client, provider, &scenario, [&*stream]);
            let name = format!("stream.{scenario}.sse");
            outputs.put(client, provider.dialect, name, got.text());
        }
    }
    outputs.settle();
}

#[test]
fn golden_errors_reach_every_client_in_its_own_shape() {
    let mut outputs = Outputs::of("errors");
    for (client, provider) in pairs() {
        let file = input(provider.dialect, "errors", "").expect("every dialect has its errors");
        let errors: BTreeMap<String, Value> = serde_json::from_slice(&file).unwrap();
        let mut all = Vec::new();
        for (scenario, error) in &errors {
            let status = u16::try_from(error["status"].as_u64().unwrap()).unwrap();
            let body = match &error["body"] {
                Value::String(plain) => plain.clone(),
                json => json.to_string(),
            };
            let error = read_error(provider.dialect, "up", (status, body.as_bytes()), None);
            let answered = error_body(surface(client), &error, REQUEST_ID);
            all.push(format!(
                "{}:{}",
                Value::from(&**scenario),
                error_of(&error, &answered)
            ));
        }
        let json = format!("{{{}}}", all.join(","));
        outputs.put(
            client,
            provider.dialect,
            "errors.json".into(),
            pretty::json(json.as_bytes()),
        );
    }
    outputs.settle();
}
