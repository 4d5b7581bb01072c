//! What may be spent: budgets of keys and of the tenants above them, what operators add to them, and prices that change
//! afterwards.

use ferrogate_api::{BudgetAdjustment, BudgetStatus};
use serde_json::{Value, json};

use crate::support::{Answer, Gateway, Request, Rig, eventually};

const BUDGETS: &str = r#"
    [[tenants]]
    kind = "organization"
    id = "acme"
    budgets = [{ id = "all", tokens = 2000, period = "total" }]

    [[tenants]]
    kind = "project"
    id = "web"
    parent = "organization:acme"
    budgets = [{ id = "daily", tokens = 700, period = "day", time_zone = "Europe/Berlin" }]

    [[api_keys]]
    id = "spender"
    key = "spender-secret"
    project_id = "web"
    budgets = [{ id = "coins", money = "0.000200", period = "month" }]

    [[api_keys]]
    id = "brother"
    key = "brother-secret"
    project_id = "web"

    [[api_keys]]
    id = "cousin"
    key = "cousin-secret"
    organization_id = "acme"
"#;

/// A request that may be answered with 100 tokens and is.
fn spend(gateway: &Gateway, key: &str) -> Request {
    let body = json!({
        "model": "fast", "max_tokens": 100,
        "messages": [{"role": "user", "content": "sim: tokens=100\nhello"}],
    });
    gateway
        .request("POST", "/v1/chat/completions")
        .key(&format!("{key}-secret"))
        .json(&body)
}

/// Asks until it is refused, and gives the refusal.
async fn spend_all(gateway: &Gateway, key: &str) -> Answer {
    for _ in 0..100 {
        let answer = spend(gateway, key).send().await;
        if answer.status != 200 {
            return answer;
        }
    }
    panic!("the budgets of {key} have no end");
}

async fn budget(gateway: &Gateway, account: &str, id: &str) -> BudgetStatus {
    let path = format!("/admin/v1/budgets?limit=1&account={account}");
    let all: Vec<BudgetStatus> = gateway.list(&path).await;
    let mut all = all.into_iter().filter(|budget| *budget.budget_id == *id);
    all.next().unwrap()
}

#[tokio::test]
async fn the_tightest_budget_refuses_at_every_level_and_a_top_up_lets_through_again() {
    let rig = Rig::start(BUDGETS).await;
    let gateway = &rig.gateway;
    let check = async |key: &str, code: &str, account: &str, id: &str| {
        let refused = spend_all(gateway, key).await;
        assert_eq!(refused.refusal(), (429, code.to_owned()), "{key}");
        for word in [account.split(':').nth(1).unwrap(), id] {
            assert!(refused.text().contains(word), "{key}: {}", refused.text());
        }
        assert_eq!(refused.header("x-should-retry"), "false", "{key}");
        let budget = budget(gateway, account, id).await;
        assert!(budget.used > 0 && budget.used <= budget.limit, "{budget:?}");
        assert_eq!(budget.held, 0, "{budget:?}");
        assert_eq!(budget.remaining, budget.limit - budget.used);
        budget
    };
    // First its own money is gone, then what its project has, then what everybody has.
    let coins = check("spender", "cost_budget_exceeded", "key:spender", "coins").await;
    let daily = check("brother", "token_budget_exceeded", "project:web", "daily").await;
    let all = check(
        "cousin",
        "token_budget_exceeded",
        "organization:acme",
        "all",
    )
    .await;
    assert!(daily.period_end_unix_ms.is_some());
    assert_eq!(
        (all.period_start_unix_ms, all.period_end_unix_ms),
        (None, None)
    );

    // The budgets say what the ledger says, once it has everything.
    let daily = budget(gateway, "project:web", "daily").await;
    eventually("the ledger agrees", || async {
        let spent = async |keys: &[&str]| {
            let events = gateway.metering_events().await;
            let of_these = events
                .iter()
                .filter(|event| keys.contains(&&*event.api_key_id));
            of_these.fold((0, 0), |(tokens, cost), event| {
                let used = i64::try_from(event.tokens.total()).unwrap();
                (tokens + used, cost + event.cost_nanos.unwrap())
            })
        };
        let sums = (
            spent(&["spender"]).await.1,
            spent(&["spender", "brother"]).await.0,
            spent(&["spender", "brother", "cousin"]).await.0,
        );
        (sums == (coins.used, daily.used, all.used)).then_some(())
    })
    .await;

    // More for the organization helps its own key, and not the one whose project is used up.
    let top_up = json!({
        "account": "organization:acme", "budget_id": "all", "kind": "top_up", "tokens": 1000, "reason": "end of quarter",
    });
    let made = gateway
        .change("POST", "budgets/adjustments", &top_up)
        .send()
        .await;
    let made: BudgetAdjustment = serde_json::from_slice(&made.expect(201).body).unwrap();
    assert_eq!((made.amount, &*made.reason), (1000, "end of quarter"));
    spend(gateway, "cousin").send().await.expect(200);
    let still = spend(gateway, "brother").send().await;
    assert_eq!(still.refusal(), (429, "token_budget_exceeded".into()));
    let raised = budget(gateway, "organization:acme", "all").await;
    assert_eq!(raised.limit, 3000);

    let later = gateway.status().await.now_unix_ms + 3_600_000;
    let raise = json!({
        "account": "project:web", "budget_id": "daily", "kind": "raise", "tokens": 500, "until_unix_ms": later,
    });
    gateway
        .change("POST", "budgets/adjustments", &raise)
        .send()
        .await
        .expect(201);
    spend(gateway, "brother").send().await.expect(200);
    let poor = spend(gateway, "spender").send().await;
    assert_eq!(poor.refusal(), (429, "cost_budget_exceeded".into()));
    let money = json!({
        "account": "key:spender", "budget_id": "coins", "kind": "top_up", "money": "0.5",
    });
    gateway
        .change("POST", "budgets/adjustments", &money)
        .send()
        .await
        .expect(201);
    spend(gateway, "spender").send().await.expect(200);

    let adjustments: Vec<BudgetAdjustment> = gateway
        .list("/admin/v1/budgets/adjustments?account=project:web")
        .await;
    let [raise] = &adjustments[..] else {
        panic!("one raise: {adjustments:?}")
    };
    assert_eq!((raise.amount, raise.ends_at_unix_ms), (500, Some(later)));
    let events: Vec<Value> = gateway.list("/admin/v1/audit-events?limit=1").await;
    assert!(events.len() >= 3, "{events:?}");
}

