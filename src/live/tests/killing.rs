//! Ending one request from outside.

use futures_util::FutureExt as _;

use super::*;

fn everything() -> Selection {
    Selection::default()
}

#[tokio::test]
async fn a_request_hears_that_it_is_to_end_whatever_it_waits_for() {
    let (live, clock) = live(|_| ());
    let entry = live.begin(started(&clock));
    let id = live.in_flight(1).requests[0].request_id.parse_id();
    let switch = entry.kill_switch();
    assert!(switch.killed().now_or_never().is_none());
    let waiting = crate::tasks::Tasks::default().spawn("test", async move {
        switch.killed().await;
        switch.is_killed()
    });
    tokio::task::yield_now().await;
    assert_eq!(live.kill(id, &everything()), Ok(()));
    assert!(waiting.await.unwrap());
    assert!(
        entry.kill_switch().killed().now_or_never().is_some(),
        "and later too"
    );
    assert_eq!(live.kill(id, &everything()), Ok(()), "it is ending already");
    assert!(!entry.decide(), "its end is not its own to decide any more");
    drop(entry);
    assert_eq!(live.kill(id, &everything()), Err(NotInFlight));
    assert_eq!(live.status().requests_killed, 1);
}

#[test]
fn an_order_that_comes_after_the_end_is_decided_comes_too_late() {
    let (live, clock) = live(|_| ());
    let entry = live.begin(started(&clock));
    let id = live.in_flight(1).requests[0].request_id.parse_id();
    assert!(entry.decide());
    assert!(entry.decide(), "once and for all");
    assert_eq!(live.kill(id, &everything()), Err(NotInFlight));
    assert!(!entry.kill_switch().is_killed());
    assert_eq!(
        live.kill(RequestId::new(&clock), &everything()),
        Err(NotInFlight)
    );
}

#[test]
fn only_what_is_selected_is_listed_and_killed() {
    let (live, clock) = live(|_| ());
    let begin = |key: &str, model: &str| {
        let entry = live.begin(started(&clock));
        entry.set_key(key.into(), None);
        entry.set_target(model.into(), "openai".into());
        clock.advance_ms(1);
        entry
    };
    let entries = [begin("a", "fast"), begin("b", "fast"), begin("a", "slow")];
    let count = |change: &dyn Fn(&mut Selection)| {
        let mut selection = everything();
        change(&mut selection);
        live.in_flight_of(&selection).len()
    };
    assert_eq!(count(&|_| ()), 3);
    assert_eq!(count(&|wanted| wanted.key = Some("a".to_owned())), 2);
    assert_eq!(count(&|wanted| wanted.model = Some("slow".to_owned())), 1);
    assert_eq!(
        count(&|wanted| wanted.provider = Some("gemini".to_owned())),
        0
    );
    assert_eq!(
        count(&|wanted| wanted.endpoint = Some("chat.completions".to_owned())),
        3
    );
    assert_eq!(count(&|wanted| wanted.team = Some("search".to_owned())), 0);

    let of_b = Selection {
        key: Some("b".to_owned()),
        ..everything()
    };
    let ids: Vec<_> = live
        .in_flight(9)
        .requests
        .iter()
        .map(|one| one.request_id.parse_id())
        .collect();
    let killed: Vec<bool> = ids.iter().map(|id| live.kill(*id, &of_b).is_ok()).collect();
    assert_eq!(killed, [false, true, false]);
    let heard: Vec<bool> = entries
        .iter()
        .map(|entry| entry.kill_switch().is_killed())
        .collect();
    assert_eq!(heard, killed);
}

trait ParseId {
    fn parse_id(&self) -> RequestId;
}

impl ParseId for String {
    fn parse_id(&self) -> RequestId {
        RequestId::parse(self).unwrap()
    }
}
