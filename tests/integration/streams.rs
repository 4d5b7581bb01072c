//! `POST /v1/chat/completions` as a stream of events.

use ferrogate_api::{Outcome, UsageSource};

use crate::support::{Gateway, KEY, Listener, Rig, Socket, gateway_for};

const ASKING_FOR_USAGE: &str = r#"{"model":"fast","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"sim: usage=counted\ncount me"}]}"#;
const NOT_ASKING: &str = r#"{"model":"fast","stream":true,"messages":[{"role":"user","content":"sim: usage=counted\ncount me"}],"stream_options":{"include_usage":true}}"#;

async fn through(rig: &Rig, body: &str) -> String {
    let request = rig.gateway.request("POST", "/v1/chat/completions").key(KEY);
    let answer = request.text(body).send().await.expect(200);
    answer.text().to_owned()
}

async fn direct(rig: &Rig, body: &str) -> String {
    let body = body.replace("\"fast\"", "\"gpt-4o-mini\"");
    let request = rig.provider.request("POST", "/v1/chat/completions");
    let answer = request.text(&body).send().await.expect(200);
    answer.text().to_owned()
}

#[tokio::test]
async fn a_stream_passes_byte_for_byte_to_a_client_that_asks_for_usage() {
    let rig = Rig::start("").await;
    let through = through(&rig, ASKING_FOR_USAGE).await;
    assert_eq!(through, direct(&rig, ASKING_FOR_USAGE).await);
    assert!(through.contains("\"completion_tokens\""));
}

#[tokio::test]
async fn the_usage_event_that_the_gateway_asked_for_is_hidden_from_a_client_that_did_not() {
    let rig = Rig::start("").await;
    let options = r#","stream_options":{"include_usage":true}"#;
    let asked = NOT_ASKING.replace(options, "");
    let through = through(&rig, &asked).await;
    let direct = direct(&rig, NOT_ASKING).await;
    let hidden: Vec<_> = direct
        .split_inclusive("\n\n")
        .filter(|event| event.contains("\"choices\":[]"))
        .collect();
    let [usage] = hidden[..] else {
        panic!("one usage event in {direct}")
    };
    assert_eq!(through, direct.replace(usage, ""));
    assert!(through.ends_with("data: [DONE]\n\n"));
    let calls = rig.provider.calls().await;
    assert_eq!(calls[0]["body_sha256"], calls[1]["body_sha256"]);
}

#[tokio::test]
async fn a_stream_is_metered_by_its_usage_event_hidden_or_not() {
    let rig = Rig::start("").await;
    let mut stream = rig.chat_stream("sim: usage=random\nhello").open().await;
    assert_eq!(stream.status, 200);
    assert!(
        stream
            .header("content-type")
            .starts_with("text/event-stream")
    );
    assert_eq!(stream.header("content-length"), "");
    assert_eq!(stream.header("x-ferrogate-provider"), "openai");
    let id = stream.header("x-request-id").to_owned();
    assert!(stream.events().await.pop().unwrap().is_done());

    let stats = rig.provider.stats().await;
    let [event] = &rig.gateway.events_of(&id).await[..] else {
        panic!("one attempt, one row")
    };
    assert_eq!(stats["usage"]["input_tokens"], event.tokens.input);
    assert_eq!(stats["usage"]["output_tokens"], event.tokens.output);
    assert_eq!(stats["usage"]["cached_tokens"], event.tokens.cache_read);
    assert_eq!(stats["usage"]["reasoning_tokens"], event.tokens.reasoning);
    assert_eq!(event.usage_source, UsageSource::Provider);
    assert_eq!(event.outcome, Outcome::Complete);
    assert!(event.stream);
    let log = rig.gateway.log_of(&id).await;
    assert!(log.ttft_us.unwrap() <= log.duration_us);
}

#[tokio::test]
async fn a_stream_without_usage_is_estimated_from_what_passed() {
    let rig = Rig::start("").await;
    let answer = rig.chat_stream("sim: usage=none\nhello").send().await;
    let [event] = &rig.gateway.events_of(answer.request_id()).await[..] else {
        panic!("one attempt, one row")
    };
    assert_eq!(event.usage_source, UsageSource::Estimated);
    assert!(event.tokens.output > 0);
}