#[tokio::test]
async fn what_was_spent_and_added_outlives_the_process() {
    let rig = Rig::start(BUDGETS).await;
    let refused = spend_all(&rig.gateway, "brother").await;
    assert_eq!(refused.refusal(), (429, "token_budget_exceeded".into()));
    let raise =
        json!({"account": "project:web", "budget_id": "daily", "kind": "raise", "tokens": 300});
    rig.gateway
        .change("POST", "budgets/adjustments", &raise)
        .send()
        .await
        .expect(201);
    let refused = spend_all(&rig.gateway, "brother").await;
    let before = budget(&rig.gateway, "project:web", "daily").await;
    assert_eq!(before.limit, 1000);
    rig.gateway.log_of(refused.request_id()).await;
    let events = rig.gateway.metering_events().await.len();

    let Rig { gateway, provider } = rig;
    let gateway = gateway.kill().await.restart().await;
    assert_eq!(gateway.metering_events().await.len(), events);
    assert_eq!(budget(&gateway, "project:web", "daily").await, before);
    let still = spend(&gateway, "brother").send().await;
    assert_eq!(still.refusal(), (429, "token_budget_exceeded".into()));
    assert!(provider.count("calls").await > 0);
}

#[tokio::test]
async fn a_budget_that_is_declared_in_the_middle_of_its_period_knows_what_was_spent_in_it() {
    let rig = Rig::start("").await;
    let gateway = &rig.gateway;
    let made = gateway
        .change("POST", "api-keys", &json!({"id": "late"}))
        .send()
        .await;
    let secret = made.expect(201).json()["secret"]
        .as_str()
        .unwrap()
        .to_owned();
    let ask = || {
        let body = json!({
            "model": "fast", "max_tokens": 100,
            "messages": [{"role": "user", "content": "sim: tokens=100\nhello"}],
        });
        gateway
            .request("POST", "/v1/chat/completions")
            .key(&secret)
            .json(&body)
    };
    let mut spent = 0;
    for _ in 0..3 {
        let answer = ask().send().await.expect(200);
        spent += answer.json()["usage"]["total_tokens"].as_i64().unwrap();
        gateway.log_of(answer.request_id()).await;
    }
    let limits = json!({"budgets": [{"id": "day", "tokens": spent + 10, "period": "total"}]});
    gateway
        .change("PATCH", "api-keys/late", &limits)
        .send()
        .await
        .expect(200);
    assert_eq!(budget(gateway, "key:late", "day").await.used, spent);
    assert_eq!(
        ask().send().await.refusal(),
        (429, "token_budget_exceeded".into())
    );
    // Taking it away lets through again.
    gateway
        .change("PATCH", "api-keys/late", &json!({"budgets": null}))
        .send()
        .await
        .expect(200);
    ask().send().await.expect(200);
}

