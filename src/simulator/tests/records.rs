//! What the simulator tells about its calls, what it echoes, and how it ends.

use super::*;
use crate::simulator::record::hex;

#[tokio::test]
async fn random_usage_adds_up_to_what_was_handed_out() {
    let mock = Mock::with(Options {
        directive: Directive::default().with("usage=random").unwrap(),
        seed: 7,
        ..Options::default()
    });
    let [mut input, mut output, mut cached, mut reasoning] = [0; 4];
    let mut seen = Vec::new();
    for call in 0..10 {
        let usage = if call % 2 == 0 {
            mock.chat("hello").await.json()["usage"].clone()
        } else {
            mock.chat_stream("hello").await.events().last().unwrap()["usage"].clone()
        };
        input += usage["prompt_tokens"].as_u64().unwrap();
        output += usage["completion_tokens"].as_u64().unwrap();
        cached += usage["prompt_tokens_details"]["cached_tokens"]
            .as_u64()
            .unwrap();
        reasoning += usage["completion_tokens_details"]["reasoning_tokens"]
            .as_u64()
            .unwrap();
        seen.push(usage);
    }
    assert!(cached > 0 && reasoning > 0 && seen[0] != seen[2]);
    let expected = json!({
        "answers": 10, "input_tokens": input, "output_tokens": output,
        "cached_tokens": cached, "cache_write_tokens": 0, "reasoning_tokens": reasoning,
    });
    mock.until(|stats| stats["usage"] == expected).await;
    mock.send(Method::DELETE, "/sim/stats", "").await;
    assert_eq!(mock.stats().await["calls"], 0);
    assert_eq!(mock.chat("hello").await.json()["usage"], seen[0]);
}

#[tokio::test]
async fn the_last_calls_are_shown_without_their_secrets() {
    let mock = Mock::with(Options {
        recent_calls_max: 2,
        ..Options::default()
    });
    for prompt in ["one", "two", "three"] {
        mock.chat(prompt).await;
    }
    let calls = mock.send(Method::GET, "/sim/calls", "").await;
    assert!(!calls.body.contains("secret"), "{}", calls.body);
    let calls = calls.json();
    assert_eq!(calls.as_array().unwrap().len(), 2);
    assert_eq!(
        (&calls[0]["number"], &calls[1]["number"]),
        (&json!(2), &json!(3))
    );
    assert_eq!(calls[1]["headers"]["authorization"], "…1234");
    assert_eq!(
        (&calls[1]["model"], &calls[1]["outcome"]),
        (&json!("gpt-4o-mini"), &json!("completed"))
    );
    let sent = chat("gpt-4o-mini", "three").to_string();
    assert_eq!(calls[1]["body_sha256"], hex(Sha256::digest(sent)));
}

#[tokio::test]
async fn other_paths_echo_the_request() {
    let mock = Mock::start();
    let echo = mock
        .send(Method::PUT, "/get/it?a=1&b=x%20y&a=2", "hello")
        .await
        .json();
    assert_eq!(
        (&echo["method"], &echo["path"]),
        (&json!("PUT"), &json!("/get/it"))
    );
    assert_eq!(echo["args"], json!({"a": ["1", "2"], "b": "x y"}));
    assert_eq!(echo["headers"]["host"], "mock.test");
    assert_eq!(
        (&echo["origin"], &echo["body"]),
        (&json!("127.0.0.1"), &json!("hello"))
    );
    assert_eq!(echo["url"], "http://mock.test/get/it?a=1&b=x%20y&a=2");
    let large = vec![7; 300_000];
    let echo = mock
        .send(Method::POST, "/upload", large.clone())
        .await
        .json();
    assert_eq!(
        (&echo["body"], &echo["body_bytes"]),
        (&Value::Null, &json!(300_000))
    );
    assert_eq!(echo["body_sha256"], hex(Sha256::digest(&large)));
    let head = mock.send(Method::HEAD, "/anything", "").await;
    assert_eq!((head.status.as_u16(), head.body.as_str()), (200, ""));
    let stats = mock.stats().await;
    assert_eq!(stats["paths"]["other"]["completed"], 3);
}

#[tokio::test]
async fn http2_without_tls_is_spoken_too() {
    let mock = Mock::start();
    let stream = TcpStream::connect(mock.address).await.unwrap();
    let executor = crate::simulator::Executor(mock.tasks.clone());
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(executor, TokioIo::new(stream))
            .await
            .unwrap();
    drop(mock.clients.spawn("client", connection));
    let request = Request::post("http://mock.test/v1/chat/completions")
        .body(Full::new(Bytes::from(
            chat("gpt-4o-mini", "hello").to_string(),
        )))
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let json: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        json["choices"][0]["message"]["content"],
        "You said this: hello"
    );
}

#[tokio::test]
async fn stopping_does_not_wait_for_a_stalled_stream() {
    let mock = Mock::start();
    let mut body = chat("gpt-4o-mini+fault=stall", "hello");
    body["stream"] = true.into();
    let response = mock
        .open(Method::POST, "/v1/chat/completions", body.to_string())
        .await;
    mock.tasks.drain().await;
    assert!(response.into_body().collect().await.is_err());
}
