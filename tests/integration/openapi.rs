//! The OpenAPI document of the admin API, held against a gateway that runs: schemathesis makes requests of it by the
//! thousand, right ones and wrong ones, and looks whether the answers are what the document says (`tests/schemathesis`).
//!
//! It is installed once, as the clients of [`mod@crate::sdk`] are.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Output,
    time::Duration,
};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::process::Command;

use crate::support::{Ended, Gateway, Provider, ferrogate};

const TESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/schemathesis");
const CONFIG: &str = include_str!("../schemathesis/gateway.toml");
const DOCUMENT: &str = include_str!("../../docs/openapi/admin-api.openapi.json");

const INSTALL_TIME_LIMIT: Duration = Duration::from_secs(600);
const TESTS_TIME_LIMIT: Duration = Duration::from_secs(900);

/// A proxy that nobody listens at: what tries to reach anything beside the gateway fails.
const NOWHERE: &str = "http://127.0.0.1:9";

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
    let environment = environment().await;
    let provider = Provider::start().await;
    let simulator = format!("http://{}", provider.address());
    let gateway = Gateway::start(&CONFIG.replace("@PROVIDER@", &simulator)).await;
    something_happens(&gateway).await;

    let home = tempfile::tempdir().unwrap();
    let document = home.path().join("openapi.json");
    fs::write(&document, DOCUMENT).unwrap();
    let mut run = Command::new(environment.join("bin/schemathesis"));
    run.arg("--config-file")
        .arg(Path::new(TESTS).join("schemathesis.toml"))
        .arg("run")
        .arg(&document)
        .arg("--url")
        .arg(format!("http://{}", gateway.admin_address()))
        .current_dir(home.path())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home.path())
        .env("PYTHONPATH", TESTS)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("NO_COLOR", "1")
        .env("COLUMNS", "200")
        .env("NO_PROXY", "127.0.0.1");
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        run.env(name, NOWHERE);
    }
    let ran = output(run, TESTS_TIME_LIMIT).await;
    let said = said(&ran);
    assert!(ran.status.success(), "{said}\n{}", gateway.logged());
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

/// The virtual environment with what `requirements.txt` names, as soon as it is there.
async fn environment() -> PathBuf {
    let requirements = Path::new(TESTS).join("requirements.txt");
    let digest = Sha256::digest(fs::read(&requirements).unwrap());
    let digits = digest.iter().take(8).map(|byte| format!("{byte:02x}"));
    let folders = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let environment = folders.join(format!("schemathesis-{}", digits.collect::<String>()));
    fs::create_dir_all(folders).unwrap();
    // Two test runs may share the folder: one installs, the other waits. The system unlocks it with the file.
    let lock = File::create(environment.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    // Written last, so that an installation that was broken off starts over.
    let complete = environment.join("complete");
    if !complete.exists() {
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv", "--clear"]).arg(&environment);
        install(venv, "Python 3.11 or later with its module venv").await;
        let mut pip = Command::new(environment.join("bin/python"));
        // Only finished packages: nothing downloaded is run to build another.
        pip.args(["-m", "pip", "install", "--quiet", "--only-binary", ":all:"])
            .arg("--requirement")
            .arg(&requirements)
            .env("PIP_DISABLE_PIP_VERSION_CHECK", "1");
        install(pip, "PyPI, the first time").await;
        File::create(complete).unwrap();
    }
    environment
}

async fn install(command: Command, needs: &str) {
    let ran = output(command, INSTALL_TIME_LIMIT).await;
    assert!(
        ran.status.success(),
        "schemathesis needs {needs}:\n{}",
        said(&ran)
    );
}

async fn output(mut command: Command, time_limit: Duration) -> Output {
    let running = command.kill_on_drop(true).output();
    let ended = tokio::time::timeout(time_limit, running).await;
    ended.expect("it ends within its time limit").unwrap()
}

fn said(ran: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    text(&ran.stdout) + &text(&ran.stderr)
}
