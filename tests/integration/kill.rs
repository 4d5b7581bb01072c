//! `DELETE /admin/v1/requests/in-flight/{id}`: an operator ends one request, whatever it is doing.

use std::time::Duration;

use ferrogate_api::{AuditEvent, InFlightRequest, Outcome, UsageSource};
use futures_util::{SinkExt, StreamExt};
use tokio::{net::TcpStream, sync::watch, time::timeout};
use tokio_tungstenite::{accept_async, client_async, tungstenite::Message};

use crate::support::{
    Answer, Dialect, Event, Gateway, KEY, Ledger, Listener, Opened, Request, Rig, Socket, Target,
    eventually, gateway_for, model_of, pair_rig, within,
};

/// How long a connection on one machine takes nothing only where it is full.
const SILENCE: Duration = Duration::from_secs(1);

async fn delete(gateway: &Gateway, id: &str) -> Answer {
    let target = Target::Unix(gateway.admin_socket());
    let path = format!("/admin/v1/requests/in-flight/{id}");
    Request::new(target, "DELETE", &path)
        .header("x-ferrogate-reason", "it runs away")
        .send()
        .await
}

async fn kill(gateway: &Gateway, id: &str) {
    let answer = delete(gateway, id).await.expect(200);
    let told = answer.json();
    assert_eq!(told["object"], "in_flight_request");
    assert_eq!(told["id"], id);
    assert_eq!(told["killed"], true);
}

async fn in_flight(gateway: &Gateway, query: &str) -> Vec<InFlightRequest> {
    let path = format!("/admin/v1/requests/in-flight?limit=100{query}");
    gateway.list(&path).await
}

/// The one request in flight, once there is one in this phase.
async fn the_one(gateway: &Gateway, phase: &str) -> InFlightRequest {
    eventually("a request is in flight", || async {
        let path = format!("&phase={phase}");
        in_flight(gateway, &path).await.pop()
    })
    .await
}

async fn until_cancelled(rig: &Rig, count: u64) {
    eventually("the call to the provider is broken off", || async {
        (rig.provider.count("cancelled").await >= count).then_some(())
    })
    .await;
}

/// Its client is told so in its own words, last of all.
fn check_last(client: Dialect, last: &Event) {
    let told = last.json();
    match client {
        Dialect::Chat => assert_eq!(told["error"]["code"], "request_killed", "{last:?}"),
        Dialect::Responses => {
            assert_eq!(last.field("event"), "response.failed");
            assert_eq!(told["response"]["status"], "failed");
        }
        Dialect::Messages => {
            assert_eq!(last.field("event"), "error");
            assert_eq!(told["type"], "error");
        }
        Dialect::Gemini => assert_eq!(told["error"]["code"], 503, "{last:?}"),
    }
    assert!(last.0.contains("ended this request"), "{last:?}");
}

#[tokio::test]
async fn a_stream_ends_with_its_dialects_own_error_and_what_was_said_is_charged() {
    let rig = pair_rig().await;
    let dialects = [
        Dialect::Chat,
        Dialect::Responses,
        Dialect::Messages,
        Dialect::Gemini,
    ];
    let mut killed = 0;
    for client in dialects {
        for provider in dialects {
            let mut body = client.body(&model_of(provider), true);
            client.say(
                &mut body,
                "sim: delay_ms=5 tokens=9 fault=stall after=3\nhello",
            );
            let path = client.path(&model_of(provider), true);
            let mut stream = rig.post(&path, &body).open().await;
            assert_eq!(stream.status, 200);
            let id = stream.header("x-request-id").to_owned();
            let mut events = vec![stream.event().await.unwrap()];
            kill(&rig.gateway, &id).await;
            events.extend(stream.events().await);
            check_last(client, events.last().unwrap());
            let text: String = events.iter().map(|event| event.0.as_str()).collect();
            for closing in [
                "[DONE]",
                "response.completed",
                "message_stop",
                "finishReason",
            ] {
                assert!(!text.contains(closing), "{closing} in {text}");
            }
            killed += 1;
            until_cancelled(&rig, killed).await;

            let pair = format!("{} to {}", client.name(), provider.name());
            let log = rig.gateway.log_of(&id).await;
            assert_eq!((log.status, log.outcome), (200, Outcome::Killed), "{pair}");
            assert_eq!(log.error_code.as_deref(), Some("request_killed"), "{pair}");
            let [event] = &rig.gateway.events_of(&id).await[..] else {
                panic!("one attempt, one row: {pair}")
            };
            assert_eq!(event.outcome, Outcome::Killed, "{pair}");
            assert!(event.tokens.input > 0, "{pair}");
        }
    }
    // Nobody holds it against the providers.
    for provider in dialects {
        let health = rig.gateway.health_of(provider.name()).await;
        assert_eq!(health.breaker.consecutive_failures, 0, "{health:?}");
    }
    assert_eq!(rig.gateway.status().await.in_flight, 0);
}

