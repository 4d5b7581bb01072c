//! Lists: filters, pages, and what a bad parameter is answered with.

use super::*;

#[tokio::test]
async fn request_logs_are_filtered_paged_and_found_by_id() {
    let admin = Admin::start().await;
    let mut written = Vec::new();
    for (status, model) in [(200, "fast"), (429, "fast"), (200, "slow"), (502, "fast")] {
        written.push(admin.record(status, model).await);
    }
    let [first, second, third, fourth] = &written[..] else {
        panic!("four were written");
    };

    let (status, page) = admin.get("/admin/v1/request-logs").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(page["object"], "list");
    assert_eq!(ids(&page), [fourth, third], "newest first, two by default");
    let cursor = page["next_cursor"].as_str().unwrap();
    let (_, page) = admin
        .get(&format!("/admin/v1/request-logs?cursor={cursor}"))
        .await;
    assert_eq!(ids(&page), [second, first]);
    assert_eq!(page["next_cursor"], Value::Null);

    let check = async |query: &str, expected: &[&String]| {
        let (_, page) = admin.get(&format!("/admin/v1/request-logs?{query}")).await;
        assert_eq!(ids(&page), expected, "{query}");
    };
    check("status=4xx", &[second]).await;
    check("status=%3E%3D400", &[fourth, second]).await;
    check("model=slow&key=client&provider=openai", &[third]).await;
    check(&format!("since={}", NOW_MS + 3), &[fourth]).await;
    check("key=nobody", &[]).await;
    check("limit=1", &[fourth]).await;
    check("limit=1000", &[fourth, third, second]).await;

    let (status, log) = admin.get(&format!("/admin/v1/request-logs/{first}")).await;
    assert_eq!(
        (status, log["status"].as_u64()),
        (StatusCode::OK, Some(200))
    );
}

#[tokio::test]
async fn the_ledger_and_its_sums_agree() {
    let admin = Admin::start().await;
    let id = admin.record(200, "fast").await;
    admin.record(200, "fast").await;
    let (_, page) = admin
        .get("/admin/v1/metering-events?model=fast&limit=3")
        .await;
    assert_eq!(ids(&page).len(), 2);
    assert_eq!(ids(&page)[1], id);
    let (_, page) = admin
        .get("/admin/v1/usage-aggregates?window=day&key=client")
        .await;
    let sums = &page["data"][0];
    assert_eq!(
        (&sums["requests"], &sums["cost_nanos"]),
        (&json!(2), &json!(22))
    );
    assert_eq!(sums["tokens"]["input"], 14);
}

/// Every entry of a list, page by page, with the function that names one.
async fn pages(admin: &Admin, path: &str, name: fn(&Value) -> String) -> Vec<String> {
    let mut names = Vec::new();
    let mut cursor = String::new();
    for _ in 0..20 {
        let (status, page) = admin.get(&format!("/admin/v1/{path}{cursor}")).await;
        assert_eq!(status, StatusCode::OK, "{path}: {page}");
        names.extend(page["data"].as_array().unwrap().iter().map(name));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return names,
        }
    }
    panic!("{path} goes on for ever");
}

