//! The OpenAPI document of the admin API, held against a gateway that runs: schemathesis makes requests of it by the
//! thousand, right ones and wrong ones, and looks whether the answers are what the document says (`tests/schemathesis`).
//!
//! It is installed once, as the clients of [`mod@crate::sdk`] are.

use std::{fs, path::Path, time::Duration};

use serde_json::{Value, json};

use crate::support::{
    Ended, Gateway, Provider, ferrogate,
    python::{self, Python},
};

const TESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/schemathesis");
const CONFIG: &str = include_str!("../schemathesis/gateway.toml");
const DOCUMENT: &str = include_str!("../../docs/openapi/admin-api.openapi.json");

const TESTS_TIME_LIMIT: Duration = Duration::from_secs(900);

#[tokio::test]
async fn the_gateway_and_the_command_tell_the_document_that_is_checked_in() {
    let gateway = Gateway::start("").await;
    let served = gateway.admin("/admin/v1/openapi.json").send().await;
    assert_eq!(served.expect(200).text(), DOCUMENT);
    let printed = Ended::of(ferrogate(&["openapi"]), "").await;
    assert_eq!((printed.code, printed.stdout.as_str()), (Some(0), DOCUMENT));
}

#[tokio::test]
async fn schemathesis_finds_nothing_that_is_not_as_the_document_says() {
    let python = Python::installed("schemathesis", Path::new(TESTS)).await;
    let provider = Provider::start().await;
    let simulator = format!("http://{}", provider.address());
    let gateway = Gateway::start(&CONFIG.replace("@PROVIDER@", &simulator)).await;
    something_happens(&gateway).await;

    let home = tempfile::tempdir().unwrap();
    let document = home.path().join("openapi.json");
    fs::write(&document, DOCUMENT).unwrap();
    let mut run = python.command("schemathesis", home.path());
    run.arg("--config-file")
        .arg(Path::new(TESTS).join("schemathesis.toml"))
        .arg("run")
        .arg(&document)
        .arg("--url")
        .arg(format!("http://{}", gateway.admin_address()))
        .current_dir(home.path())
        .env("PYTHONPATH", TESTS)
        .env("NO_COLOR", "1")
        .env("COLUMNS", "200");
    let ran = python::run(run, TESTS_TIME_LIMIT).await;
    let said = &ran.said;
    assert!(ran.succeeded, "{said}\n{}", gateway.logged());
    // Whoever tests nothing finds nothing.
    let all = operations();
    for sign in [
        format!("Selected: {all}/{all}"),
        "✅ Examples".to_owned(),
        "✅ Coverage".to_owned(),
        "✅ Fuzzing".to_owned(),
        "✅ Stateful".to_owned(),
    ] {
        assert!(said.contains(&sign), "{sign}\n{said}");
    }
}

fn operations() -> usize {
    let document: Value = serde_json::from_str(DOCUMENT).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.values().map(|item| item.as_object().unwrap().len());
    operations.sum()
}

/// Requests for the logs, the ledger and the sums to tell of.
async fn something_happens(gateway: &Gateway) {
    let ask = |key: &str, model: &str| {
        let body = json!({"model": model, "messages": [{"role": "user", "content": "hello"}]});
        gateway
            .request("POST", "/v1/chat/completions")
            .key(key)
            .json(&body)
            .send()
    };
    for _ in 0..7 {
        ask("schemathesis-spender-secret", "fast").await.expect(200);
    }
    assert_eq!(ask("nobodys-secret", "fast").await.status, 401);
    assert_eq!(ask("schemathesis-spender-secret", "none").await.status, 404);
}
