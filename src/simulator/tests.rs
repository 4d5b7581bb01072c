//! The simulator over real sockets, as a gateway meets it.

use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;

use super::{Options, Simulator, faults::Directive, stats::hex};
use crate::tasks::Tasks;

struct Mock {
    address: std::net::SocketAddr,
    tasks: Tasks,
    /// Apart from the simulator's own, so that stopping it does not wait for them.
    clients: Tasks,
}

/// What a client got: the bytes that came, and whether they came to a proper end.
struct Answer {
    status: StatusCode,
    headers: http::HeaderMap,
    body: String,
    whole: bool,
}

impl Mock {
    fn start() -> Self {
        Self::with(Options::default())
    }

    fn with(options: Options) -> Self {
        let simulator = Simulator::bind("127.0.0.1:0".parse().unwrap(), options).unwrap();
        let tasks = Tasks::default();
        let address = simulator.address();
        drop(tasks.spawn("simulator", simulator.serve(tasks.clone())));
        Self {
            address,
            tasks,
            clients: Tasks::default(),
        }
    }

    /// Sends one request on a connection of its own and returns with the head of the answer.
    async fn open(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Response<Incoming> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        drop(self.clients.spawn("client", connection));
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "mock.test")
            .header("authorization", "Bearer sk-secret-1234")
            .body(Full::new(body.into()))
            .unwrap();
        sender.send_request(request).await.unwrap()
    }

    async fn send(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Answer {
        let response = self.open(method, path, body).await;
        let (parts, mut incoming) = response.into_parts();
        let mut bytes = Vec::new();
        let mut whole = true;
        while let Some(frame) = incoming.frame().await {
            match frame {
                Ok(frame) => bytes.extend_from_slice(&frame.into_data().unwrap()),
                Err(_) => {
                    whole = false;
                    break;
                }
            }
        }
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(bytes).unwrap(),
            whole,
        }
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, body.to_string()).await
    }

    async fn chat(&self, prompt: &str) -> Answer {
        self.post("/v1/chat/completions", chat("gpt-4o-mini", prompt))
            .await
    }

    async fn chat_stream(&self, prompt: &str) -> Answer {
        let mut body = chat("gpt-4o-mini", prompt);
        body["stream"] = true.into();
        body["stream_options"] = json!({"include_usage": true});
        self.post("/v1/chat/completions", body).await
    }

    async fn stats(&self) -> Value {
        self.send(Method::GET, "/sim/stats", "").await.json()
    }

    /// Waits until the statistics say so.
    async fn until(&self, what: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let stats = self.stats().await;
            if what(&stats) {
                return stats;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(10),
                "not in time: {stats}"
            );
            tokio::task::yield_now().await;
        }
    }
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The data of the events that are JSON.
    fn events(&self) -> Vec<Value> {
        self.body
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .filter_map(|data| serde_json::from_str(data).ok())
            .collect()
    }

    /// The text of the first choice of a chat stream.
    fn text(&self) -> String {
        self.events()
            .iter()
            .filter_map(|event| {
                event["choices"][0]["delta"]["content"]
                    .as_str()
                    .map(str::to_owned)
            })
            .collect()
    }

    fn message(&self) -> String {
        self.json()["error"]["message"].as_str().unwrap().to_owned()
    }
}

fn chat(model: &str, prompt: &str) -> Value {
    json!({"model": model, "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": prompt},
    ]})
}

#[tokio::test]
async fn a_chat_answer_echoes_the_prompt_and_is_the_same_every_time() {
    let mock = Mock::start();
    let answer = mock.chat("hello there").await;
    let json = answer.json();
    assert_eq!(answer.headers["content-type"], "application/json");
    assert!(
        answer.headers["x-request-id"]
            .to_str()
            .unwrap()
            .starts_with("req_")
    );
    assert_eq!(json["object"], "chat.completion");
    assert_eq!(json["model"], "gpt-4o-mini");
    assert_eq!(
        json["choices"][0]["message"]["content"],
        "You said this: hello there"
    );
    assert_eq!(json["choices"][0]["finish_reason"], "stop");
    assert_eq!(json["usage"]["prompt_tokens"], 3 + 3 + 3 + 3);
    assert_eq!(json["usage"]["completion_tokens"], 5);
    assert_eq!(json["usage"]["total_tokens"], 17);
    assert_eq!(mock.chat("hello there").await.body, answer.body);
    assert_ne!(mock.chat("hello you").await.json()["id"], json["id"]);
    let bare = mock
        .post("/chat/completions", chat("gpt-4o-mini", "hello there"))
        .await;
    assert_eq!(bare.body, answer.body);
}

