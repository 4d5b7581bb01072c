//! Alert rules from outside: traffic that makes one fire, a webhook that hears of it, somebody who takes it on, and what is
//! declared where.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::{Gateway, Listener, Rig, eventually, first_then_second, routed};

/// Evaluated every second, and told again as fast as it can be tried.
const FAST: &str = "[alerting]\ninterval_secs = 1\nwebhook_retry_backoff_ms = 1\n";

/// A webhook, and what it was told.
struct Hook {
    address: String,
    heard: Arc<Mutex<Vec<Heard>>>,
}

#[derive(Debug, Clone)]
struct Heard {
    head: String,
    body: Value,
}

impl Hook {
    /// It answers with `statuses`, one after the other, and with the last of them from then on.
    async fn open(statuses: &'static [u16]) -> Self {
        let listener = Listener::open().await;
        let address = format!("http://{}/hook?sig=1", listener.address());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&heard);
        tokio::spawn(async move {
            loop {
                let mut socket = listener.accept_whenever().await;
                let (head, body) = socket.read_message().await;
                let number = {
                    let mut hears = hears.lock().unwrap();
                    hears.push(Heard {
                        head,
                        body: serde_json::from_str(&body).unwrap(),
                    });
                    hears.len() - 1
                };
                let status = statuses.get(number).or(statuses.last()).unwrap();
                let answer = format!(
                    "HTTP/1.1 {status} Word\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
                );
                socket.try_send(answer).await.ok();
            }
        });
        Self { address, heard }
    }

    fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    fn states(&self) -> Vec<String> {
        let heard = self.heard();
        let states = heard.iter().map(|heard| heard.body["state"].as_str());
        states.map(|state| state.unwrap().to_owned()).collect()
    }

    async fn hears(&self, count: usize) -> Heard {
        eventually("the webhook is told", || async {
            self.heard().get(count - 1).cloned()
        })
        .await
    }
}

async fn alert(gateway: &Gateway, name: &str) -> Value {
    gateway.shown(&format!("alerts/{name}")).await
}

async fn reaches(gateway: &Gateway, name: &str, state: &str) -> Value {
    eventually(&format!("{name} is {state}"), || async {
        let alert = alert(gateway, name).await;
        (alert["state"] == state).then_some(alert)
    })
    .await
}

/// What the audit log has of alerts, oldest first.
async fn audited(gateway: &Gateway) -> Vec<(String, String)> {
    let events: Vec<Value> = gateway.list("/admin/v1/audit-events?limit=100").await;
    let mut events: Vec<_> = events
        .iter()
        .filter(|event| event["action"].as_str().unwrap().starts_with("alert."))
        .map(|event| {
            let text = |field: &str| event[field].as_str().unwrap().to_owned();
            (text("action"), text("actor"))
        })
        .collect();
    events.reverse();
    events
}

async fn metric(gateway: &Gateway, name: &str) -> Option<String> {
    let text = gateway.admin("/metrics").send().await.expect(200);
    let start = format!("ferrogate_alerts_firing{{alert=\"{name}\"}} ");
    let mut lines = text.text().lines();
    lines
        .find_map(|line| line.strip_prefix(&start))
        .map(str::to_owned)
}