#[tokio::test]
async fn a_request_that_waits_is_answered_with_an_error_in_its_dialect() {
    let rig = pair_rig().await;
    let clients = [
        (Dialect::Chat, false),
        (Dialect::Chat, true),
        (Dialect::Responses, false),
        (Dialect::Messages, true),
        (Dialect::Gemini, false),
    ];
    for (before, (client, stream)) in clients.into_iter().enumerate() {
        let mut body = client.body(&model_of(Dialect::Chat), stream);
        client.say(&mut body, "sim: ttft_ms=600000\nhello");
        let path = client.path(&model_of(Dialect::Chat), stream);
        let asking = tokio::spawn(rig.post(&path, &body).send());
        let waiting = the_one(&rig.gateway, "waiting").await;
        assert_eq!(waiting.api_key_id.as_deref(), Some("dev"));
        // Only what a provider has seen is a row of the ledger.
        eventually("the provider has been asked", || async {
            (rig.provider.calls().await.len() > before).then_some(())
        })
        .await;
        kill(&rig.gateway, &waiting.request_id).await;
        let answer = asking.await.unwrap();
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert_eq!(answer.header("x-should-retry"), "false");
        assert_eq!(answer.request_id(), waiting.request_id);
        let told = answer.json();
        match client {
            Dialect::Chat | Dialect::Responses => {
                assert_eq!(answer.refusal(), (503, "request_killed".to_owned()));
            }
            Dialect::Messages => assert_eq!(told["type"], "error"),
            Dialect::Gemini => assert_eq!(told["error"]["code"], 503),
        }
        let log = rig.gateway.log_of(&waiting.request_id).await;
        assert_eq!((log.status, log.outcome), (503, Outcome::Killed));
        let [event] = &rig.gateway.events_of(&waiting.request_id).await[..] else {
            panic!("one attempt, one row")
        };
        assert_eq!(event.outcome, Outcome::Killed);
        assert_eq!(event.usage_source, UsageSource::Estimated);
    }
}

