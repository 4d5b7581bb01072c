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

mod credentials;
mod describe;
mod dialects;
mod faults;
mod faults_elsewhere;
mod gemini;
mod messages;
mod reasoning;
mod records;
mod responses;

use super::{Options, Simulator, faults::Directive};
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
        self.open_with(method, path, &headers_for(path), body).await
    }

    async fn open_with(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Response<Incoming> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        drop(self.clients.spawn("client", connection));
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "mock.test");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).unwrap();
        sender.send_request(request).await.unwrap()
    }

    async fn send(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Answer {
        let response = self.open(method, path, body).await;
        Answer::of(response).await
    }

    async fn send_with(
        &self,
        (method, path): (Method, &str),
        headers: &[(&str, &str)],
        body: Value,
    ) -> Answer {
        let response = self
            .open_with(method, path, headers, body.to_string())
            .await;
        Answer::of(response).await
    }

    /// One user message in the dialect of `path`.
    async fn say(&self, path: &str, stream: bool, prompt: &str) -> Answer {
        let (path, body) = said(path, stream, prompt);
        self.post(&path, body).await
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
    async fn of(response: Response<Incoming>) -> Self {
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

const MESSAGES: &str = "/v1/messages";
const GEMINI: &str = "/v1beta/models/gemini-2.5-flash";

/// What a client of `path`'s dialect sends along.
fn headers_for(path: &str) -> Vec<(&'static str, &'static str)> {
    if path.starts_with(MESSAGES) {
        vec![
            ("x-api-key", "sk-ant-secret-1234"),
            ("anthropic-version", "2023-06-01"),
        ]
    } else if path.starts_with("/v1beta") {
        vec![("x-goog-api-key", "AIza-secret-1234")]
    } else if path.starts_with("/openai") {
        vec![("api-key", "azure-secret-1234")]
    } else {
        vec![("authorization", "Bearer sk-secret-1234")]
    }
}

/// The path, completed, and the body of a request with one user message.
fn said(path: &str, stream: bool, prompt: &str) -> (String, Value) {
    let mut body = match path {
        MESSAGES => {
            json!({"model": "claude", "max_tokens": 1000, "messages": [{"role": "user", "content": prompt}]})
        }
        GEMINI => json!({"contents": [{"role": "user", "parts": [{"text": prompt}]}]}),
        "/v1/responses" => json!({"model": "gpt", "input": prompt}),
        _ => json!({"model": "gpt", "messages": [{"role": "user", "content": prompt}]}),
    };
    if path == GEMINI {
        let method = if stream {
            ":streamGenerateContent?alt=sse"
        } else {
            ":generateContent"
        };
        return (format!("{path}{method}"), body);
    }
    body["stream"] = stream.into();
    (path.to_owned(), body)
}

fn chat(model: &str, prompt: &str) -> Value {
    json!({"model": model, "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": prompt},
    ]})
}
