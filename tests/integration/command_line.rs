//! The commands that end by themselves: what they print and how they exit.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::process::Command;

use crate::support::{Ended, Gateway, Listener, ferrogate};

async fn run(arguments: &[&str]) -> Ended {
    Ended::of(ferrogate(arguments), "").await
}

/// A configuration file in a folder of its own.
fn file(text: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ferrogate.toml");
    std::fs::write(&path, text).unwrap();
    (directory, path)
}

fn in_project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

async fn validate(path: &Path) -> Ended {
    run(&["validate", "--config", path.to_str().unwrap()]).await
}

#[tokio::test]
async fn every_configuration_that_comes_along_is_valid() {
    for name in ["ferrogate.example.toml", "minimal.toml"] {
        let ended = validate(&in_project("config").join(name)).await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(ended.stdout.contains("ok. listen 127.0.0.1:8080"));
        // Its key is not set here, which is worth a word and no error.
        assert!(ended.stderr.contains("OPENAI_API_KEY"), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn everything_wrong_with_a_configuration_is_told_at_once() {
    let (_directory, path) = file(
        r#"
listen = 8080
providerz = 1

[[providers]]
name = "openai"
base_url = "no url"

[[models]]
name = "fast"
provider = "opena"
provider_model = "gpt-4o-mini"

[[api_keys]]
id = "dev"
key = "hunter2"

[telemetry]
otlp_endpoint = "http://127.0.0.1:4318"

[tls]
"#,
    );
    let ended = validate(&path).await;
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.stdout, "");
    let path = path.to_str().unwrap();
    for (line, about) in [
        (2, "listen"),
        (3, "providerz"),
        (7, "base_url"),
        (11, "`openai`"),
        (19, "not yet supported"),
        (21, "not yet supported"),
    ] {
        let found = ended
            .stderr
            .lines()
            .any(|issue| issue.contains(&format!("{path}:{line}:")) && issue.contains(about));
        assert!(found, "line {line}, {about}: {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("hunter2"));
    assert_eq!(ended.stderr.lines().count(), 6, "{}", ended.stderr);
}

#[tokio::test]
async fn a_configuration_that_cannot_be_read_is_an_error() {
    let (_directory, path) = file("listen = ");
    for ended in [
        validate(&path).await,
        validate(&path.with_extension("missing")).await,
        run(&["run", "--config", path.to_str().unwrap()]).await,
    ] {
        assert_eq!(ended.code, Some(1));
        assert!(ended.stderr.contains("ferrogate.toml") || ended.stderr.contains("missing"));
    }
}

#[tokio::test]
async fn without_a_configuration_there_is_no_gateway() {
    let ended = run(&["run"]).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("--config"), "{}", ended.stderr);
    assert!(ended.stderr.contains("ferrogate demo"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_taken_port_ends_the_start_at_once_and_leaves_nothing_behind() {
    let taken = Listener::open().await;
    let address = taken.address();
    for (text, key) in [
        (format!("listen = \"{address}\""), "`listen`"),
        (
            format!("listen = \"127.0.0.1:0\"\n[admin]\nlisten = \"{address}\""),
            "`admin.listen`",
        ),
    ] {
        let (directory, path) = file(&text);
        let mut command = ferrogate(&["run", "--config", path.to_str().unwrap()]);
        let data = directory.path().join("data");
        command.env("STATE_DIRECTORY", &data);
        let ended = Ended::of(command, "").await;
        assert_eq!(ended.code, Some(1));
        let address = address.to_string();
        assert!(ended.stderr.contains(&address), "{}", ended.stderr);
        assert!(ended.stderr.contains(key), "{}", ended.stderr);
        assert!(!data.exists(), "no database for a gateway that never was");
    }
}

#[tokio::test]
async fn a_data_directory_has_one_gateway() {
    let first = Gateway::start("").await;
    let config = first.config_file();
    let second = run(&["run", "--config", config.to_str().unwrap()]).await;
    assert_eq!(second.code, Some(1));
    let directory = first.data_directory();
    assert!(second.stderr.contains(directory.to_str().unwrap()));
    assert!(second.stderr.contains("another process"));
    let alive = first.request("GET", "/healthz").send().await;
    alive.expect(200);
    first.admin("/admin/v1/status").send().await.expect(200);
}

async fn hash_key(command: Command, input: &str) -> Ended {
    let ended = Ended::of(command, input).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    ended
}

#[tokio::test]
async fn a_secret_is_hashed_from_standard_input_without_its_line_end() {
    const HASH: &str = "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\n";
    for input in ["secret", "secret\n", "secret\r\n"] {
        let ended = hash_key(ferrogate(&["hash-key"]), input).await;
        assert_eq!(ended.stdout, HASH);
        assert!(ended.stderr.contains("easy to guess"));
        assert!(!ended.stderr.contains("command line"));
    }
    let mut in_variable = ferrogate(&["hash-key"]);
    in_variable.env("FERROGATE_KEY_SECRET", "secret");
    let ended = hash_key(in_variable, "").await;
    assert_eq!(ended.stdout, HASH);
    assert!(!ended.stderr.contains("command line"));

    let ended = hash_key(ferrogate(&["hash-key", "--secret", "secret"]), "").await;
    assert_eq!(ended.stdout, HASH);
    assert!(ended.stderr.contains("visible to every user"));

    let empty = Ended::of(ferrogate(&["hash-key"]), "\n").await;
    assert_eq!(empty.code, Some(1));
}

#[tokio::test]
async fn a_generated_key_opens_the_gateway_that_knows_its_hash() {
    let ended = hash_key(ferrogate(&["hash-key", "--generate"]), "").await;
    assert_eq!(ended.stderr, "");
    let value = |name: &str| {
        let mut lines = ended.stdout.lines();
        lines
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "))
            .unwrap()
    };
    assert!(value("key").starts_with("fg_live_"));
    let hash = value("key_hash");
    let gateway = Gateway::start(&format!(
        "[[api_keys]]\nid = \"made\"\nkey_hash = \"{hash}\""
    ))
    .await;
    let list = gateway.request("GET", "/v1/models").key(value("key"));
    list.send().await.expect(200);
}

#[tokio::test]
async fn wrong_arguments_are_told_apart_from_failures() {
    for arguments in [&["run", "--no-such-flag"][..], &["no-such-command"], &[]] {
        assert_eq!(run(arguments).await.code, Some(2), "{arguments:?}");
    }
    let version = run(&["--version"]).await;
    assert_eq!(version.code, Some(0));
    assert!(version.stdout.starts_with("ferrogate "));
}
