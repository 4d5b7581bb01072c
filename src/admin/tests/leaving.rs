//! Clients that do not wait for their answer.

use std::time::Duration;

use futures_util::FutureExt as _;

use super::*;

#[tokio::test]
async fn a_change_goes_on_to_its_end_when_its_client_leaves() {
    let admin = Admin::start().await;
    let request = of_key(
        "admin-secret",
        "POST",
        "/admin/v1/api-keys",
        r#"{"id":"made"}"#,
    );
    // Asked once, and then nobody waits any more.
    let mut answer = Box::pin(admin.send(request));
    assert!(answer.as_mut().now_or_never().is_none());
    drop(answer);
    let made = async {
        while admin.get("/admin/v1/api-keys/made").await.0 != StatusCode::OK {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), made)
        .await
        .expect("it is made all the same");
    let (_, events) = admin.get("/admin/v1/audit-events").await;
    assert_eq!(events["data"][0]["target"], "api_key:made");
}
