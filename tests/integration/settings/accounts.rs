//! `[[tenants]]` and `[[api_keys]]`: every limit of either, at every level; and `[governance]`.

use serde_json::{Value, json};

use crate::support::{
    Answer, Gateway, KEY, PROVIDER_KEY, Provider, Request, Rig, eventually, standard,
};

/// A request that may be answered with 100 tokens and is.
fn ask(gateway: &Gateway, secret: &str) -> Request {
    ask_with(gateway, secret, "sim: tokens=100\nhello", false)
}

fn ask_with(gateway: &Gateway, secret: &str, content: &str, stream: bool) -> Request {
    let body = json!({
        "model": "fast", "max_tokens": 100, "stream": stream,
        "messages": [{"role": "user", "content": content}],
    });
    let request = gateway.request("POST", "/v1/chat/completions").key(secret);
    request.json(&body)
}

fn refused(answer: &Answer, code: &str) {
    assert_eq!(answer.refusal(), (429, code.to_owned()));
}

/// The key `limited`, which has `own` or whose project has it.
async fn limited(limit: &str, of_project: bool) -> Rig {
    let (project, own) = if of_project { (limit, "") } else { ("", limit) };
    Rig::start(&format!(
        r#"
        [[tenants]]
        kind = "project"
        id = "web"
        {project}

        [[api_keys]]
        id = "limited"
        key = "limited-secret"
        project_id = "web"
        {own}
        "#
    ))
    .await
}

#[tokio::test]
async fn every_limit_holds_for_a_key_and_for_a_tenant() {
    const SECRET: &str = "limited-secret";
    for of_project in [false, true] {
        let rig = limited("request_limit_per_minute = 1", of_project).await;
        ask(&rig.gateway, SECRET).send().await.expect(200);
        let second = ask(&rig.gateway, SECRET).send().await;
        refused(&second, "rate_limit_exceeded");

        let rig = limited("token_limit_per_minute = 50", of_project).await;
        refused(
            &ask(&rig.gateway, SECRET).send().await,
            "rate_limit_exceeded",
        );

        let rig = limited("monthly_token_budget = 50", of_project).await;
        refused(
            &ask(&rig.gateway, SECRET).send().await,
            "token_budget_exceeded",
        );

        let rig = limited("concurrency_limit = 1", of_project).await;
        let endless = "sim: delay_ms=50 tokens=100000\nhello";
        let first = rig.gateway.request("POST", "/v1/chat/completions");
        let first = first.key(SECRET).json(&json!({
            "model": "fast", "stream": true, "messages": [{"role": "user", "content": endless}],
        }));
        let first = first.open().await;
        assert_eq!(first.status, 200);
        let second = ask(&rig.gateway, SECRET).send().await;
        refused(&second, "concurrency_limit_exceeded");
        drop(first);
        eventually("there is room again", || async {
            let answer = ask(&rig.gateway, SECRET).send().await;
            (answer.status == 200).then_some(())
        })
        .await;
        ask(&rig.gateway, KEY).send().await.expect(200);
    }
}

#[tokio::test]
async fn a_key_belongs_to_the_tenant_of_each_kind_that_it_names_and_to_those_above() {
    let mut config = String::from(
        "[[tenants]]\nkind = \"organization\"\nid = \"above\"\nrequest_limit_per_minute = 5\n",
    );
    let kinds = ["organization", "team", "project", "user"];
    for kind in kinds {
        let parent = match kind {
            "organization" => "",
            _ => "parent = \"organization:above\"",
        };
        config.push_str(&format!(
            r#"
            [[tenants]]
            kind = "{kind}"
            id = "the-{kind}"
            name = "The {kind}"
            {parent}
            request_limit_per_minute = 2

            [[api_keys]]
            id = "of-{kind}"
            key = "{kind}-secret"
            {kind}_id = "the-{kind}"
            "#
        ));
    }
    let rig = Rig::start(&config).await;
    let ask = |kind: &str| ask(&rig.gateway, &format!("{kind}-secret"));
    for kind in ["organization", "team", "project"] {
        for _ in 0..2 {
            ask(kind).send().await.expect(200);
        }
        let answer = ask(kind).send().await;
        refused(&answer, "rate_limit_exceeded");
        let text = answer.text();
        assert!(text.contains(&format!("the-{kind}")), "{text}");
        let path = format!("tenants/{kind}/the-{kind}");
        let shown = rig.gateway.shown(&path).await;
        assert_eq!(shown["name"], format!("The {kind}"));
    }
    // Four of the five that the organization above the other three has are taken.
    ask("user").send().await.expect(200);
    let answer = ask("user").send().await;
    refused(&answer, "rate_limit_exceeded");
    assert!(answer.text().contains("above"), "{}", answer.text());
}

#[tokio::test]
async fn budgets_of_keys_and_tenants_have_their_unit_and_period() {
    let budgets = [
        ("tokens = 50, period = \"hour\"", "token_budget_exceeded"),
        (
            "money = \"0.00001\", period = \"day\", time_zone = \"Asia/Tokyo\"",
            "cost_budget_exceeded",
        ),
        (
            "id = \"lasting\", tokens = 50, period = \"total\"",
            "token_budget_exceeded",
        ),
    ];
    for of_project in [false, true] {
        for (budget, code) in budgets {
            let rig = limited(&format!("budgets = [{{ {budget} }}]"), of_project).await;
            refused(&ask(&rig.gateway, "limited-secret").send().await, code);
            let account = if of_project {
                "project:web"
            } else {
                "key:limited"
            };
            let shown = rig
                .gateway
                .shown(&format!("budgets?account={account}"))
                .await;
            let shown = &shown["data"][0];
            assert_eq!(shown["account"], account, "{shown}");
            let has_end = shown["period_end_unix_ms"].is_i64();
            assert_eq!(has_end, !budget.contains("total"), "{shown}");
            let is_named = shown["budget_id"] == "lasting";
            assert_eq!(is_named, budget.contains("lasting"), "{shown}");
            let is_tokyos = shown["time_zone"] == "Asia/Tokyo";
            assert_eq!(is_tokyos, budget.contains("Tokyo"), "{shown}");
        }
    }
}