#[tokio::test]
async fn a_hold_goes_with_its_request() {
    let rig = Rig::start("[storage]\nsettle = \"before-last-byte\"").await;
    let mut stream = rig
        .chat_stream("sim: delay_ms=5 tokens=9 fault=stall after=2\nhello")
        .open()
        .await;
    let id = stream.header("x-request-id").to_owned();
    stream.event().await.unwrap();
    kill(&rig.gateway, &id).await;
    check_last(Dialect::Chat, stream.events().await.last().unwrap());
    let ledger = Ledger::open(&rig.gateway.data_directory());
    eventually("its row is there and its hold is not", || async {
        let rows = "SELECT count(*) FROM metering_events WHERE outcome = 'killed'";
        let holds = "SELECT count(*) FROM holds";
        (ledger.number(rows) == 1 && ledger.number(holds) == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_request_whose_body_does_not_come_ends_before_it_cost_anything() {
    let rig = Rig::start("").await;
    let mut client = Socket::connect(rig.gateway.address()).await;
    client
        .send(format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {KEY}\r\n\
             content-length: 1000\r\n\r\n{{"
        ))
        .await;
    let receiving = the_one(&rig.gateway, "receiving").await;
    kill(&rig.gateway, &receiving.request_id).await;
    let answer = client.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("request_killed"), "{answer}");
    let log = rig.gateway.log_of(&receiving.request_id).await;
    assert_eq!((log.status, log.outcome), (503, Outcome::Killed));
    assert!(rig.gateway.metering_events().await.is_empty());
}

#[tokio::test]
async fn a_client_that_does_not_read_is_hung_up_on() {
    let provider = Listener::open().await;
    let gateway = gateway_for(&format!("http://{}/v1", provider.address()), "").await;
    let mut client = Socket::connect(gateway.address()).await;
    let body = r#"{"model":"fast","stream":true,"messages":[{"role":"user","content":"hello"}]}"#;
    client
        .send(format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {KEY}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await;
    let mut call = provider.accept().await;
    call.read_message().await;
    call.send(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
    )
    .await;
    let words = "word ".repeat(20_000);
    let event = format!(
        "data: {{\"object\":\"chat.completion.chunk\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{words}\"}},\"finish_reason\":null}}]}}\n\n"
    );
    let chunk = format!("{:x}\r\n{event}\r\n", event.len());
    // The provider talks until nobody takes it any more, and notices when it is hung up on.
    let (said, mut hears) = watch::channel(());
    let talking = tokio::spawn(async move {
        while call.try_send(&chunk).await.is_ok() {
            said.send_replace(());
        }
    });
    let answering = the_one(&gateway, "answering").await;
    // Only when every buffer between them is full does the client's silence hold up the gateway.
    while let Ok(Ok(())) = timeout(SILENCE, hears.changed()).await {}
    kill(&gateway, &answering.request_id).await;
    within("the provider is hung up on", talking).await.unwrap();
    let log = gateway.log_of(&answering.request_id).await;
    assert_eq!((log.status, log.outcome), (200, Outcome::Killed));
    let answer = client.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 200 "));
    assert!(
        !answer.ends_with("0\r\n\r\n"),
        "half an answer has no proper end"
    );
    assert_eq!(
        gateway.events_of(&answering.request_id).await[0].outcome,
        Outcome::Killed
    );
}

#[tokio::test]
async fn who_ended_it_is_in_the_audit_log_and_what_has_ended_cannot_be_killed() {
    let rig = Rig::start("").await;
    let mut stream = rig
        .chat_stream("sim: delay_ms=5 tokens=9 fault=stall after=2\nhello")
        .open()
        .await;
    let id = stream.header("x-request-id").to_owned();
    stream.event().await.unwrap();
    kill(&rig.gateway, &id).await;
    stream.events().await;
    rig.gateway.log_of(&id).await;

    let path = "/admin/v1/audit-events?action=request.kill";
    let events: Vec<AuditEvent> = rig.gateway.list(path).await;
    let [event] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(event.target, format!("request:{id}"));
    assert_eq!(&*event.outcome, "ok");
    assert!(event.actor.starts_with("unix:uid="));
    assert_eq!(event.message, "it runs away");

    let ended = rig.chat("hello").send().await.expect(200);
    for gone in [
        &*id,
        ended.request_id(),
        "018f3c2a-0000-7000-8000-000000000000",
        "no-id",
    ] {
        let refused = delete(&rig.gateway, gone).await;
        assert_eq!(
            refused.refusal(),
            (404, "resource_not_found".to_owned()),
            "{gone}"
        );
    }
    let events: Vec<AuditEvent> = rig.gateway.list(path).await;
    assert_eq!(events.len(), 1, "nothing else was ended");
}

#[tokio::test]
async fn requests_in_flight_are_listed_by_what_is_known_of_them() {
    let rig = Rig::start("[[api_keys]]\nid = \"other\"\nkey = \"other-secret\"").await;
    let open = async |key: &str| -> Opened {
        let message = "sim: delay_ms=5 tokens=9 fault=stall after=2\nhello";
        let mut stream = rig.chat_stream(message).key(key).open().await;
        stream.event().await.unwrap();
        stream
    };
    let (first, second) = (open(KEY).await, open("other-secret").await);
    let count = async |query: &str| in_flight(&rig.gateway, query).await.len();
    assert_eq!(count("").await, 2);
    assert_eq!(count("&key=dev").await, 1);
    assert_eq!(count("&key=nobody").await, 0);
    assert_eq!(
        count("&model=fast&provider=openai&endpoint=chat.completions").await,
        2
    );
    assert_eq!(count("&phase=answering").await, 2);
    assert_eq!(count("&phase=waiting").await, 0);
    assert_eq!(count("&min_age_secs=3600").await, 0);
    assert_eq!(count("&min_age_secs=0").await, 2);
    assert_eq!(count("&q=COMPLETIONS").await, 2);

    let list: Vec<InFlightRequest> = rig
        .gateway
        .list("/admin/v1/requests/in-flight?limit=1")
        .await;
    let ids: Vec<&str> = list.iter().map(|one| &*one.request_id).collect();
    assert_eq!(
        ids,
        [first.header("x-request-id"), second.header("x-request-id")],
        "oldest first"
    );
    let wrong = rig
        .gateway
        .admin("/admin/v1/requests/in-flight?phase=done")
        .send()
        .await;
    assert_eq!(wrong.refusal(), (400, "invalid_request".to_owned()));
}

fn routed(upstream: &Listener) -> String {
    format!(
        "[[upstreams]]\nname = \"up\"\nurl = \"http://{}\"\n[[routes]]\nname = \"all\"\nupstream = \"up\"\n",
        upstream.address()
    )
}

#[tokio::test]
async fn a_request_on_a_plain_route_is_refused_while_its_upstream_has_said_nothing() {
    let upstream = Listener::open().await;
    let gateway = Gateway::start(&routed(&upstream)).await;
    let asking = tokio::spawn(gateway.request("GET", "/slow").send());
    let mut call = upstream.accept().await;
    call.read_head().await;
    let waiting = the_one(&gateway, "waiting").await;
    assert_eq!(&*waiting.endpoint, "route:all");
    kill(&gateway, &waiting.request_id).await;
    let answer = asking.await.unwrap();
    assert_eq!(answer.refusal(), (503, "request_killed".to_owned()));
    assert_eq!(call.read_to_end().await, "", "the upstream is hung up on");
    let log = gateway.log_of(&waiting.request_id).await;
    assert_eq!((log.status, log.outcome), (503, Outcome::Killed));
    assert_eq!(log.error_code.as_deref(), Some("request_killed"));
}

#[tokio::test]
async fn an_answer_of_a_plain_route_breaks_off() {
    let upstream = Listener::open().await;
    let gateway = Gateway::start(&routed(&upstream)).await;
    for http2 in [false, true] {
        let request = gateway.request("GET", "/long");
        let request = if http2 { request.http2() } else { request };
        let asking = tokio::spawn(request.open());
        let mut call = upstream.accept().await;
        call.read_head().await;
        call.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            .await;
        call.send_chunk("one").await;
        let mut answer = asking.await.unwrap();
        assert_eq!(answer.piece().await.unwrap(), "one");
        let id = answer.header("x-request-id").to_owned();
        kill(&gateway, &id).await;
        if http2 {
            // Others share its connection: it hears of it with the next piece.
            call.send_chunk("two").await;
        }
        let broken = within("the rest of the answer", answer.try_piece()).await;
        assert!(broken.is_err(), "{broken:?}");
        let log = gateway.log_of(&id).await;
        assert_eq!((log.status, log.outcome), (200, Outcome::Killed), "{http2}");
        call.read_to_end().await;
    }
}

#[tokio::test]
async fn a_websocket_is_closed() {
    let upstream = Listener::open().await;
    let gateway = Gateway::start(&routed(&upstream)).await;
    let serve = async {
        let stream = upstream.accept_stream().await;
        let mut server = accept_async(stream).await.unwrap();
        server.send(Message::text("welcome")).await.unwrap();
        while let Some(Ok(_)) = server.next().await {}
    };
    let talk = async {
        let stream = TcpStream::connect(gateway.address()).await.unwrap();
        let uri = format!("ws://{}/socket", gateway.address());
        let (mut client, answer) = client_async(uri, stream).await.unwrap();
        client.next().await.unwrap().unwrap();
        let id = answer.headers()["x-request-id"]
            .to_str()
            .unwrap()
            .to_owned();
        kill(&gateway, &id).await;
        while let Some(Ok(_)) = client.next().await {}
        id
    };
    let both = Box::pin(async { tokio::join!(serve, talk) });
    let ((), id) = within("the conversation", both).await;
    let log = gateway.log_of(&id).await;
    assert_eq!((log.status, log.outcome), (101, Outcome::Killed));
}