#[tokio::test]
async fn a_chat_stream_has_openais_order_of_chunks() {
    let mock = Mock::start();
    let answer = mock.chat_stream("hello there").await;
    assert_eq!(
        answer.headers["content-type"],
        "text/event-stream; charset=utf-8"
    );
    assert!(answer.body.ends_with("data: [DONE]\n\n") && answer.whole);
    let events = answer.events();
    assert_eq!(
        events[0]["choices"][0]["delta"],
        json!({"role": "assistant", "content": "", "refusal": null})
    );
    assert_eq!(answer.text(), "You said this: hello there");
    let finish = &events[events.len() - 2];
    assert_eq!(finish["choices"][0]["delta"], json!({}));
    assert_eq!(finish["choices"][0]["finish_reason"], "stop");
    assert_eq!(finish["usage"], Value::Null);
    let usage = &events[events.len() - 1];
    assert_eq!(usage["choices"], json!([]));
    assert_eq!(usage["usage"]["completion_tokens"], 5);

    let mut body = chat("gpt-4o-mini", "hello there");
    body["stream"] = true.into();
    let without = mock.post("/v1/chat/completions", body).await;
    assert!(!without.body.contains("\"usage\""), "{}", without.body);
}

#[tokio::test]
async fn choices_and_limits_are_honoured() {
    let mock = Mock::start();
    let mut body = chat("gpt-4o-mini", "one two three");
    body["n"] = 2.into();
    body["max_completion_tokens"] = 4.into();
    let json = mock.post("/v1/chat/completions", body.clone()).await.json();
    assert_eq!(json["choices"][1]["index"], 1);
    assert_eq!(
        json["choices"][1]["message"]["content"],
        "You said this: one"
    );
    assert_eq!(json["choices"][0]["finish_reason"], "length");
    assert_eq!(json["usage"]["completion_tokens"], 8);
    body["n"] = 0.into();
    assert_eq!(mock.post("/v1/chat/completions", body).await.status, 400);
}

