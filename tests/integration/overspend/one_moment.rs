//! The sharpest moment: many requests at once, and room for some of them to the last token.

use ferrogate_api::BudgetStatus;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{Rig, eventually};

const REQUESTS: usize = 40;
const ROOM_FOR: i64 = 5;

/// A stream that goes on until its client leaves.
fn endless() -> Value {
    json!({
        "model": "fast",
        "stream": true,
        "max_tokens": 1_000,
        "messages": [{"role": "user", "content": "sim: delay_ms=50 tokens=100000\nhello"}],
    })
}

fn estimate() -> i64 {
    let body = endless().to_string();
    let input = ferrogate::metering::estimated_input_tokens(body.as_bytes());
    i64::try_from(input).unwrap() + 1_000
}

/// Two keys of different projects, and what their organization has for both.
fn config(tokens: i64) -> String {
    let key = |id: &str| {
        format!(
            r#"
            [[tenants]]
            kind = "project"
            id = "{id}"
            parent = "organization:acme"

            [[api_keys]]
            id = "{id}"
            key = "{id}-secret"
            project_id = "{id}"
            "#
        )
    };
    let organization = format!(
        r#"
        [[tenants]]
        kind = "organization"
        id = "acme"
        budgets = [{{ id = "all", tokens = {tokens}, period = "total" }}]
        "#
    );
    [organization, key("red"), key("blue")].concat()
}

async fn budget(rig: &Rig) -> BudgetStatus {
    let path = "/admin/v1/budgets?account=organization:acme";
    rig.gateway.list(path).await.remove(0)
}

#[tokio::test]
async fn of_many_requests_at_one_moment_as_many_pass_as_there_is_room_for() {
    let estimate = estimate();
    // One token less than one more would need.
    let limit = (ROOM_FOR + 1) * estimate - 1;
    let rig = Rig::start(&config(limit)).await;
    let mut opening = JoinSet::new();
    for number in 0..REQUESTS {
        let project = if number.is_multiple_of(2) {
            "red"
        } else {
            "blue"
        };
        let request = rig.gateway.request("POST", "/v1/chat/completions");
        let secret = format!("{project}-secret");
        opening.spawn(request.key(&secret).json(&endless()).open());
    }
    // All of them stay open until every request has its answer.
    let opened = opening.join_all().await;
    let passed = opened.iter().filter(|answer| answer.status == 200).count();
    let refused = opened.iter().filter(|answer| answer.status == 429).count();
    assert_eq!(i64::try_from(passed), Ok(ROOM_FOR));
    assert_eq!(passed + refused, REQUESTS);
    let held = budget(&rig).await;
    assert_eq!((held.used, held.held), (0, ROOM_FOR * estimate));
    assert_eq!(held.remaining, estimate - 1);

    drop(opened);
    let settled = eventually("everything is settled", || async {
        let budget = budget(&rig).await;
        (budget.held == 0).then_some(budget)
    })
    .await;
    let events = eventually("all rows are written", || async {
        let events = rig.gateway.metering_events().await;
        (events.len() == passed).then_some(events)
    })
    .await;
    let used: u64 = events.iter().map(|event| event.tokens.total()).sum();
    assert_eq!(u64::try_from(settled.used), Ok(used));
    assert_eq!(settled.remaining, limit - settled.used);
}
