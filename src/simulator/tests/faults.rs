//! Faults on demand: each is what it says, as often as it was asked for.

use super::*;

#[tokio::test]
async fn error_statuses_come_as_often_as_asked() {
    let mock = Mock::start();
    let limited = mock.chat("sim: fault=429 retry_after=2").await;
    assert_eq!(limited.status, 429);
    assert_eq!(limited.headers["retry-after"], "2");
    assert_eq!(limited.json()["error"]["code"], "rate_limit_exceeded");
    let broken = mock.chat("sim: fault=503").await;
    assert_eq!(
        (broken.status.as_u16(), broken.headers.get("retry-after")),
        (503, None)
    );

    for (call, expected) in [(1, 500), (2, 500), (3, 200), (4, 200)] {
        let answer = mock.chat("sim: fault=500 times=2\nagain").await;
        assert_eq!(answer.status, expected, "call {call}");
    }
    assert_eq!(
        mock.chat("sim: fault=500 times=2 tag=other").await.status,
        500
    );
}

#[tokio::test]
async fn what_nobody_understands_is_a_400_that_says_what_is_known() {
    let mock = Mock::start();
    let answer = mock.chat("sim: flaut=cut").await;
    assert_eq!(answer.status, 400);
    assert!(answer.message().contains("`flaut=cut`") && answer.message().contains("json_error"));
    assert_eq!(
        mock.send(Method::POST, "/v1/chat/completions", "{")
            .await
            .status,
        400
    );
    assert_eq!(
        mock.send(Method::GET, "/v1/chat/completions", "")
            .await
            .status,
        405
    );
    assert_eq!(
        mock.send(Method::GET, "/v1/models/no-such", "")
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn a_stream_is_cut_where_the_directive_says() {
    let mock = Mock::start();
    let cut = mock.chat_stream("sim: fault=cut after=2\nhello").await;
    assert!(!cut.whole);
    assert_eq!(cut.text(), "You said");
    let at_role = mock.chat_stream("sim: cut=role\nhello").await;
    assert!(!at_role.whole);
    assert_eq!(at_role.events().len(), 1);
    assert_eq!(
        at_role.events()[0]["choices"][0]["delta"]["role"],
        "assistant"
    );
    let whole = mock.chat("sim: fault=cut\nhello").await;
    assert!(!whole.whole && !whole.body.is_empty());
    let stats = mock.until(|stats| stats["cut"] == 3).await;
    assert_eq!(stats["usage"]["answers"], 0);
}

#[tokio::test]
async fn a_stalled_stream_stays_open_until_the_client_leaves() {
    let mock = Mock::start();
    let mut body = chat("gpt-4o-mini+fault=stall,after=1", "hello");
    body["stream"] = true.into();
    let mut response = mock
        .open(Method::POST, "/v1/chat/completions", body.to_string())
        .await;
    let first = response
        .body_mut()
        .frame()
        .await
        .unwrap()
        .unwrap()
        .into_data()
        .unwrap();
    assert!(
        String::from_utf8(first.to_vec())
            .unwrap()
            .contains("\"content\":\"You\"")
    );
    assert_eq!(mock.stats().await["in_flight"], 1);
    drop(response);
    let stats = mock.until(|stats| stats["cancelled"] == 1).await;
    assert_eq!(stats["paths"]["/v1/chat/completions"]["in_flight"], 0);
}

#[tokio::test]
async fn a_client_that_leaves_before_the_first_byte_is_cancelled_too() {
    let mock = Mock::start();
    let body = chat("gpt-4o-mini+fault=slow", "hello");
    let stream = TcpStream::connect(mock.address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    let driver = mock.clients.spawn("client", connection);
    let request = Request::post("/v1/chat/completions")
        .body(Full::new(Bytes::from(body.to_string())))
        .unwrap();
    let answer = sender.send_request(request);
    let in_flight = mock.until(|stats| stats["in_flight"] == 1);
    tokio::select! {
        _ = answer => panic!("the answer came at once"),
        _ = in_flight => {}
    }
    driver.abort();
    mock.until(|stats| stats["cancelled"] == 1).await;
}

#[tokio::test]
async fn broken_events_come_inside_a_200() {
    let mock = Mock::start();
    let malformed = mock
        .chat_stream("sim: fault=malformed after=1\nhello")
        .await;
    let broken: Vec<&str> = malformed
        .body
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter(|data| *data != "[DONE]" && serde_json::from_str::<Value>(data).is_err())
        .collect();
    assert_eq!(broken.len(), 1);
    assert_eq!(malformed.text(), "You said this: hello");
    let error = mock
        .chat_stream("sim: fault=json_error after=1\nhello")
        .await;
    assert_eq!((error.text().as_str(), error.whole), ("You", true));
    assert_eq!(
        error.events().last().unwrap()["error"]["type"],
        "server_error"
    );
    assert!(!error.body.contains("[DONE]"));
    let body = json!({"model": "m+fault=json_error,after=1", "input": "hello", "stream": true});
    let events = mock.post("/v1/responses", body).await.events();
    assert_eq!(events.last().unwrap()["type"], "error");
    for (index, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], index);
    }
    let whole = mock.chat("sim: fault=json_error").await;
    assert_eq!(whole.status, 200);
    assert_eq!(whole.json()["error"]["type"], "server_error");
    let no_usage = mock.chat("sim: fault=no_usage").await;
    assert_eq!(no_usage.json().get("usage"), None);
}

#[tokio::test]
async fn a_paced_stream_keeps_its_pace() {
    let mock = Mock::start();
    let begun = Instant::now();
    let answer = mock
        .chat_stream("sim: ttft_ms=20 delay_ms=10 tokens=5\nhello")
        .await;
    assert!(begun.elapsed() >= Duration::from_millis(20 + 5 * 10));
    assert_eq!(answer.text(), "You said this: hello You");
}
