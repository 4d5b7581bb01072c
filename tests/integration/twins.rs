//! The command line's twins of the admin API, as an operator types them, against a running gateway.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Ended, Gateway, KEY, Rig, chat_body, eventually, ferrogate, within};

/// Runs a command that succeeds, and gives what it printed.
async fn done(gateway: &Gateway, arguments: &[&str]) -> String {
    let ended = gateway.command(arguments).await;
    assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
    ended.stdout
}

/// The same with `-o json`.
async fn json_of(gateway: &Gateway, arguments: &[&str]) -> Value {
    let arguments = [arguments, &["-o", "json"]].concat();
    serde_json::from_str(&done(gateway, &arguments).await).unwrap()
}

/// Runs a command that is refused, and gives what it said.
async fn refused(gateway: &Gateway, arguments: &[&str]) -> String {
    let ended = gateway.command(arguments).await;
    assert_eq!(ended.code, Some(1), "{arguments:?}: {}", ended.stdout);
    assert_eq!(ended.stdout, "", "{arguments:?}");
    ended.stderr
}

#[tokio::test]
async fn a_key_is_made_used_changed_rolled_and_deleted_from_the_command_line() {
    let rig = Rig::start("").await;
    let gateway = &rig.gateway;
    let create = [
        "keys",
        "create",
        "--id",
        "web",
        "--name",
        "The web shop",
        "--models",
        "fast,embed",
        "--rpm",
        "1k",
        "--budget",
        "month=1_000_000",
        "--money-budget",
        "day=2.50",
        "--expires",
        "30d",
        "--reason",
        "größer",
    ];
    let ended = gateway.command(&create).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let mut lines = ended.stdout.lines();
    let secret = lines
        .find_map(|line| line.strip_prefix("secret"))
        .unwrap()
        .trim()
        .to_owned();
    assert!(secret.starts_with("fg_live_"), "{}", ended.stdout);
    assert!(ended.stderr.contains("Keep the secret"), "{}", ended.stderr);
    assert!(!ended.stderr.contains(&secret));

    let ask = async |secret: &str, status: u16| {
        let request = gateway.request("POST", "/v1/chat/completions");
        let request = request.key(secret).json(&chat_body("hello"));
        request.send().await.expect(status);
    };
    ask(&secret, 200).await;

    let shown = json_of(gateway, &["keys", "show", "web"]).await;
    let api = gateway.admin("/admin/v1/api-keys/web").send().await;
    assert_eq!(shown["id"], "web");
    assert_eq!(shown["allowed_models"], json!(["fast", "embed"]));
    assert_eq!(shown["request_limit_per_minute"], 1000);
    assert_eq!(shown["budgets"], api.json()["budgets"]);
    assert!(shown["expires_at_unix"].is_i64());
    let list = done(gateway, &["keys", "list"]).await;
    assert!(list.starts_with("ID "), "{list}");
    let line = list.lines().find(|line| line.starts_with("web ")).unwrap();
    assert!(
        line.contains("1,000") && line.contains("month 1,000,000 tokens"),
        "{line}"
    );
    assert!(!list.contains(&secret));

    let changed = json_of(
        gateway,
        &[
            "keys",
            "update",
            "web",
            "--rpm",
            "5",
            "--unset",
            "expires_at_unix",
            "--set",
            "cache_enabled=false",
        ],
    )
    .await;
    assert_eq!(changed["request_limit_per_minute"], 5);
    assert_eq!(changed["expires_at_unix"], Value::Null);
    assert_eq!(changed["cache_enabled"], false);
    assert_eq!(changed["name"], "The web shop");

    let rolled = json_of(gateway, &["keys", "rotate", "web", "--overlap", "1h"]).await;
    let second = rolled["secret"].as_str().unwrap();
    assert_ne!(second, secret);
    ask(&secret, 200).await;
    ask(second, 200).await;

    done(gateway, &["keys", "disable", "web"]).await;
    ask(second, 403).await;
    let said = done(gateway, &["keys", "enable", "web"]).await;
    assert_eq!(said, "key web: enabled\n");
    ask(second, 200).await;

    assert_eq!(
        done(gateway, &["keys", "delete", "web"]).await,
        "key web: deleted\n"
    );
    ask(second, 401).await;
    let said = refused(gateway, &["keys", "show", "web"]).await;
    assert!(said.starts_with("ferrogate: "), "{said}");
    assert!(said.contains("resource_not_found, request "), "{said}");

    let log = done(
        gateway,
        &["audit", "list", "--target", "api_key:web", "--all"],
    )
    .await;
    for action in ["create", "update", "rotate", "disable", "enable", "delete"] {
        assert!(
            log.contains(&format!("api_key.{action}")),
            "{action}: {log}"
        );
    }
}

