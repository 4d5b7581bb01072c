//! `ferrogate reload` and `ferrogate config …`, as an operator types them: the exit code tells what is in force.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Ended, Gateway, ferrogate};

async fn run(arguments: &[&str]) -> Ended {
    Ended::of(ferrogate(arguments), "").await
}

/// The gateway's own file with `more` behind it, somewhere else.
fn changed(gateway: &Gateway, more: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.toml");
    let own = fs::read_to_string(gateway.config_file()).unwrap();
    fs::write(&path, format!("{own}\n{more}\n")).unwrap();
    (folder, path)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

async fn has_key(gateway: &Gateway, id: &str) -> bool {
    let answer = gateway
        .admin(&format!("/admin/v1/api-keys/{id}"))
        .send()
        .await;
    answer.status == 200
}

const KEY: &str = "[[api_keys]]\nid = \"new\"\nkey = \"new-secret-0123456789\"";

#[tokio::test]
async fn a_text_that_is_sent_is_in_force_until_a_restart_and_that_is_said() {
    let gateway = Gateway::start("").await;
    let (_folder, file) = changed(&gateway, KEY);
    let ended = gateway
        .command(&["reload", "--config", text(&file), "--reason", "a new key"])
        .await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("+ api_keys new"), "{}", ended.stdout);
    assert!(
        ended.stdout.contains("is in force: revision "),
        "{}",
        ended.stdout
    );
    assert!(
        ended.stdout.contains("put the new text there"),
        "{}",
        ended.stdout
    );
    // What is doubtful is told with its place: a key in clear is.
    assert!(
        ended
            .stderr
            .contains(&format!("warning: {}:", file.display())),
        "{}",
        ended.stderr
    );
    assert!(!ended.stdout.contains("new-secret") && !ended.stderr.contains("new-secret"));
    assert!(has_key(&gateway, "new").await);

    // Without a file the gateway's own is read again.
    let ended = gateway.command(&["reload"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("- api_keys new"), "{}", ended.stdout);
    assert!(
        !ended.stdout.contains("put the new text there"),
        "{}",
        ended.stdout
    );
    assert!(!has_key(&gateway, "new").await);

    let revisions = gateway.command(&["config", "revisions"]).await.stdout;
    assert!(revisions.contains("a new key"), "{revisions}");
}

#[tokio::test]
async fn what_is_refused_changes_nothing_and_is_told_with_its_places() {
    let gateway = Gateway::start("").await;
    let (_folder, file) = changed(
        &gateway,
        &format!("{KEY}\nscops = []\n\n[[models]]\nname = \"m\"\nprovider = \"none\""),
    );
    let ended = gateway.command(&["reload", "--config", text(&file)]).await;
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    let sent = fs::read_to_string(&file).unwrap();
    let before = sent.lines().position(|line| line.starts_with("scops"));
    let place = format!("error: {}:{}:", file.display(), before.unwrap() + 1);
    assert!(
        ended.stderr.contains(&place) && ended.stderr.contains("scops"),
        "{place}: {}",
        ended.stderr
    );
    assert!(ended.stderr.contains("`none`"), "{}", ended.stderr);
    assert!(ended.stdout.contains("was refused"), "{}", ended.stdout);
    assert!(!has_key(&gateway, "new").await);

    let ended = gateway
        .command(&["config", "validate", "--config", text(&file)])
        .await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains(&place), "{}", ended.stderr);
    let ended = gateway.command(&["config", "validate"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[tokio::test]
async fn what_needs_other_listeners_is_said_with_what_to_do() {
    let gateway = Gateway::start("").await;
    let own = fs::read_to_string(gateway.config_file()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("new.toml");
    let line = own
        .lines()
        .find(|line| line.starts_with("listen = "))
        .unwrap();
    fs::write(&file, own.replacen(line, "listen = \"127.0.0.1:18089\"", 1)).unwrap();
    for arguments in [
        &["reload", "--config"][..],
        &["reload", "--dry-run", "--config"],
    ] {
        let ended = gateway.command(&[arguments, &[text(&file)]].concat()).await;
        assert_eq!(ended.code, Some(1), "{}", ended.stdout);
        assert!(
            ended.stdout.contains("listener-level-required"),
            "{}",
            ended.stdout
        );
        assert!(
            ended.stdout.contains("listen") && ended.stdout.contains("restart"),
            "{}",
            ended.stdout
        );
    }
    let ended = gateway.command(&["reload", "--graceful-upgrade"]).await;
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains("not yet supported"),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn a_file_alone_goes_to_the_gateway_that_it_belongs_to_or_is_only_checked() {
    let gateway = Gateway::start("").await;
    let (_folder, file) = changed(&gateway, KEY);
    let ended = run(&["reload", "--config", text(&file)]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("is in force"), "{}", ended.stdout);
    assert!(has_key(&gateway, "new").await);

    gateway.terminate();
    let (_, _stopped) = gateway.left().await;
    let ended = run(&["reload", "--config", text(&file)]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("validate only"), "{}", ended.stdout);
    let ended = run(&["reload", "--config", text(&file), "-o", "json"]).await;
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(
        (&report["valid"], &report["committed"]),
        (&true.into(), &false.into())
    );
    fs::write(&file, "listen = 1\n").unwrap();
    let ended = run(&["reload", "--config", text(&file)]).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("new.toml:1:"), "{}", ended.stderr);
    // One that is named has to be there.
    let ended = run(&[
        "reload",
        "--config",
        text(&file),
        "--admin-url",
        "http://127.0.0.1:1",
    ])
    .await;
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains("cannot reach the gateway"),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn over_tcp_a_reload_needs_a_key_that_may_write() {
    let config = "[[api_keys]]\nid = \"reader\"\nkey = \"reader-secret-0123456789\"\nscopes = [\"admin.read\"]\n";
    let gateway = Gateway::start(config).await;
    let (_folder, file) = changed(&gateway, KEY);
    let url = format!("http://{}", gateway.admin_address());
    let admin = fs::read_to_string(gateway.data_directory().join("admin-key")).unwrap();
    for (token, code) in [("reader-secret-0123456789", 1), (admin.trim(), 0)] {
        let arguments = [
            "reload",
            "--config",
            text(&file),
            "--admin-url",
            &url,
            "--admin-token",
            token,
        ];
        let ended = run(&arguments).await;
        assert_eq!(ended.code, Some(code), "{} {}", ended.stdout, ended.stderr);
        assert_eq!(has_key(&gateway, "new").await, code == 0);
    }
}

#[tokio::test]
async fn a_rollback_makes_what_the_api_changed_as_it_was_and_an_export_has_all_of_it() {
    let gateway = Gateway::start("").await;
    let create = gateway
        .command(&["keys", "create", "--id", "kept", "--rpm", "5"])
        .await;
    assert_eq!(create.code, Some(0), "{}", create.stderr);
    let revisions = gateway
        .command(&["config", "revisions", "-o", "json"])
        .await;
    let revisions: Value = serde_json::from_str(&revisions.stdout).unwrap();
    let before = revisions["data"][0]["revision"].to_string();
    let gone = gateway.command(&["keys", "delete", "kept"]).await;
    assert_eq!(gone.code, Some(0), "{}", gone.stderr);
    assert!(!has_key(&gateway, "kept").await);

    let dry_run = gateway
        .command(&["config", "rollback", &before, "--dry-run"])
        .await;
    assert_eq!(dry_run.code, Some(0), "{}", dry_run.stderr);
    assert!(
        dry_run.stdout.contains("api_keys kept"),
        "{}",
        dry_run.stdout
    );
    assert!(!has_key(&gateway, "kept").await);
    let back = gateway
        .command(&["config", "rollback", &before, "--reason", "too early"])
        .await;
    assert_eq!(back.code, Some(0), "{}", back.stderr);
    assert!(has_key(&gateway, "kept").await);

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("export.toml");
    let ended = gateway
        .command(&["config", "export", "--to", text(&file)])
        .await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let printed = gateway.command(&["config", "export"]).await.stdout;
    assert_eq!(fs::read_to_string(&file).unwrap(), printed);
    let managed = gateway
        .command(&["config", "export", "--managed"])
        .await
        .stdout;
    assert!(
        managed.contains("kept") && managed.len() < printed.len(),
        "{managed}"
    );

    let other = Gateway::start("").await;
    fs::write(&file, managed).unwrap();
    let ended = other
        .command(&["config", "import", text(&file), "--adopt"])
        .await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(has_key(&other, "kept").await);
}

#[tokio::test]
async fn a_diff_shows_what_would_change_and_no_secret() {
    let gateway = Gateway::start("").await;
    let (_folder, file) = changed(&gateway, KEY);
    let diff = gateway
        .command(&["config", "diff", "--config", text(&file), "--exit-code"])
        .await;
    assert_eq!(diff.code, Some(1), "{}", diff.stderr);
    assert!(
        diff.stdout.contains("\n+") && diff.stdout.contains("id = \"new\""),
        "{}",
        diff.stdout
    );
    assert!(!diff.stdout.contains("new-secret"), "{}", diff.stdout);
    let same = gateway.command(&["config", "diff", "--exit-code"]).await;
    assert_eq!((same.code, &*same.stdout), (Some(0), ""), "{}", same.stderr);
    let shown = gateway.command(&["config", "show"]).await;
    assert!(shown.stdout.contains("[storage]"), "{}", shown.stdout);
}