fn request_id(entry: &Value) -> String {
    entry["request_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_ledger_is_read_from_either_end_searched_and_counted_into() {
    let admin = Admin::start().await;
    let mut written = Vec::new();
    for model in ["fast", "slow", "fast", "fast", "Slower"] {
        written.push(admin.record(200, model).await);
    }
    let check = async |query: &str, expected: &[usize]| {
        let path = format!("metering-events?limit=1&{query}");
        let expected: Vec<_> = expected
            .iter()
            .map(|index| written[*index].clone())
            .collect();
        assert_eq!(pages(&admin, &path, request_id).await, expected, "{query}");
    };
    check("", &[4, 3, 2, 1, 0]).await;
    check("sort=started_at", &[0, 1, 2, 3, 4]).await;
    check("model=fast", &[3, 2, 0]).await;
    check("model=fast&sort=started_at", &[0, 2, 3]).await;
    check("q=SLOW", &[4, 1]).await;
    check("q=gpt-fast", &[4, 3, 2, 1, 0]).await;
    check("q=nowhere", &[]).await;
    let (since, until) = (NOW_MS + 1, NOW_MS + 3);
    check(&format!("since={since}&until={until}"), &[2, 1]).await;
    check(
        &format!("since={since}&until={until}&sort=started_at"),
        &[1, 2],
    )
    .await;
    check(&format!("until={NOW_MS}"), &[]).await;

    let offset = async |query: &str, expected: &[usize]| {
        let (_, page) = admin
            .get(&format!("/admin/v1/metering-events?limit=2&{query}"))
            .await;
        let expected: Vec<&String> = expected.iter().map(|index| &written[*index]).collect();
        assert_eq!(ids(&page), expected, "{query}");
    };
    offset("offset=0", &[4, 3]).await;
    offset("offset=3", &[1, 0]).await;
    offset("offset=1&sort=started_at", &[1, 2]).await;
    offset("offset=1&model=fast", &[2, 0]).await;
    offset("offset=9", &[]).await;
}

#[tokio::test]
async fn sums_are_paged_in_every_order_searched_and_filtered() {
    let admin = Admin::start().await;
    for (key, model, count) in [
        ("a", "fast", 3),
        ("b", "fast", 1),
        ("b", "slow", 2),
        ("c", "slow", 2),
    ] {
        for _ in 0..count {
            admin.record_of(key, None, (200, model)).await;
        }
    }
    let name = |entry: &Value| {
        format!(
            "{}/{}",
            entry["api_key_id"].as_str().unwrap(),
            entry["model"].as_str().unwrap()
        )
    };
    let check = async |query: &str, expected: &[&str]| {
        for limit in 1..=3 {
            let path = format!("usage-aggregates?limit={limit}&{query}");
            assert_eq!(pages(&admin, &path, name).await, expected, "{path}");
        }
    };
    check("", &["a/fast", "b/fast", "b/slow", "c/slow"]).await;
    check("window=hour", &["a/fast", "b/fast", "b/slow", "c/slow"]).await;
    check("sort=-requests", &["a/fast", "b/slow", "c/slow", "b/fast"]).await;
    check(
        "sort=requests&window=day",
        &["b/fast", "b/slow", "c/slow", "a/fast"],
    )
    .await;
    check("sort=-cost", &["a/fast", "b/slow", "c/slow", "b/fast"]).await;
    check("sort=tokens", &["b/fast", "b/slow", "c/slow", "a/fast"]).await;
    check("model=slow&sort=-tokens", &["b/slow", "c/slow"]).await;
    check("key=b", &["b/fast", "b/slow"]).await;
    check("q=C", &["c/slow"]).await;
    check(&format!("window=minute&until={NOW_MS}"), &[]).await;
    check(&format!("window=minute&since={}", NOW_MS + 60_000), &[]).await;

    let (_, page) = admin
        .get("/admin/v1/usage-aggregates?limit=1&offset=3")
        .await;
    assert_eq!(page["data"][0]["api_key_id"], "c");
    // A cursor belongs to its order and its windows.
    let (_, page) = admin
        .get("/admin/v1/usage-aggregates?limit=1&sort=-cost")
        .await;
    let cursor = page["next_cursor"].as_str().unwrap();
    for other in ["sort=cost", "sort=-cost&window=day", ""] {
        let path = format!("/admin/v1/usage-aggregates?{other}&cursor={cursor}");
        let (status, body) = admin.get(&path).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{other}");
        assert_eq!(body["error"]["param"], "cursor");
    }
}

#[tokio::test]
async fn windows_come_newest_first_and_each_is_on_one_page() {
    let admin = Admin::start().await;
    for _ in 0..3 {
        admin.record_of("a", None, (200, "fast")).await;
        admin.record_of("b", None, (200, "fast")).await;
        admin.gateway.clock.advance_ms(60_000);
    }
    let name = |entry: &Value| {
        let minute = (entry["window_start_unix_ms"].as_i64().unwrap() - NOW_MS) / 60_000;
        format!("{}{minute}", entry["api_key_id"].as_str().unwrap())
    };
    let newest = pages(&admin, "usage-aggregates?window=minute&limit=1", name).await;
    assert_eq!(newest, ["a2", "b2", "a1", "b1", "a0", "b0"]);
    let path = "usage-aggregates?window=minute&limit=2&sort=window_start&key=b";
    assert_eq!(pages(&admin, path, name).await, ["b0", "b1", "b2"]);
}

const BUDGETS: &str = r#"
    [[tenants]]
    kind = "organization"
    id = "acme"
    budgets = [
        { id = "small", tokens = 10, period = "month" },
        { id = "large", tokens = 1000, period = "day" },
    ]

    [[tenants]]
    kind = "organization"
    id = "beta"
    budgets = [{ id = "middle", tokens = 100, period = "month" }]
"#;

#[tokio::test]
async fn budgets_and_what_was_added_to_them_are_sorted_and_searched() {
    let admin = Admin::start_with(BUDGETS).await;
    let budget = |entry: &Value| entry["budget_id"].as_str().unwrap().to_owned();
    let check = async |path: &str, expected: &[&str]| {
        assert_eq!(pages(&admin, path, budget).await, expected, "{path}");
    };
    check("budgets?limit=1", &["large", "small", "middle"]).await;
    check("budgets?limit=1&sort=limit", &["small", "middle", "large"]).await;
    check(
        "budgets?limit=1&sort=-remaining",
        &["large", "middle", "small"],
    )
    .await;
    check("budgets?q=BETA", &["middle"]).await;
    check(
        "budgets?account=organization:acme&sort=-limit",
        &["large", "small"],
    )
    .await;

    for (account, budget_id, reason) in [
        ("organization:acme", "small", "first"),
        ("organization:beta", "middle", "second"),
        ("organization:acme", "large", "third"),
    ] {
        let body = json!({
            "account": account, "budget_id": budget_id, "kind": "top_up", "tokens": 5, "reason": reason,
        });
        let path = "/admin/v1/budgets/adjustments";
        let request = of_key("admin-secret", "POST", path, &body.to_string());
        assert_eq!(admin.ask(request).await.0, StatusCode::CREATED);
        admin.gateway.clock.advance_ms(1);
    }
    check("budgets/adjustments?limit=1", &["large", "middle", "small"]).await;
    check(
        "budgets/adjustments?limit=2&sort=created_at",
        &["small", "middle", "large"],
    )
    .await;
    check("budgets/adjustments?q=SECOND", &["middle"]).await;
    check(
        "budgets/adjustments?account=organization:acme",
        &["large", "small"],
    )
    .await;
    check(
        "budgets/adjustments?budget_id=small&kind=top_up",
        &["small"],
    )
    .await;
    check("budgets/adjustments?kind=raise", &[]).await;
}

#[tokio::test]
async fn a_bad_parameter_is_named_and_nothing_is_ignored() {
    let admin = Admin::start().await;
    for (path, param) in [
        ("request-logs?status=40", "status"),
        ("request-logs?since=yesterday", "since"),
        ("request-logs?limit=0", "limit"),
        ("request-logs?limit=many", "limit"),
        ("request-logs?modle=fast", "modle"),
        ("request-logs?model=", "model"),
        ("request-logs?model=a&model=b", "model"),
        ("request-logs?cursor=made-up", "cursor"),
        ("request-logs/not-an-id", "id"),
        ("metering-events?status=200", "status"),
        ("metering-events?cursor=made-up", "cursor"),
        ("metering-events?sort=model", "sort"),
        ("metering-events?offset=-1", "offset"),
        ("metering-events?offset=1&cursor=x", "offset"),
        ("usage-aggregates?window=week", "window"),
        ("usage-aggregates?sort=model", "sort"),
        ("usage-aggregates?cursor=x", "cursor"),
        ("api-keys?colour=red", "colour"),
        ("api-keys?sort=colour", "sort"),
        ("api-keys?cursor=made%20up", "cursor"),
        ("tenants?kind=planet", "kind"),
        ("policies?cursor=made-up", "cursor"),
        ("budgets?account=acme", "account"),
        ("budgets?sort=colour", "sort"),
        ("budgets/adjustments?kind=closing", "kind"),
        ("audit-events?cursor=made-up", "cursor"),
        ("status?verbose=1", "verbose"),
        ("events?since=1", "since"),
    ] {
        let (status, body) = admin.get(&format!("/admin/v1/{path}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(body["error"]["code"], "invalid_request", "{path}");
        assert_eq!(body["error"]["param"], param, "{path}: {body}");
    }
}

#[tokio::test]
async fn keys_are_listed_by_id_without_their_secrets() {
    let admin = Admin::start().await;
    let names = |page: &Value| -> Vec<String> {
        let data = page["data"].as_array().unwrap();
        data.iter()
            .map(|key| key["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let (_, page) = admin.get("/admin/v1/api-keys").await;
    assert_eq!(names(&page), ["admin", "client"]);
    let cursor = page["next_cursor"].as_str().unwrap();
    let next = format!("/admin/v1/api-keys?cursor={cursor}");
    let (_, page) = admin.get(&next).await;
    assert_eq!(
        (names(&page), &page["next_cursor"]),
        (vec!["off".to_owned()], &Value::Null)
    );
    let (_, key) = admin.get("/admin/v1/api-keys/client").await;
    assert_eq!(
        (&key["origin"], &key["key_source"]),
        (&json!("config"), &json!("inline"))
    );
    assert!(!key.to_string().contains("client-secret"));
}

fn ids(page: &Value) -> Vec<&str> {
    let data = page["data"].as_array().unwrap();
    data.iter()
        .map(|entry| entry["request_id"].as_str().unwrap())
        .collect()
}