#[tokio::test]
async fn errors_make_an_alert_fire_and_its_webhook_hears_of_it_until_it_is_resolved() {
    // The first call fails, and is made again.
    let hook = Hook::open(&[503, 204]).await;
    let rig = Rig::start(FAST).await;
    let gateway = &rig.gateway;
    let mut feed = gateway.admin("/admin/v1/events").open().await;
    let rule = json!({"name": "errors", "metric": "error_rate_percent", "above": 50, "window_secs": 10,
        "model": "fast", "severity": "critical", "webhook_url": hook.address});
    let made = gateway.made("POST", "alerts", &rule).await.json();
    assert_eq!(
        (&made["state"], &made["origin"]),
        (&json!("ok"), &json!("api"))
    );
    // Requests count from the moment at which somebody asks.
    eventually("it is evaluated", || async {
        let alert = alert(gateway, "errors").await;
        (!alert["evaluated_at_unix_ms"].is_null()).then_some(())
    })
    .await;
    for _ in 0..4 {
        rig.chat("sim: fault=500\nhello").send().await;
    }
    let firing = reaches(gateway, "errors", "firing").await;
    assert_eq!(firing["value"], 100);
    let second = hook.hears(2).await;
    assert_eq!(hook.heard()[0].body, second.body);
    for (field, expected) in [
        ("alert", json!("errors")),
        ("state", json!("firing")),
        ("severity", json!("critical")),
        ("metric", json!("error_rate_percent")),
        ("value", json!(100)),
        ("comparison", json!("above")),
        ("threshold", json!(50)),
        ("firing_since_unix_ms", firing["since_unix_ms"].clone()),
        ("gateway_version", json!(env!("CARGO_PKG_VERSION"))),
    ] {
        assert_eq!(second.body[field], expected, "{field}");
    }
    assert!(
        second.head.starts_with("POST /hook?sig=1 HTTP/1.1\r\n"),
        "{}",
        second.head
    );
    assert!(!second.head.to_lowercase().contains("authorization"));
    let told = eventually("it is known what became of it", || async {
        let delivery = alert(gateway, "errors").await["last_delivery"].clone();
        (!delivery.is_null()).then_some(delivery)
    })
    .await;
    assert_eq!(
        (&told["ok"], &told["attempts"], &told["status"]),
        (&json!(true), &json!(2), &json!(204))
    );
    assert_eq!(metric(gateway, "errors").await.as_deref(), Some("1"));
    let event = loop {
        let event = feed.event().await.unwrap();
        if event.field("event") == "alert" {
            break event.json();
        }
    };
    assert_eq!(event, second.body);

    // No errors any more: ten seconds later nothing is in the window.
    let resolved = reaches(gateway, "errors", "ok").await;
    assert_eq!(resolved["value"], Value::Null);
    let last = hook.hears(3).await;
    assert_eq!(last.body["state"], "resolved");
    assert_eq!(
        last.body["firing_since_unix_ms"],
        second.body["firing_since_unix_ms"]
    );
    assert_eq!(metric(gateway, "errors").await.as_deref(), Some("0"));
    let by_gateway = |action: &str| (action.to_owned(), "gateway".to_owned());
    let audited = eventually("it is in the audit log", || async {
        let mut audited = audited(gateway).await;
        audited.retain(|(action, _)| !action.ends_with("create"));
        (audited.len() == 2).then_some(audited)
    })
    .await;
    assert_eq!(
        audited,
        [by_gateway("alert.firing"), by_gateway("alert.resolved")]
    );
    assert!(gateway.logged().contains("an alert fires"));
}

#[tokio::test]
async fn who_takes_an_alert_on_hears_no_more_of_it() {
    let hook = Hook::open(&[200]).await;
    let config = format!("{FAST}repeat_interval_secs = 1\n");
    let rig = Rig::start(&config).await;
    let gateway = &rig.gateway;
    let rule = json!({"name": "size", "metric": "database_bytes", "above": 0, "webhook_url": hook.address});
    gateway.made("POST", "alerts", &rule).await;
    hook.hears(3).await;
    let early = json!({"name": "never", "metric": "database_bytes", "below": 1});
    gateway.made("POST", "alerts", &early).await;
    let refused = gateway.change("POST", "alerts/never/acknowledge", &json!({}));
    assert_eq!(
        refused.send().await.refusal(),
        (400, "invalid_request".into())
    );
    let wrong = json!({"silence_secs": 0});
    let refused = gateway.change("POST", "alerts/size/acknowledge", &wrong);
    assert_eq!(
        refused.send().await.refusal(),
        (400, "invalid_request".into())
    );

    let by = json!({"reason": "on it"});
    let taken = gateway.made("POST", "alerts/size/acknowledge", &by).await;
    let taken = taken.json();
    assert_eq!(taken["state"], "firing");
    assert_eq!(taken["acknowledged"]["reason"], "on it");
    assert_eq!(taken["acknowledged"]["silent_until_unix_ms"], Value::Null);
    let told = hook.heard().len();
    let now = taken["acknowledged"]["at_unix_ms"].as_i64().unwrap();
    eventually("it was looked at a few times more", || async {
        let evaluated = alert(gateway, "size").await["evaluated_at_unix_ms"].clone();
        (evaluated.as_i64().unwrap() > now + 3000).then_some(())
    })
    .await;
    // One that was on its way when it was taken on may have come.
    assert!(hook.heard().len() <= told + 1, "{:?}", hook.states());

    // It is resolved by another threshold, and that is told.
    let other = json!({"above": 1_000_000_000_000_u64});
    gateway.made("PATCH", "alerts/size", &other).await;
    let resolved = eventually("it is told that it was resolved", || async {
        hook.states()
            .last()
            .filter(|state| *state == "resolved")
            .cloned()
    });
    resolved.await;
    assert_eq!(alert(gateway, "size").await["acknowledged"], Value::Null);
    let audited = audited(gateway).await;
    let actions: Vec<_> = audited.iter().map(|(action, _)| &**action).collect();
    assert!(actions.contains(&"alert.acknowledge"), "{actions:?}");
}