#[tokio::test]
async fn what_is_changed_in_a_table_leaves_the_rest_of_it() {
    let gateway = Gateway::start("").await;
    let name = "no chat / at night";
    let create = [
        "policies",
        "create",
        "--name",
        name,
        "--hours",
        "22:00-06:00",
        "--days",
        "mon,tue",
    ];
    done(&gateway, &create).await;
    let changed = json_of(
        &gateway,
        &["policies", "update", name, "--hours", "23:00-05:00"],
    )
    .await;
    assert_eq!(changed["when"]["hours"], "23:00-05:00");
    assert_eq!(changed["when"]["days"], json!(["mon", "tue"]));
    let changed = json_of(
        &gateway,
        &["policies", "update", name, "--unset", "when.days"],
    )
    .await;
    assert_eq!(changed["when"]["hours"], "23:00-05:00");
    assert_eq!(changed["when"]["days"], json!([]));
    assert_eq!(changed["revision"], 3);
    let off = json_of(&gateway, &["policies", "disable", name]).await;
    assert_eq!(off["enabled"], false);

    let dry_run = done(&gateway, &["policies", "dry-run", "--cost-above", "0.50"]).await;
    assert!(dry_run.starts_with("0 requests"), "{dry_run}");
    done(&gateway, &["policies", "delete", name]).await;
    let list = json_of(&gateway, &["policies", "list"]).await;
    assert_eq!(list["data"], json!([]));
}

