//! What a body may be before anybody looks at what it says.

use super::*;

#[tokio::test]
async fn a_body_is_one_object_of_a_bounded_size() {
    let admin = Admin::start().await;
    let check = async |path: &str, body: &str, expected: (u16, &str)| {
        let answer = admin.send(of_key("admin-secret", "POST", path, body)).await;
        let status = answer.status().as_u16();
        let body: Value = serde_json::from_str(&text(answer).await).unwrap();
        assert_eq!(
            (status, body["error"]["code"].as_str().unwrap()),
            expected,
            "{path}"
        );
    };
    let keys = "/admin/v1/api-keys";
    check(keys, "", (400, "invalid_json")).await;
    check(keys, "{", (400, "invalid_json")).await;
    check(keys, "[]", (400, "invalid_json")).await;
    check(
        keys,
        "{\"id\":\"a\",\"id\":\"b\"}",
        (400, "invalid_request"),
    )
    .await;
    check(keys, "{\"id\":7}", (400, "invalid_resource")).await;
    let long = format!("{{\"id\":\"{}\"}}", "x".repeat(2048));
    check(keys, &long, (413, "payload_too_large")).await;
    check(
        "/admin/v1/routes:explain",
        &long,
        (413, "payload_too_large"),
    )
    .await;
    check("/admin/v1/cache:purge", "", (400, "invalid_request")).await;
    check(
        "/admin/v1/cache:purge",
        "{\"al\":true}",
        (400, "invalid_request"),
    )
    .await;
    check("/admin/v1/ledger:reprice", "{}", (400, "invalid_request")).await;
    let rotate = "/admin/v1/api-keys/client/rotate";
    check(rotate, "{\"overlap_secs\":-1}", (400, "invalid_request")).await;
    check(
        rotate,
        "{\"overlap_secs\":99999999999}",
        (400, "invalid_request"),
    )
    .await;
    check(rotate, "", (409, "managed_by_config")).await;
}

#[tokio::test]
async fn a_name_in_a_path_is_decoded_and_must_be_text() {
    let admin = Admin::start_with(
        "[[policies]]\nname = \"two words\"\neffect = \"deny\"\nmodels = [\"fast\"]",
    )
    .await;
    let (status, policy) = admin.get("/admin/v1/policies/two%20words").await;
    assert_eq!(
        (status, &policy["name"]),
        (StatusCode::OK, &json!("two words"))
    );
    let (status, refused) = admin.get("/admin/v1/policies/%FF").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(refused["error"]["code"], "invalid_request");
    let (status, _) = admin.get("/admin/v1/policies/two%2Fwords").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}
