//! Clients that leave before their answer is complete.

use ferrogate_api::{Outcome, UsageSource};

use crate::support::{Rig, eventually};

async fn until_asked(rig: &Rig) {
    eventually("the provider is asked", || async {
        (rig.provider.count("in_flight").await > 0).then_some(())
    })
    .await;
}

async fn until_cancelled(rig: &Rig) {
    eventually("the call to the provider is broken off", || async {
        (rig.provider.count("cancelled").await > 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_stream_whose_client_leaves_is_broken_off_and_metered_as_far_as_it_came() {
    let rig = Rig::start("").await;
    let message = "sim: delay_ms=20 tokens=10000\nhello";
    let mut stream = rig.chat_stream(message).open().await;
    let id = stream.header("x-request-id").to_owned();
    for _ in 0..3 {
        stream.event().await.unwrap();
    }
    drop(stream);

    until_cancelled(&rig).await;
    let log = rig.gateway.log_of(&id).await;
    assert_eq!((log.status, log.outcome), (200, Outcome::ClientGone));
    let [event] = &rig.gateway.events_of(&id).await[..] else {
        panic!("one attempt, one row")
    };
    assert_eq!(event.outcome, Outcome::ClientGone);
    assert_eq!(event.usage_source, UsageSource::Partial);
    assert!(event.tokens.input > 0 && event.tokens.output > 0);
    assert!(event.tokens.output < 10_000);
}

#[tokio::test]
async fn a_client_that_leaves_before_the_answer_cancels_the_call_and_pays_an_estimate() {
    for stream in [false, true] {
        let rig = Rig::start("").await;
        let message = "sim: ttft_ms=600000\nhello";
        let request = if stream {
            rig.chat_stream(message)
        } else {
            rig.chat(message)
        };
        tokio::select! {
            answer = request.open() => panic!("{answer:?}"),
            () = until_asked(&rig) => {}
        }
        until_cancelled(&rig).await;
        let events = eventually("the attempt is metered", || async {
            let events = rig.gateway.metering_events().await;
            (!events.is_empty()).then_some(events)
        })
        .await;
        assert_eq!(events[0].outcome, Outcome::ClientGone);
        assert_eq!(events[0].usage_source, UsageSource::Estimated);
        let log = rig.gateway.log_of(&events[0].request_id).await;
        assert_eq!((log.status, log.outcome), (499, Outcome::ClientGone));
    }
}

#[tokio::test]
async fn nothing_is_left_in_flight_when_clients_have_left() {
    let rig = Rig::start("").await;
    let mut streams = Vec::new();
    for _ in 0..8 {
        let request = rig.chat_stream("sim: delay_ms=20 tokens=10000\nhello");
        streams.push(request.open().await);
    }
    assert_eq!(rig.gateway.status().await.in_flight, 8);
    drop(streams);
    eventually("nothing is in flight", || async {
        let status = rig.gateway.status().await;
        (status.in_flight == 0 && status.writer.queue_used == 0).then_some(())
    })
    .await;
    assert_eq!(rig.gateway.metering_events().await.len(), 8);
}
