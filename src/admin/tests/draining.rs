//! Out of service and back.

use super::*;

#[tokio::test]
async fn an_operator_takes_the_gateway_out_of_service_and_puts_it_back() {
    let admin = Admin::start().await;
    let drain = async |method: &str, body: &str| {
        let request = of_key("admin-secret", method, "/admin/v1/drain", body);
        let (status, _, body) = admin.ask(request).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        assert_eq!(body["object"], "drain_status");
        let flag = |field: &str| body[field].as_bool().unwrap();
        let reason = body["drain_reason"].as_str().map(ToOwned::to_owned);
        (flag("draining"), flag("accepting_new_requests"), reason)
    };
    let by_operator = Some("operator_drain".to_owned());
    assert_eq!(drain("GET", "").await, (false, true, None));
    let asked = r#"{"reason":"a new disk"}"#;
    assert_eq!(
        drain("POST", asked).await,
        (true, true, by_operator.clone())
    );
    assert!(admin.gateway.drain.draining());
    let refusing = r#"{"refuse_new":true}"#;
    assert_eq!(drain("POST", refusing).await, (true, false, by_operator));
    assert_eq!(drain("DELETE", "").await, (false, true, None));
    assert_eq!(
        drain("POST", r#"{"drain":false}"#).await,
        (false, true, None)
    );
    let (_, page) = admin.get("/admin/v1/audit-events?action=drain.start").await;
    let reasons: Vec<_> = page["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["message"].as_str().unwrap())
        .collect();
    assert_eq!(reasons, ["", "a new disk"]);
}

#[tokio::test]
async fn a_condition_that_nobody_checks_is_refused() {
    let admin = Admin::start().await;
    let request = of_key("admin-secret", "POST", "/admin/v1/drain", "");
    let (status, _, body) = admin.ask(with(request, "if-match", "*")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(body["error"]["param"], "if-match");
    assert!(!admin.gateway.drain.draining());
}