#[tokio::test]
async fn a_file_holds_the_fields_and_a_change_can_be_on_condition() {
    let gateway = Gateway::start("").await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tenant.toml");
    fs::write(
        &path,
        "[[tenants]]\nkind = \"organization\"\nid = \"acme\"\nname = \"Acme\"\n",
    )
    .unwrap();
    let file = path.to_str().unwrap();
    done(&gateway, &["tenants", "create", "-f", file, "--rpm", "7"]).await;
    let etag = done(
        &gateway,
        &["tenants", "show", "organization:acme", "--etag"],
    )
    .await;
    let etag = etag.trim_end();
    let update = [
        "tenants",
        "update",
        "organization:acme",
        "--if-match",
        etag,
        "--name",
    ];
    let changed = json_of(&gateway, &[&update[..], &["A"]].concat()).await;
    assert_eq!(
        (&changed["name"], &changed["request_limit_per_minute"]),
        (&json!("A"), &json!(7))
    );
    let said = refused(&gateway, &[&update[..], &["B"]].concat()).await;
    assert!(said.contains("precondition_failed"), "{said}");

    let said = refused(&gateway, &["tenants", "show", "acme"]).await;
    assert!(said.contains("organization:acme"), "{said}");
    let said = refused(&gateway, &["tenants", "update", "organization:acme"]).await;
    assert!(said.contains("nothing was said"), "{said}");
    let ended = gateway
        .command(&["tenants", "create", "--rpm", "many"])
        .await;
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("whole number"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_list_is_read_page_by_page_to_its_end() {
    let gateway = Gateway::start("").await;
    for number in 0..7 {
        let id = format!("key-{number}");
        done(&gateway, &["keys", "create", "--id", &id]).await;
    }
    let first = gateway
        .command(&["keys", "list", "-n", "3", "-q", "key-"])
        .await;
    assert_eq!(first.stdout.lines().count(), 4, "{}", first.stdout);
    let cursor = first
        .stderr
        .split_whitespace()
        .skip_while(|word| *word != "--cursor")
        .nth(1);
    let rest = [
        "keys",
        "list",
        "-q",
        "key-",
        "--cursor",
        cursor.unwrap(),
        "--all",
    ];
    assert_eq!(done(&gateway, &rest).await.lines().count(), 5);
    let all = json_of(
        &gateway,
        &["keys", "list", "-q", "key-", "--all", "--sort", "-id"],
    )
    .await;
    let ids: Vec<&str> = all["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["id"].as_str().unwrap())
        .collect();
    assert_eq!(
        ids,
        [
            "key-6", "key-5", "key-4", "key-3", "key-2", "key-1", "key-0"
        ]
    );
    assert_eq!(
        (&all["object"], &all["next_cursor"]),
        (&json!("list"), &Value::Null)
    );
    // What the API does not know is an error, and not passed over.
    let said = refused(&gateway, &["keys", "list", "--filter", "colour=red"]).await;
    assert!(said.contains("invalid_request"), "{said}");
}

#[tokio::test]
async fn over_tcp_a_key_is_needed_and_is_told_to_nobody() {
    let gateway = Gateway::start("").await;
    let token = fs::read_to_string(gateway.data_directory().join("admin-key")).unwrap();
    let token = token.trim();
    let url = format!("http://{}", gateway.admin_address());
    let run = async |token: Option<&str>, arguments: &[&str]| {
        let mut command = ferrogate(arguments);
        command.env("FERROGATE_ADMIN_URL", &url);
        command.envs(token.map(|token| ("FERROGATE_ADMIN_TOKEN", token)));
        Ended::of(command, "").await
    };
    let ended = run(Some(token), &["status"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("listen "), "{}", ended.stdout);
    for token in [None, Some("fg_live_wrong")] {
        let ended = run(token, &["keys", "list"]).await;
        assert_eq!(ended.code, Some(1));
        assert!(
            ended.stderr.contains("FERROGATE_ADMIN_TOKEN"),
            "{}",
            ended.stderr
        );
        assert!(!ended.stderr.contains("fg_live_wrong"), "{}", ended.stderr);
    }
    // Before the subcommand, too.
    let ended = run(Some(token), &["keys", "--admin-url", &url, "list"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let nobody = ferrogate(&["status", "--admin-socket", "/nowhere/admin.sock"]);
    let ended = Ended::of(nobody, "").await;
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains("no gateway made this socket"),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn a_providers_key_comes_through_standard_input_alone() {
    let rig = Rig::start("").await;
    let gateway = &rig.gateway;
    let base_url = rig.provider.base_url();
    let arguments = [
        "providers",
        "create",
        "--name",
        "second",
        "--kind",
        "openai",
        "--base-url",
        &base_url,
        "--api-key-stdin",
        "-o",
        "json",
    ];
    let mut command = ferrogate(&arguments);
    command.arg("--admin-socket").arg(gateway.admin_socket());
    let ended = Ended::of(command, "sk-second-0001\n").await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let made: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(
        (&made["credential"], &made["has_api_key"]),
        (&json!("sealed"), &json!(true))
    );
    for text in [ended.stdout, done(gateway, &["providers", "list"]).await] {
        assert!(!text.contains("sk-second-0001"), "{text}");
    }
    let said = refused(
        gateway,
        &["providers", "update", "second", "--set", "api_key=sk-x"],
    )
    .await;
    assert!(said.contains("--api-key-stdin"), "{said}");
    let health = done(gateway, &["providers", "health"]).await;
    assert!(health.contains("second"), "{health}");
    let models = done(gateway, &["providers", "catalogue", "openai"]).await;
    assert!(models.contains("gpt-4o-mini"), "{models}");
}

#[tokio::test]
async fn requests_are_listed_shown_followed_and_added_up() {
    let rig = Rig::start("[[api_keys]]\nid = \"other\"\nkey = \"other-secret\"\n").await;
    let gateway = &rig.gateway;
    let folder = tempfile::tempdir().unwrap();
    let followed = folder.path().join("followed");
    let mut command = ferrogate(&["logs", "follow", "--key", "dev", "-o", "json"]);
    command
        .arg("--admin-socket")
        .arg(gateway.admin_socket())
        .stdout(fs::File::create(&followed).unwrap());
    let mut follow = command.spawn().unwrap();

    // Nobody can know from outside when it listens: so requests are made until one is heard.
    let first = eventually("a request is followed", || async {
        let other = gateway.request("POST", "/v1/chat/completions");
        let other = other.key("other-secret").json(&chat_body("no"));
        other.send().await.expect(200);
        rig.chat("hello").send().await.expect(200);
        let text = fs::read_to_string(&followed).unwrap();
        text.split_once('\n').map(|(line, _)| line.to_owned())
    })
    .await;
    let log: Value = serde_json::from_str(&first).unwrap();
    assert_eq!(log["api_key_id"], "dev");
    follow.kill().await.unwrap();

    let id = log["request_id"].as_str().unwrap();
    gateway.log_of(id).await;
    let list = done(
        gateway,
        &[
            "logs", "list", "--key", "dev", "--status", "2xx", "--since", "1h", "--all",
        ],
    )
    .await;
    assert!(list.lines().any(|line| line.ends_with(id)), "{list}");
    assert!(!list.contains(" other "), "{list}");
    let shown = done(gateway, &["logs", "show", id]).await;
    assert!(shown.contains(id) && shown.contains("fast"), "{shown}");
    let sums = json_of(gateway, &["usage", "sums", "--key", "dev"]).await;
    assert_eq!(sums["data"][0]["model"], "fast");
    let sums = done(gateway, &["usage", "sums"]).await;
    assert!(sums.lines().last().unwrap().contains("in all"), "{sums}");
    eventually("the series has it", || async {
        let series = ["usage", "series", "--metric", "tokens", "--by", "model"];
        let series = done(gateway, &series).await;
        (series.contains("fast") && series.contains("output")).then_some(())
    })
    .await;
    assert!(
        done(gateway, &["requests", "list"])
            .await
            .starts_with("STARTED")
    );
}

#[tokio::test]
async fn budgets_and_cache_and_drain_have_their_commands() {
    let rig = Rig::start("").await;
    let gateway = &rig.gateway;
    done(
        gateway,
        &["keys", "create", "--id", "poor", "--budget", "month=1k"],
    )
    .await;
    let top_up = [
        "budgets",
        "top-up",
        "key:poor",
        "month-tokens",
        "--tokens",
        "500",
        "--reason",
        "launch",
    ];
    done(gateway, &top_up).await;
    let budgets = json_of(gateway, &["budgets", "list", "--account", "key:poor"]).await;
    assert_eq!(budgets["data"][0]["limit"], 1500);
    let raise = [
        "budgets",
        "raise",
        "key:poor",
        "month-tokens",
        "--tokens",
        "1k",
        "--until",
        "30d",
    ];
    done(gateway, &raise).await;
    let adjustments = done(gateway, &["budgets", "adjustments"]).await;
    assert!(
        adjustments.contains("launch") && adjustments.contains("raise"),
        "{adjustments}"
    );
    let table = done(gateway, &["budgets", "list"]).await;
    assert!(table.contains("2,500"), "{table}");

    assert_eq!(
        done(gateway, &["cache", "purge", "--all"]).await,
        "0 answers were taken out\n"
    );
    assert!(
        done(gateway, &["cache", "show"])
            .await
            .contains("entries_max")
    );
    let ended = gateway.command(&["cache", "purge"]).await;
    assert_eq!(ended.code, Some(2));

    let draining = json_of(
        gateway,
        &["drain", "start", "--reason", "new disk", "--wait", "30s"],
    )
    .await;
    assert_eq!(
        (&draining["draining"], &draining["in_flight"]),
        (&json!(true), &json!(0))
    );
    gateway.request("GET", "/readyz").send().await.expect(503);
    let back = json_of(gateway, &["drain", "stop"]).await;
    assert_eq!(back["draining"], false);
    gateway.request("GET", "/readyz").send().await.expect(200);
}

#[tokio::test]
async fn a_request_that_hangs_can_be_found_and_ended() {
    let rig = Rig::start("").await;
    let gateway = &rig.gateway;
    let asking = gateway.request("POST", "/v1/chat/completions");
    let asking = asking
        .key(KEY)
        .json(&chat_body("sim: ttft_ms=60000\nhello"));
    let killing = async {
        let id = eventually("it is in flight", || async {
            let list = json_of(gateway, &["requests", "list"]).await;
            list["data"][0]["request_id"].as_str().map(str::to_owned)
        })
        .await;
        done(gateway, &["requests", "kill", &id, "--reason", "it hangs"]).await
    };
    let (answer, said) = tokio::join!(within("it is answered", asking.send()), killing);
    assert_eq!(answer.refusal().1, "request_killed");
    assert!(said.ends_with(": ended\n"), "{said}");
}

/// Every command with its subcommands, as `--help` lists them.
async fn commands(prefix: &[String]) -> Vec<Vec<String>> {
    let arguments: Vec<&str> = prefix
        .iter()
        .map(String::as_str)
        .chain(["--help"])
        .collect();
    let help = Ended::of(ferrogate(&arguments), "").await;
    assert_eq!(help.code, Some(0), "{prefix:?}");
    let listed = help
        .stdout
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1);
    listed
        .take_while(|line| !line.is_empty())
        // A description of several lines is indented further.
        .filter_map(|line| {
            line.strip_prefix("  ")
                .filter(|line| !line.starts_with(' '))
        })
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(|name| prefix.iter().cloned().chain([name.to_owned()]).collect())
        .collect()
}

#[tokio::test]
async fn every_command_has_its_line_in_the_page() {
    let page = include_str!("../../docs/CLI.md");
    /// What all resources have in common stands there once.
    const COMMON: [&str; 7] = [
        "list", "show", "create", "update", "enable", "disable", "delete",
    ];
    /// Those that are described where their subject is.
    const ELSEWHERE: [&str; 15] = [
        "run", "validate", "hash-key", "demo", "tui", "explain", "simulate", "ledger", "reprice",
        "auth", "mock", "bench", "backup", "audit", "setup",
    ];
    let mut checked = 0;
    for command in commands(&[]).await {
        if ELSEWHERE.contains(&command[0].as_str()) {
            continue;
        }
        let below = commands(&command).await;
        let whole = if below.is_empty() {
            vec![command.clone()]
        } else {
            below
        };
        for command in whole {
            let is_resource = page.contains(&format!("| `ferrogate {}` |", command[0]));
            if is_resource
                && command
                    .get(1)
                    .is_some_and(|name| COMMON.contains(&name.as_str()))
            {
                checked += 1;
                continue;
            }
            let text = format!("`ferrogate {}", command.join(" "));
            assert!(page.contains(&text), "docs/CLI.md does not name {text}`");
            checked += 1;
        }
    }
    assert!(checked > 80, "{checked}");
}

#[tokio::test]
async fn shells_get_completions() {
    for (shell, about) in [
        ("bash", "_ferrogate"),
        ("zsh", "#compdef ferrogate"),
        ("fish", "complete -c ferrogate"),
    ] {
        let ended = Ended::of(ferrogate(&["completions", shell]), "").await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(ended.stdout.contains(about), "{shell}");
        assert!(ended.stdout.contains("mcp-servers"), "{shell}");
    }
}