#[tokio::test]
async fn silence_ends_and_the_webhook_is_told_again() {
    let hook = Hook::open(&[200]).await;
    let rig = Rig::start(FAST).await;
    let gateway = &rig.gateway;
    let rule = json!({"name": "size", "metric": "database_bytes", "above": 0, "webhook_url": hook.address});
    gateway.made("POST", "alerts", &rule).await;
    hook.hears(1).await;
    let ended = gateway
        .command(&[
            "alerts",
            "acknowledge",
            "size",
            "--silence",
            "1s",
            "--reason",
            "on it",
        ])
        .await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    hook.hears(2).await;
    assert_eq!(hook.states(), ["firing", "firing"]);
    assert_eq!(alert(gateway, "size").await["acknowledged"], Value::Null);
}

#[tokio::test]
async fn a_budget_and_a_circuit_breaker_are_watched_too() {
    let config = r#"
        [reliability]
        provider_circuit_breaker_failure_threshold = 2
        provider_circuit_breaker_cooldown_secs = 600
        [alerting]
        interval_secs = 1
        [[api_keys]]
        id = "spender"
        key = "spender-secret"
        budgets = [{ id = "all", tokens = 1000, period = "total" }]
        [[alerts]]
        name = "budget"
        metric = "budget_used_percent"
        above = 1
        account = "key:spender"
        [[alerts]]
        name = "another-budget"
        metric = "budget_used_percent"
        above = 0
        account = "key:dev"
        [[alerts]]
        name = "breaker"
        metric = "provider_circuit_open"
        above = 0
        provider = "one"
        [[alerts]]
        name = "another-breaker"
        metric = "provider_circuit_open"
        above = 0
        provider = "two"
    "#;
    let rig = routed(&first_then_second("first+fault=503"), config).await;
    let gateway = &rig.gateway;
    for _ in 0..2 {
        rig.routed("hello").send().await.expect(200);
    }
    let body = json!({"model": "fast", "max_tokens": 100,
        "messages": [{"role": "user", "content": "sim: tokens=100\nhello"}]});
    let spent = gateway.request("POST", "/v1/chat/completions");
    spent
        .key("spender-secret")
        .json(&body)
        .send()
        .await
        .expect(200);
    let breaker = reaches(gateway, "breaker", "firing").await;
    assert_eq!(breaker["value"], 1);
    let budget = reaches(gateway, "budget", "firing").await;
    assert!(budget["value"].as_f64().unwrap() > 10.0, "{budget}");
    for quiet in ["another-breaker", "another-budget"] {
        assert_eq!(alert(gateway, quiet).await["state"], "ok", "{quiet}");
    }
    assert_eq!(alert(gateway, "another-budget").await["value"], Value::Null);
    let names: Vec<Value> = gateway.list("/admin/v1/alerts?sort=-state&limit=2").await;
    let states: Vec<_> = names.iter().map(|alert| &alert["state"]).collect();
    assert_eq!(states, ["firing", "firing", "ok", "ok"]);
}

