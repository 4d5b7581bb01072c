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
        ("usage-aggregates?window=week", "window"),
        ("usage-aggregates?cursor=x", "cursor"),
        ("api-keys?scope=admin.read", "scope"),
        ("api-keys?cursor=made%20up", "cursor"),
        ("tenants?kind=planet", "kind"),
        ("policies?cursor=made-up", "cursor"),
        ("budgets?account=acme", "account"),
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
