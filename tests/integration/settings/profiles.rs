//! `[[gateway_configs]]`: what a profile has in place of the cache's, the model's and the gateway's own.

use crate::support::{Request, Rig, eventually, first_then_second, routed, within};

fn with(request: Request, profile: &str) -> Request {
    request.header("x-ferrogate-config", profile)
}

#[tokio::test]
async fn a_profile_has_its_name_and_its_number() {
    let config = "[[gateway_configs]]\nid = \"seventh\"\nname = \"The seventh\"\nrevision = 7";
    let rig = Rig::start(config).await;
    let answer = with(rig.chat("hello"), "seventh").send().await.expect(200);
    let log = rig.gateway.log_of(answer.request_id()).await;
    assert_eq!(log.gateway_config_revision, Some(7));
    let shown = rig.gateway.shown("gateway-configs/seventh").await;
    assert_eq!(shown["name"], "The seventh");
}

#[tokio::test]
async fn an_answer_is_given_again_as_long_as_the_profile_says() {
    let config = "[cache]\nenabled = true\n[[gateway_configs]]\nid = \"fresh\"\ncache_ttl_secs = 1";
    let rig = Rig::start(config).await;
    let cached = async |request: Request| {
        let answer = request.send().await.expect(200);
        answer.header("x-ferrogate-cache").to_owned()
    };
    assert_eq!(cached(with(rig.chat("hello"), "fresh")).await, "miss");
    eventually("it is too old for the profile", || async {
        (cached(with(rig.chat("hello"), "fresh")).await == "miss").then_some(())
    })
    .await;
    assert_eq!(cached(rig.chat("other")).await, "miss");
    assert_eq!(cached(rig.chat("other")).await, "hit");
}

#[tokio::test]
async fn the_order_of_the_candidates_is_the_profiles() {
    let model =
        first_then_second("first").replace("input_price_per_1m = 1\n", "input_price_per_1m = 9\n");
    let config = "[[gateway_configs]]\nid = \"cheap\"\nrouting_strategy = \"lowest_cost\"";
    let rig = routed(&model, config).await;
    let answered = async |request: Request| {
        let answer = request.send().await.expect(200);
        answer.header("x-ferrogate-provider").to_owned()
    };
    let long = "word ".repeat(2000);
    assert_eq!(answered(rig.routed(&long)).await, "one");
    assert_eq!(answered(with(rig.routed(&long), "cheap")).await, "two");
}

#[tokio::test]
async fn streams_begin_and_end_when_the_profile_says() {
    let config = "[[gateway_configs]]\nid = \"prompt\"\nprovider_dispatch_timeout_secs = 1\n\
        [[gateway_configs]]\nid = \"short\"\nprovider_stream_timeout_secs = 1";
    let rig = Rig::start(config).await;
    let silent = rig.chat_stream("sim: ttft_ms=60000\nhello");
    let refused = with(silent, "prompt").send().await;
    assert_eq!(refused.refusal(), (504, "provider_timeout".into()));

    let endless = rig.chat_stream("sim: delay_ms=50 tokens=100000\nhello");
    let mut stream = with(endless, "short").open().await;
    let events = within("the stream is ended", stream.events()).await;
    let last = events.last().unwrap().json();
    assert_eq!(last["error"]["code"], "stream_time_limit");
}