#[tokio::test]
async fn rules_are_made_changed_and_deleted_and_those_of_the_file_are_the_files() {
    let config = r#"
        [alerting]
        interval_secs = 1
        alerts_max = 3
        [[alerts]]
        name = "declared"
        metric = "disk_free_percent"
        below = 0
    "#;
    let rig = Rig::start(config).await;
    let gateway = &rig.gateway;
    let declared = alert(gateway, "declared").await;
    assert_eq!(declared["origin"], "config");
    assert_eq!(declared["window_secs"], Value::Null);
    for (method, path) in [
        ("PUT", "alerts/declared"),
        ("PATCH", "alerts/declared"),
        ("DELETE", "alerts/declared"),
        ("POST", "alerts"),
    ] {
        let body = json!({"name": "declared", "metric": "logs_dropped", "above": 0});
        let refused = gateway.change(method, path, &body).send().await;
        assert_eq!(
            refused.refusal(),
            (409, "managed_by_config".into()),
            "{method}"
        );
    }
    let evaluated = eventually("it is evaluated", || async {
        let alert = alert(gateway, "declared").await;
        (!alert["value"].is_null()).then_some(alert)
    })
    .await;
    let free = evaluated["value"].as_f64().unwrap();
    assert!(free > 0.0 && free <= 100.0, "{free}");
    // Its state changes no tag.
    let tag = |answer: crate::support::Answer| answer.header("etag").to_owned();
    let first = tag(gateway.admin("/admin/v1/alerts/declared").send().await);
    let again = evaluated["evaluated_at_unix_ms"].clone();
    eventually("it is evaluated again", || async {
        let alert = alert(gateway, "declared").await;
        (alert["evaluated_at_unix_ms"] != again).then_some(())
    })
    .await;
    let second = tag(gateway.admin("/admin/v1/alerts/declared").send().await);
    assert_eq!(first, second);

    let rule = json!({"name": "made", "metric": "tokens_per_minute", "above": "0.5", "for_secs": 60,
        "api_key": "dev", "webhook_secret_env": "NOBODY_SET_THIS", "webhook_url": "http://127.0.0.1:9/"});
    let made = gateway.made("POST", "alerts", &rule).await.json();
    assert_eq!(
        (&made["above"], &made["window_secs"]),
        (&json!(0.5), &json!(300))
    );
    let patched = gateway
        .made(
            "PATCH",
            "alerts/made",
            &json!({"severity": "critical", "for_secs": null}),
        )
        .await
        .json();
    assert_eq!(
        (&patched["severity"], &patched["for_secs"]),
        (&json!("critical"), &json!(0))
    );
    for (body, param) in [
        (
            json!({"name": "x", "metric": "weather", "above": 1}),
            "metric",
        ),
        (
            json!({"name": "x", "metric": "logs_dropped", "above": 1, "model": "fast"}),
            "model",
        ),
        (
            json!({"name": "x", "metric": "error_rate_percent", "above": 1, "model": "gone"}),
            "model",
        ),
        (
            json!({"name": "x", "metric": "error_rate_percent", "above": 1, "api_key": "gone"}),
            "alerts[x].api_key",
        ),
    ] {
        let refused = gateway.change("POST", "alerts", &body).send().await;
        assert_eq!(
            refused.refusal(),
            (400, "invalid_resource".into()),
            "{body}"
        );
        assert_eq!(refused.json()["error"]["param"], param, "{body}");
    }
    // Without the token nothing is told.
    let tried = gateway
        .made("POST", "alerts/made/test", &json!({}))
        .await
        .json();
    assert_eq!(
        (&tried["ok"], &tried["attempts"]),
        (&json!(false), &json!(1))
    );
    assert!(
        tried["error"].as_str().unwrap().contains("NOBODY_SET_THIS"),
        "{tried}"
    );
    let refused = gateway
        .change("POST", "alerts/declared/test", &json!({}))
        .send()
        .await;
    assert_eq!(refused.refusal(), (400, "invalid_request".into()));
    let missing = gateway
        .change("POST", "alerts/gone/test", &json!({}))
        .send()
        .await;
    assert_eq!(missing.refusal(), (404, "resource_not_found".into()));

    let third = json!({"name": "third", "metric": "logs_dropped", "above": 0});
    gateway.made("POST", "alerts", &third).await;
    let fourth = json!({"name": "fourth", "metric": "logs_dropped", "above": 0});
    let refused = gateway.change("POST", "alerts", &fourth).send().await;
    assert_eq!(refused.refusal(), (400, "invalid_resource".into()));
    assert!(refused.text().contains("alerts_max"), "{}", refused.text());

    // A rule keeps what it names.
    let key = json!({"id": "watched", "scopes": ["models.read"]});
    gateway.made("POST", "api-keys", &key).await;
    gateway
        .made(
            "PATCH",
            "alerts/third",
            &json!({"metric": "ttft_p95_ms", "api_key": "watched"}),
        )
        .await;
    let refused = gateway
        .change("DELETE", "api-keys/watched", &json!({}))
        .send()
        .await;
    assert_eq!(refused.refusal(), (409, "resource_in_use".into()));
    gateway.made("DELETE", "alerts/third", &json!({})).await;
    gateway.made("DELETE", "api-keys/watched", &json!({})).await;
    let gone = gateway.admin("/admin/v1/alerts/third").send().await;
    assert_eq!(gone.refusal(), (404, "resource_not_found".into()));
}

