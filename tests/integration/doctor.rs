//! `ferrogate doctor`: what it finds, and that it changes nothing.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use serde_json::Value;

use crate::support::{Ended, Gateway, Listener, PROVIDER_KEY, Provider, Rig, ferrogate};

/// What the doctor says of a configuration, with its exit code.
async fn doctor(config: &Path, arguments: &[&str]) -> (Option<i32>, Value) {
    let mut command = ferrogate(&["doctor", "--json", "--config"]);
    command.arg(config).args(arguments);
    command.env("PROVIDER_KEY", PROVIDER_KEY);
    let ended = Ended::of(command, "").await;
    let report = serde_json::from_str(&ended.stdout).unwrap_or_else(|error| {
        panic!("{error}: {} {}", ended.stdout, ended.stderr);
    });
    (ended.code, report)
}

/// The checks of this name: states, and what was found.
fn of<'r>(report: &'r Value, name: &str) -> Vec<(&'r str, &'r str)> {
    let checks = report["checks"].as_array().unwrap().iter();
    checks
        .filter(|check| check["name"] == name)
        .map(|check| {
            (
                check["state"].as_str().unwrap(),
                check["found"].as_str().unwrap(),
            )
        })
        .collect()
}

fn state<'r>(report: &'r Value, name: &str) -> &'r str {
    let found = of(report, name);
    assert_eq!(found.len(), 1, "{name}: {report:#}");
    found[0].0
}

/// The names and sizes of everything in the data directory that a reader must leave alone.
fn inventory(data: &Path) -> Vec<(String, u64)> {
    let mut files: Vec<(String, u64)> = fs::read_dir(data)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            (
                entry.file_name().into_string().unwrap(),
                entry.metadata().unwrap().len(),
            )
        })
        .collect();
    files.sort_unstable();
    files
}

#[tokio::test]
async fn a_running_gateway_in_order_has_no_failure() {
    let rig = Rig::start("").await;
    let answer = rig.chat("hello").send().await.expect(200);
    // Before that the file of the day may be half made.
    rig.gateway.log_of(answer.request_id()).await;
    let config = rig.gateway.config_file();
    let (code, report) = doctor(&config, &[]).await;
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(
        (&report["ok"], &report["failures"]),
        (&true.into(), &0.into())
    );
    for name in [
        "port of `listen`",
        "port of `admin.listen`",
        "databases",
        "write-ahead logs",
        "disk space",
        "gateway",
        "version",
        "readiness",
        "writer",
        "configuration in force",
        "retention",
        "provider openai",
        "clock of the gateway",
    ] {
        assert_eq!(state(&report, name), "ok", "{name}: {report:#}");
    }
    assert_eq!(state(&report, "backups"), "warn");
    assert_eq!(state(&report, "redis"), "skipped");
    let (_, listens) = of(&report, "port of `listen`")[0];
    assert!(
        listens.contains(&rig.gateway.address().to_string()),
        "{listens}"
    );
}

#[tokio::test]
async fn a_gateway_at_rest_is_looked_at_and_left_as_it_is() {
    let rig = Rig::start("").await;
    rig.chat("hello").send().await.expect(200);
    let config = rig.gateway.config_file();
    rig.gateway.terminate();
    let (_, stopped) = rig.gateway.left().await;
    let data = stopped.data_directory();
    let before = inventory(&data);
    let (code, report) = doctor(&config, &[]).await;
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(state(&report, "gateway"), "skipped");
    assert_eq!(state(&report, "databases"), "ok");
    // Asked from here, with the key of this environment.
    assert_eq!(state(&report, "provider openai"), "ok");
    assert_eq!(inventory(&data), before);

    // Damaged, readable by others, and without its provider.
    drop(rig.provider);
    let database = data.join("ferrogate.db");
    let mut bytes = fs::read(&database).unwrap();
    bytes[8192..16_384].fill(0xA5);
    fs::write(&database, bytes).unwrap();
    fs::set_permissions(&database, fs::Permissions::from_mode(0o644)).unwrap();
    let (code, report) = doctor(&config, &[]).await;
    assert_eq!(code, Some(1), "{report:#}");
    for name in ["database ferrogate.db", "file modes", "provider openai"] {
        let failed = of(&report, name).iter().any(|(state, _)| *state == "fail");
        assert!(failed, "{name}: {report:#}");
    }
    let (code, report) = doctor(&config, &["--offline"]).await;
    assert_eq!(code, Some(1));
    assert_eq!(of(&report, "provider openai"), []);
    for check in report["checks"].as_array().unwrap() {
        let wants_remedy = ["warn", "fail"].contains(&check["state"].as_str().unwrap());
        assert_eq!(check["remedy"].is_string(), wants_remedy, "{check}");
    }
}

#[tokio::test]
async fn a_refused_key_and_a_taken_port_are_found() {
    let provider = Provider::start_with(&["--require-key", "sk-right-0001"]).await;
    let taken = Listener::open().await;
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("ferrogate.toml");
    let text = format!(
        "listen = \"{}\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[storage]\npath = \"{}\"\n\
         [[providers]]\nname = \"openai\"\nkind = \"openai\"\nbase_url = \"{}\"\napi_key_env = \"WRONG_KEY\"\n",
        taken.address(),
        folder.path().join("data").display(),
        provider.base_url(),
    );
    fs::write(&config, text).unwrap();
    let mut command = ferrogate(&["doctor", "--config"]);
    command.arg(&config).env("WRONG_KEY", "sk-wrong-0001");
    let ended = Ended::of(command, "").await;
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    let line = |name: &str| {
        let mut lines = ended.stdout.lines();
        lines
            .find(|line| line.contains(name))
            .unwrap_or_else(|| panic!("{name}: {}", ended.stdout))
    };
    assert!(line("port of `listen`").starts_with("✗ FAIL"));
    assert!(line("provider openai").starts_with("✗ FAIL"));
    assert!(line("databases").starts_with("- skip"));
    assert!(ended.stdout.contains("→ "), "{}", ended.stdout);
    assert!(!ended.stdout.contains("sk-wrong-0001"));
    assert!(
        !ended.stdout.contains('\u{1b}'),
        "no colours, for this is no terminal"
    );
}

#[tokio::test]
async fn without_a_configuration_there_is_still_something_to_look_at() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("ferrogate.toml");
    fs::write(&config, "listen = 8080\nprovidrs = 1\n").unwrap();
    let (code, report) = doctor(&config, &["--offline"]).await;
    assert_eq!(code, Some(1));
    assert_eq!(state(&report, "configuration"), "fail");
    let (_, found) = of(&report, "configuration")[0];
    assert!(found.contains(":1:") && found.contains(":2:"), "{found}");
    assert_eq!(of(&report, "open files").len(), 1);

    // The gateway that is named is asked, whatever the file says.
    let gateway = Gateway::start("").await;
    let socket = gateway.admin_socket();
    let named = ["--offline", "--admin-socket", socket.to_str().unwrap()];
    let (_, report) = doctor(&config, &named).await;
    assert_eq!(state(&report, "readiness"), "ok");
    done_draining(&gateway).await;
    let (_, report) = doctor(&config, &named).await;
    assert_eq!(state(&report, "readiness"), "warn");
}

async fn done_draining(gateway: &Gateway) {
    let ended = gateway.command(&["drain", "start"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}
