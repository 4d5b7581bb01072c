//! Who sees, hears of and ends which requests in flight.

use ferrogate_api::AuditEvent;

use super::*;
use crate::live::{Entry, Started};

const TENANT: &str = r#"
    [[tenants]]
    kind = "organization"
    id = "acme"

    [[api_keys]]
    id = "acme-admin"
    key = "acme-secret"
    organization_id = "acme"
    scopes = ["admin.read", "admin.write"]
"#;

const LIST: &str = "/admin/v1/requests/in-flight";

/// A request in flight whose key belongs to this organization, and its id.
fn begin(admin: &Admin, organization: Option<&str>) -> (Entry, String) {
    let id = RequestId::new(&admin.gateway.clock);
    let entry = admin.gateway.live.begin(Started {
        id,
        method: "POST".into(),
        path: "/v1/chat/completions".into(),
        endpoint: "chat.completions".into(),
    });
    let tenant = organization.map(|id| {
        Arc::new(TenantContext {
            organization_id: Some(id.into()),
            ..TenantContext::default()
        })
    });
    entry.set_key("app".into(), tenant);
    admin.gateway.clock.advance_ms(1);
    (entry, id.to_string())
}

#[tokio::test]
async fn an_admin_of_a_tenant_sees_and_ends_its_own_requests_alone() {
    let admin = Admin::start_with(TENANT).await;
    let (own, own_id) = begin(&admin, Some("acme"));
    let (foreign, foreign_id) = begin(&admin, Some("other"));
    let (nobodys, nobodys_id) = begin(&admin, None);

    let list = async |secret: &str, query: &str| {
        let path = format!("{LIST}{query}");
        let (_, _, page) = admin.ask(of_key(secret, "GET", &path, "")).await;
        let requests = page["data"].as_array().unwrap().iter();
        let ids = requests.map(|one| one["request_id"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(list("acme-secret", "").await, std::slice::from_ref(&own_id));
    assert_eq!(
        list("acme-secret", "?organization=acme").await,
        std::slice::from_ref(&own_id)
    );
    let everybody = [own_id.clone(), foreign_id.clone(), nobodys_id.clone()];
    assert_eq!(list("admin-secret", "?limit=3").await, everybody);
    assert_eq!(
        list("admin-secret", "?organization=other").await,
        std::slice::from_ref(&foreign_id)
    );
    let outside = of_key(
        "acme-secret",
        "GET",
        &format!("{LIST}?organization=other"),
        "",
    );
    assert_eq!(
        admin.code(outside).await,
        (403, Some("outside_tenant".to_owned()))
    );

    let kill = async |secret: &str, id: &str| {
        let path = format!("{LIST}/{id}");
        admin.code(of_key(secret, "DELETE", &path, "")).await
    };
    let missing = (404, Some("resource_not_found".to_owned()));
    assert_eq!(kill("acme-secret", &foreign_id).await, missing);
    assert_eq!(kill("acme-secret", &nobodys_id).await, missing);
    assert_eq!(kill("acme-secret", &own_id).await, (200, None));
    assert_eq!(kill("admin-secret", &nobodys_id).await, (200, None));
    let killed = [&own, &foreign, &nobodys].map(|entry| entry.kill_switch().is_killed());
    assert_eq!(killed, [true, false, true]);

    let (_, page) = admin
        .get("/admin/v1/audit-events?action=request.kill")
        .await;
    let events: Vec<AuditEvent> = serde_json::from_value(page["data"].clone()).unwrap();
    let noted: Vec<_> = events
        .iter()
        .map(|event| (&*event.actor, &*event.target))
        .collect();
    let target = |id: &str| format!("request:{id}");
    assert_eq!(
        noted,
        [
            ("admin", &*target(&nobodys_id)),
            ("acme-admin", &*target(&own_id)),
        ]
    );
}

#[tokio::test]
async fn of_the_feed_a_tenant_may_ask_for_requests_and_alerts_alone() {
    let admin = Admin::start_with(TENANT).await;
    for (topics, expected) in [
        ("requests", 200),
        ("requests,alerts", 200),
        ("health", 403),
        ("requests,audit", 403),
        ("logs", 403),
        ("config", 403),
    ] {
        let path = format!("/admin/v1/events?topics={topics}");
        let answer = admin.send(of_key("acme-secret", "GET", &path, "")).await;
        assert_eq!(answer.status().as_u16(), expected, "{topics}");
        drop(answer);
        let answer = admin.send(of_key("admin-secret", "GET", &path, "")).await;
        assert_eq!(answer.status().as_u16(), 200, "{topics}");
    }
}

#[tokio::test]
async fn a_request_that_ends_is_told_to_those_who_may_see_it() {
    let admin = Admin::start_with(TENANT).await;
    let (entry, id) = begin(&admin, Some("other"));
    let path = "/admin/v1/events?topics=requests";
    let mut theirs = admin
        .send(of_key("acme-secret", "GET", path, ""))
        .await
        .into_body();
    let (log, _) = metered(&id, 200, "fast");
    let log = RequestLog {
        tenant: Some(Arc::new(TenantContext {
            organization_id: Some("other".into()),
            ..TenantContext::default()
        })),
        ..log
    };
    entry.finish(|| Arc::new(log));
    admin.gateway.live.tick();
    let frame = theirs.frame().await.unwrap().unwrap();
    let first = String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap();
    assert!(first.contains("event: second\n"), "{first}");
    assert!(first.contains("\"requests\":0"), "{first}");
}