#[tokio::test]
async fn a_webhook_gets_its_token_and_its_address_from_the_environment() {
    let hook = Hook::open(&[401]).await;
    let config = format!(
        "{FAST}[[alerts]]\nname = 'size'\nmetric = 'database_bytes'\nabove = 0\nmessage = 'look at it'\n\
         webhook_url_env = 'HOOK'\nwebhook_secret_env = 'TOKEN'\n"
    );
    let environment = [("HOOK", &*hook.address), ("TOKEN", "hunter2")];
    let gateway = Gateway::start_with(&config, &environment).await;
    let heard = hook.hears(1).await;
    assert!(
        heard
            .head
            .to_lowercase()
            .contains("authorization: bearer hunter2\r\n")
    );
    assert_eq!(heard.body["message"], "look at it");
    // 401 is no passing trouble.
    let delivery = eventually("it is known what became of it", || async {
        let delivery = alert(&gateway, "size").await["last_delivery"].clone();
        (!delivery.is_null()).then_some(delivery)
    })
    .await;
    assert_eq!(
        (&delivery["ok"], &delivery["attempts"], &delivery["status"]),
        (&json!(false), &json!(1), &json!(401))
    );
    let tried = gateway.command(&["alerts", "test", "size"]).await;
    assert_eq!(tried.code, Some(1), "{}", tried.stdout);
    assert!(tried.stdout.contains("status 401"), "{}", tried.stdout);
    assert_eq!(hook.hears(2).await.body["state"], "test");
    for shown in [
        gateway.shown("alerts").await.to_string(),
        gateway.shown("audit-events").await.to_string(),
        gateway.logged(),
    ] {
        assert!(
            !shown.contains("hunter2") && !shown.contains("sig=1"),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn an_export_has_the_rules_and_another_gateway_takes_them_over() {
    let rig = Rig::start("").await;
    let rule =
        json!({"name": "slow", "metric": "latency_p95_ms", "above": 1500.5, "model": "fast"});
    rig.gateway.made("POST", "alerts", &rule).await;
    let exported = rig
        .gateway
        .admin("/admin/v1/config/export?managed=true")
        .send()
        .await;
    let exported = exported.expect(200).text().to_owned();
    assert!(exported.contains("[[alerts]]"), "{exported}");
    let other = Rig::start("").await;
    let body = json!({"config_toml": exported, "adopt": true});
    let imported = other
        .gateway
        .made("POST", "config/import", &body)
        .await
        .json();
    assert_eq!(imported["imported"]["alerts"], 1, "{imported}");
    let taken = alert(&other.gateway, "slow").await;
    assert_eq!(
        (&taken["above"], &taken["model"]),
        (&json!(1500.5), &json!("fast"))
    );
}