/// A provider whose every event waits for its test, and the connection it was asked over.
async fn asked_by_hand(config: &str) -> (Gateway, Listener) {
    let provider = Listener::open().await;
    let gateway = gateway_for(&format!("http://{}/v1", provider.address()), config).await;
    (gateway, provider)
}

async fn begin_stream(provider: &Listener) -> Socket {
    let mut call = provider.accept().await;
    call.read_message().await;
    call.send(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
    )
    .await;
    call
}

fn chunk(delta: &str) -> String {
    let choice = format!(r#"{{"index":0,"delta":{delta},"finish_reason":null}}"#);
    format!("data: {{\"object\":\"chat.completion.chunk\",\"choices\":[{choice}]}}\n\n")
}

const ROLE: &str = r#"{"role":"assistant","content":""}"#;
const STREAM: &str =
    r#"{"model":"fast","stream":true,"messages":[{"role":"user","content":"hello"}]}"#;

#[tokio::test]
async fn no_event_waits_for_the_next_one() {
    let (gateway, provider) = asked_by_hand("").await;
    let request = gateway.request("POST", "/v1/chat/completions").key(KEY);
    let conversation = async {
        let mut call = begin_stream(&provider).await;
        call.send_chunk(&chunk(ROLE)).await;
        call.send_chunk(&chunk(r#"{"content":"0"}"#)).await;
        call
    };
    let (mut answer, mut call) = tokio::join!(request.text(STREAM).open(), conversation);
    assert_eq!(answer.status, 200);
    answer.event().await.unwrap();
    assert!(answer.event().await.unwrap().data().contains("\"0\""));
    for word in 1..5 {
        // The provider says the next word only when the client has the last one.
        call.send_chunk(&chunk(&format!(r#"{{"content":"{word}"}}"#)))
            .await;
        let event = answer.event().await.unwrap();
        assert_eq!(
            event.json()["choices"][0]["delta"]["content"],
            word.to_string()
        );
    }
    call.send_chunk("data: [DONE]\n\n").await;
    assert!(answer.event().await.unwrap().is_done());
    call.send("0\r\n\r\n").await;
    assert_eq!(answer.event().await, None);
}

#[tokio::test]
async fn an_event_in_two_pieces_arrives_whole() {
    let (gateway, provider) = asked_by_hand("").await;
    let request = gateway.request("POST", "/v1/chat/completions").key(KEY);
    let word = chunk(r#"{"content":"whole"}"#);
    let (first, second) = word.split_at(word.len() / 2);
    let conversation = async {
        let mut call = begin_stream(&provider).await;
        call.send_chunk(first).await;
        call.send_chunk(second).await;
        call.send_chunk("data: [DONE]\r\n\r\n").await;
        call
    };
    let (mut answer, _call) = tokio::join!(request.text(STREAM).open(), conversation);
    assert_eq!(format!("{}\n\n", answer.event().await.unwrap().0), word);
}

#[tokio::test]
async fn a_stream_that_starts_slowly_is_begun_all_the_same_and_kept_alive_by_comments() {
    let config = "[reliability]\nprecommit_wait_ms = 50\nstream_keepalive_interval_secs = 1";
    let (gateway, provider) = asked_by_hand(config).await;
    let request = gateway.request("POST", "/v1/chat/completions").key(KEY);
    let conversation = async {
        let mut call = begin_stream(&provider).await;
        call.send_chunk(&chunk(ROLE)).await;
        call
    };
    // The head arrives although the provider has said nothing yet.
    let (mut answer, mut call) = tokio::join!(request.text(STREAM).open(), conversation);
    assert_eq!(answer.status, 200);
    assert!(answer.event().await.unwrap().data().contains("assistant"));
    assert!(answer.event().await.unwrap().is_comment());
    call.send_chunk(&chunk(r#"{"content":"late"}"#)).await;
    let content = async {
        loop {
            let event = answer.event().await.unwrap();
            if !event.is_comment() {
                return event;
            }
        }
    };
    assert!(content.await.data().contains("late"));
}