#[tokio::test]
async fn a_secret_comes_from_a_variable_and_former_ones_work_for_a_while() {
    let provider = Provider::start().await;
    let config = format!(
        r#"
        {}
        [[api_keys]]
        id = "rolled"
        name = "The rolled one"
        key_env = "CLIENT_KEY"

        [[api_keys.previous_key_hashes]]
        # old-secret
        hash = "sha256:5d865deae06fbd34fe9ce848f3e5fc4368f2f612b18aef47f29f2164563a0140"
        expires_at_unix = 253402300799

        [[api_keys.previous_key_hashes]]
        # older-secret
        hash = "sha256:2d0beb7784fd5a6336d327e67d5a56209c303da76525d43b95f2156811fccbf3"
        expires_at_unix = 1000000000
        "#,
        standard(&provider.base_url())
    );
    let environment = [("PROVIDER_KEY", PROVIDER_KEY), ("CLIENT_KEY", "new-secret")];
    let gateway = Gateway::start_with(&config, &environment).await;
    for secret in ["new-secret", "old-secret"] {
        ask(&gateway, secret).send().await.expect(200);
    }
    let expired = ask(&gateway, "older-secret").send().await;
    assert_eq!(expired.refusal(), (403, "api_key_expired".into()));
    let shown = gateway.shown("api-keys/rolled").await;
    assert_eq!(shown["name"], "The rolled one");
}

#[tokio::test]
async fn a_budget_is_announced_at_the_parts_that_are_told() {
    let config = r#"
        [governance]
        budget_thresholds_percent = [7, 95]

        [[api_keys]]
        id = "spender"
        key = "spender-secret"
        budgets = [{ tokens = 1000, period = "total" }]
    "#;
    let rig = Rig::start(config).await;
    ask(&rig.gateway, "spender-secret").send().await.expect(200);
    let announced = |metrics: &str, percent: u8| {
        let label = format!("percent=\"{percent}\"");
        let mut lines = metrics.lines();
        lines.any(|line| {
            line.starts_with("ferrogate_budget_thresholds_total") && line.contains(&label)
        })
    };
    let metrics = eventually("the first part is announced", || async {
        let metrics = rig.gateway.admin("/metrics").send().await.expect(200);
        announced(metrics.text(), 7).then_some(metrics)
    })
    .await;
    assert!(!announced(metrics.text(), 95), "{}", metrics.text());
}

#[tokio::test]
async fn a_policy_is_about_the_tenants_and_keys_it_names() {
    let lists = ["organization", "team", "project", "user", "api_key"];
    let config = lists.map(|list| {
        let belongs = match list {
            "api_key" => String::new(),
            kind => format!("{kind}_id = \"the-{kind}\""),
        };
        let named = match list {
            "api_key" => "of-api_key".to_owned(),
            kind => format!("the-{kind}"),
        };
        format!(
            r#"
            [[api_keys]]
            id = "of-{list}"
            key = "{list}-secret"
            {belongs}

            [[policies]]
            name = "not for this {list}"
            effect = "deny"
            {list}_ids = ["{named}"]
            code = "no_{list}"
            "#
        )
    });
    let rig = Rig::start(&config.concat()).await;
    for list in lists {
        let answer = ask(&rig.gateway, &format!("{list}-secret")).send().await;
        assert_eq!(answer.refusal(), (403, format!("no_{list}")));
    }
    ask(&rig.gateway, KEY).send().await.expect(200);
}

/// Whether a policy that is in force under this condition refuses a request now.
async fn refuses_now(rig: &Rig, when: Value) -> bool {
    let policy = json!({"name": "closed", "effect": "deny", "when": when});
    rig.gateway.made("POST", "policies", &policy).await;
    let status = ask(&rig.gateway, KEY).send().await.status;
    rig.gateway
        .made("DELETE", "policies/closed", &json!({}))
        .await;
    assert!(matches!(status, 200 | 403), "{status}");
    status == 403
}

#[tokio::test]
async fn a_policy_is_in_force_on_its_days_and_at_its_hours() {
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    // Tomorrow begins there when it is ten in the morning in UTC.
    const ZONE: &str = "Pacific/Kiritimati";
    let rig = Rig::start("").await;
    let now = || jiff::Timestamp::now().in_tz(ZONE).unwrap();
    let today = || usize::try_from(now().weekday().to_monday_zero_offset()).unwrap();
    let (is, found) = eventually("a pass within one day", || async {
        let before = today();
        let mut found = Vec::new();
        for (index, day) in DAYS.into_iter().enumerate() {
            let when = json!({"days": [day], "time_zone": ZONE});
            if refuses_now(&rig, when).await {
                found.push(index);
            }
        }
        (before == today()).then_some((before, found))
    })
    .await;
    assert_eq!(found, [is]);

    // Whatever hour it will be when the request comes: this one, or the next.
    let hours = |from: i8, to: i8| {
        let hour = now().hour();
        let at = |more: i8| (hour + more).rem_euclid(24);
        let hours = format!("{:02}:00-{:02}:00", at(from), at(to));
        json!({"hours": hours, "time_zone": ZONE})
    };
    assert!(refuses_now(&rig, hours(-1, 2)).await);
    assert!(!refuses_now(&rig, hours(3, 5)).await);
}
