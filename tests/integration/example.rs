//! The configuration that comes along, as its comments and the README promise it.

use serde_json::{Value, json};

use crate::support::{Gateway, Provider, Request};

const EXAMPLE: &str = include_str!("../../config/ferrogate.example.toml");

/// The example as it is, but for the addresses of others.
async fn example(provider: &Provider) -> Gateway {
    let config = EXAMPLE
        .replace("https://api.openai.com/v1", &provider.base_url())
        .replace("127.0.0.1:9100", &provider.address().to_string())
        .replace("\"127.0.0.1:2019\"", "\"127.0.0.1:0\"");
    let environment = [
        ("FERROGATE_LISTEN", "127.0.0.1:0"),
        ("OPENAI_API_KEY", "sk-example-0001"),
    ];
    Gateway::start_with(&config, &environment).await
}

#[tokio::test]
async fn every_request_of_the_documentation_is_answered() {
    let provider = Provider::start().await;
    let gateway = example(&provider).await;
    let ok = async |request: Request| -> Value { request.send().await.expect(200).json() };
    let get = |path: &str| gateway.request("GET", path);
    let post =
        |path: &str, body: Value| gateway.request("POST", path).key("dev-secret").json(&body);

    assert_eq!(ok(get("/healthz")).await["status"], "ok");
    let models = ok(get("/v1/models").key("dev-secret")).await;
    assert_eq!(models["data"][0]["id"], "fast-chat");
    let messages = json!([{"role": "user", "content": "hello"}]);
    let chat = json!({"model": "fast-chat", "messages": messages});
    let chat = ok(post("/v1/chat/completions", chat)).await;
    assert_eq!(chat["object"], "chat.completion");
    let response = json!({"model": "fast-chat", "input": "hello"});
    let response = ok(post("/v1/responses", response)).await;
    assert_eq!(response["object"], "response");
    let echo = ok(get("/proxy/httpbin/get")).await;
    assert_eq!(echo["path"], "/get");
    let status = ok(get("/admin/v1/status").key("dev-secret")).await;
    assert_eq!(status["listen"], gateway.address().to_string());
}