#[tokio::test]
async fn an_adjustment_of_nothing_or_of_something_else_is_refused() {
    let rig = Rig::start(BUDGETS).await;
    let check = async |body: Value, status: u16, word: &str| {
        let answer = rig
            .gateway
            .change("POST", "budgets/adjustments", &body)
            .send()
            .await;
        assert_eq!(answer.refusal().0, status, "{body}");
        assert!(answer.text().contains(word), "{body}: {}", answer.text());
    };
    let body = |account: &str, id: &str, kind: &str, tokens: i64| json!({"account": account, "budget_id": id, "kind": kind, "tokens": tokens});
    check(
        body("project:nowhere", "daily", "top_up", 5),
        404,
        "project:nowhere",
    )
    .await;
    check(body("project:web", "weekly", "top_up", 5), 404, "weekly").await;
    check(body("key:nobody", "daily", "top_up", 5), 404, "key:nobody").await;
    check(body("web", "daily", "top_up", 5), 400, "organization:ID").await;
    check(body("project:web", "daily", "top_up", 0), 400, "tokens").await;
    check(body("project:web", "daily", "top_up", -5), 400, "tokens").await;
    check(body("project:web", "daily", "correction", 5), 400, "kind").await;
    check(body("key:spender", "coins", "top_up", 5), 400, "money").await;
    let past = json!({"account": "project:web", "budget_id": "daily", "kind": "raise", "tokens": 5, "until_unix_ms": 1});
    check(past, 400, "until_unix_ms").await;
    let daily = budget(&rig.gateway, "project:web", "daily").await;
    assert_eq!((daily.limit, daily.used), (700, 0));
}

#[tokio::test]
async fn a_price_that_changes_afterwards_is_reckoned_again_once() {
    let rig = Rig::start(BUDGETS).await;
    for _ in 0..2 {
        let answer = spend(&rig.gateway, "spender").send().await.expect(200);
        rig.gateway.log_of(answer.request_id()).await;
    }
    let charged = budget(&rig.gateway, "key:spender", "coins").await.used;
    let config = rig.gateway.config_file();
    let Rig { gateway, provider } = rig;
    gateway.terminate();
    let (code, stopped) = gateway.left().await;
    assert_eq!(code, Some(0));
    let text = std::fs::read_to_string(&config).unwrap();
    assert!(
        text.contains("\"0.60\"") && text.contains("\"0.15\""),
        "{text}"
    );
    let text = text
        .replace("\"0.60\"", "\"0.30\"")
        .replace("\"0.15\"", "\"0.075\"");
    std::fs::write(&config, text).unwrap();
    let gateway = stopped.restart().await;
    assert_eq!(budget(&gateway, "key:spender", "coins").await.used, charged);

    let reprice = async |more: &[&str]| {
        let arguments = [&["reprice", "--since", "2020-01-01"][..], more].concat();
        let ended = gateway.command(&arguments).await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended.stdout
    };
    let dry = reprice(&["--dry-run"]).await;
    assert!(
        dry.contains("2 would be corrected") && dry.contains("Nothing was written"),
        "{dry}"
    );
    assert_eq!(budget(&gateway, "key:spender", "coins").await.used, charged);
    let done = reprice(&[]).await;
    assert!(done.contains("2 corrected: -"), "{done}");
    assert_eq!(
        budget(&gateway, "key:spender", "coins").await.used,
        charged / 2
    );
    // What was corrected is not corrected again.
    let again = reprice(&[]).await;
    assert!(again.contains("0 corrected"), "{again}");
    assert_eq!(
        budget(&gateway, "key:spender", "coins").await.used,
        charged / 2
    );
    let audit: Vec<Value> = gateway
        .list("/admin/v1/audit-events?limit=5&action=ledger.reprice")
        .await;
    assert!(!audit.is_empty());
    let wrong = gateway.command(&["reprice", "--since", "yesterday"]).await;
    assert_eq!(wrong.code, Some(2));
    assert!(provider.count("calls").await > 0);
}