#[tokio::test]
async fn tool_calls_are_streamed_in_pieces_that_make_the_whole() {
    let mock = Mock::start();
    let mut body = chat("gpt-4o-mini+fault=tools", "the weather in Łódź");
    body["tools"] = json!([
        {"type": "function", "function": {"name": "weather", "parameters":
            {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}}},
        {"type": "function", "function": {"name": "clock"}},
    ]);
    let whole = mock.post("/v1/chat/completions", body.clone()).await.json();
    let calls = &whole["choices"][0]["message"]["tool_calls"];
    assert_eq!(whole["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(calls[0]["function"]["name"], "weather");
    let arguments = calls[0]["function"]["arguments"].as_str().unwrap();
    let parsed: Value = serde_json::from_str(arguments).unwrap();
    assert_eq!(parsed, json!({"city": "the weather in Łódź", "days": 7}));

    body["stream"] = true.into();
    let events = mock
        .post("/v1/chat/completions", body.clone())
        .await
        .events();
    let pieces: Vec<&Value> = events
        .iter()
        .map(|event| &event["choices"][0]["delta"]["tool_calls"][0])
        .collect();
    let streamed: String = pieces
        .iter()
        .filter(|piece| piece["index"] == 0)
        .filter_map(|piece| piece["function"]["arguments"].as_str())
        .collect();
    assert_eq!(streamed, arguments);
    assert!(
        pieces
            .iter()
            .any(|piece| piece["function"]["name"] == "clock")
    );

    let messages = body["messages"].as_array_mut().unwrap();
    messages.push(json!({"role": "tool", "tool_call_id": "call_1", "content": "sunny"}));
    body["stream"] = false.into();
    let summed_up = mock.post("/v1/chat/completions", body).await.json();
    assert_eq!(summed_up["choices"][0]["finish_reason"], "stop");
}

#[tokio::test]
async fn a_responses_stream_numbers_its_events_and_ends_with_the_whole_response() {
    let mock = Mock::start();
    let body = json!({"model": "gpt-4o-mini", "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "hello there"}]},
    ]});
    let whole = mock.post("/v1/responses", body.clone()).await.json();
    assert_eq!(
        whole["output"][0]["content"][0]["text"],
        "You said this: hello there"
    );
    assert_eq!(whole["usage"]["output_tokens"], 5);

    let mut streaming = body;
    streaming["stream"] = true.into();
    let answer = mock.post("/v1/responses", streaming).await;
    let events = answer.events();
    for (index, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], index);
        assert!(answer.body.contains(&format!(
            "event: {}\ndata: ",
            event["type"].as_str().unwrap()
        )));
    }
    let kinds: Vec<&str> = events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds[..4],
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
        ]
    );
    assert_eq!(
        kinds[kinds.len() - 4..],
        [
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    let deltas: String = events
        .iter()
        .filter_map(|event| event["delta"].as_str())
        .collect();
    assert_eq!(deltas, "You said this: hello there");
    let last = &events[events.len() - 1]["response"];
    assert_eq!(last["output"][0]["content"], whole["output"][0]["content"]);
    assert_eq!(last["usage"], whole["usage"]);
}

#[tokio::test]
async fn responses_call_tools_and_stop_at_a_limit() {
    let mock = Mock::start();
    let answer = mock
        .post(
            "/v1/responses",
            json!({"model": "m", "input": "sim: fault=tools\nfind it", "stream": true}),
        )
        .await;
    let events = answer.events();
    let done = events
        .iter()
        .find(|event| event["type"] == "response.function_call_arguments.done")
        .unwrap();
    assert_eq!(done["arguments"], "{\"query\":\"find it\"}");
    assert_eq!(
        events[events.len() - 1]["response"]["output"][0]["arguments"],
        done["arguments"]
    );

    let short = mock
        .post(
            "/v1/responses",
            json!({"model": "m", "input": "a long story", "max_output_tokens": 2}),
        )
        .await
        .json();
    assert_eq!(short["status"], "incomplete");
    assert_eq!(short["incomplete_details"]["reason"], "max_output_tokens");
}

#[tokio::test]
async fn an_embedding_is_the_same_as_numbers_and_in_base64() {
    let mock = Mock::start();
    let mut body =
        json!({"model": "text-embedding-3-small", "input": ["one", "two"], "dimensions": 8});
    let float = mock.post("/v1/embeddings", body.clone()).await.json();
    body["encoding_format"] = "base64".into();
    let base64 = mock.post("/v1/embeddings", body).await.json();
    for index in 0..2 {
        let numbers: Vec<f32> =
            serde_json::from_value(float["data"][index]["embedding"].clone()).unwrap();
        let bytes = STANDARD
            .decode(base64["data"][index]["embedding"].as_str().unwrap())
            .unwrap();
        let decoded: Vec<f32> = bytes
            .chunks(4)
            .map(|four| f32::from_le_bytes(four.try_into().unwrap()))
            .collect();
        assert_eq!(numbers, decoded);
        let length: f32 = numbers.iter().map(|number| number * number).sum();
        assert!((length - 1.0).abs() < 1e-5, "{length}");
    }
    assert_ne!(float["data"][0]["embedding"], float["data"][1]["embedding"]);
    assert_eq!(
        float["usage"],
        json!({"prompt_tokens": 2, "total_tokens": 2})
    );
    let none = mock
        .post("/v1/embeddings", json!({"model": "m", "input": []}))
        .await;
    assert_eq!(none.status, 400);
}

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
        "cached_tokens": cached, "reasoning_tokens": reasoning,
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
    let executor = super::Executor(mock.tasks.clone());
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
