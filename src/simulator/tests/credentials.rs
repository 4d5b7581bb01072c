//! Keys that are let in, keys that are not, and what is shown of them.

use super::*;
use crate::simulator::credentials::Credentials;

fn guarded() -> Mock {
    Mock::with(Options {
        credentials: Credentials {
            required: vec!["good-key-0001".into(), "good-key-0002".into()],
            limited: vec!["tired-key-0003".into()],
        },
        ..Options::default()
    })
}

#[tokio::test]
async fn each_provider_looks_for_the_key_in_its_own_header() {
    let mock = guarded();
    let azure = "/openai/deployments/gpt/chat/completions?api-version=2024-10-21";
    let gemini = format!("{GEMINI}:generateContent");
    let rows: [(&str, &str, &str, u16, u16); 5] = [
        ("/v1/chat/completions", "authorization", "Bearer ", 401, 401),
        (azure, "api-key", "", 401, 401),
        (
            "/openai/v1/chat/completions",
            "authorization",
            "Bearer ",
            401,
            401,
        ),
        (MESSAGES, "x-api-key", "", 401, 401),
        (&gemini, "x-goog-api-key", "", 403, 400),
    ];
    for (path, header, prefix, missing, wrong) in rows {
        let dialect = if path == gemini { GEMINI } else { path };
        let (_, body) = said(dialect, false, "hello");
        let status = async |name: &str, key: &str| {
            let headers = [(name, key), ("anthropic-version", "2023-06-01")];
            let answer = mock
                .send_with((Method::POST, path), &headers, body.clone())
                .await;
            answer.status.as_u16()
        };
        let key = |key: &str| format!("{prefix}{key}");
        assert_eq!(status(header, &key("good-key-0001")).await, 200, "{path}");
        assert_eq!(status(header, &key("good-key-0002")).await, 200, "{path}");
        assert_eq!(status(header, &key("no-such-key-1")).await, wrong, "{path}");
        assert_eq!(status(header, &key("tired-key-0003")).await, 429, "{path}");
        assert_eq!(
            status("x-elsewhere", "good-key-0001").await,
            missing,
            "{path}"
        );
    }
    let chat_key_for_anthropic = [
        ("authorization", "Bearer good-key-0001"),
        ("anthropic-version", "2023-06-01"),
    ];
    let (_, body) = said(MESSAGES, false, "hello");
    let answer = mock
        .send_with((Method::POST, MESSAGES), &chat_key_for_anthropic, body)
        .await;
    assert_eq!(answer.json()["error"]["type"], "authentication_error");
    assert_eq!(mock.send(Method::GET, "/v1/models", "").await.status, 401);
    assert_eq!(mock.send(Method::GET, "/sim/stats", "").await.status, 200);
}

#[tokio::test]
async fn calls_show_which_key_came_and_what_was_sent() {
    let mock = Mock::with(Options {
        keeps_bodies: true,
        ..Options::default()
    });
    let (path, body) = said(GEMINI, true, "hello");
    mock.post(&format!("{path}&key=AIza-in-the-query"), body.clone())
        .await;
    let headers = [
        ("authorization", "Bearer sk-or-secret-5678"),
        ("http-referer", "https://example.com"),
        ("x-title", "Example"),
    ];
    mock.send_with(
        (Method::POST, "/v1/chat/completions"),
        &headers,
        chat("gpt", "hello"),
    )
    .await;
    mock.send(Method::GET, "/elsewhere", "").await;

    let calls = mock.send(Method::GET, "/sim/calls", "").await;
    assert!(
        !calls.body.contains("secret") && !calls.body.contains("in-the"),
        "{}",
        calls.body
    );
    let calls = calls.json();
    let [gemini, chat_call, elsewhere] = [&calls[0], &calls[1], &calls[2]];
    assert_eq!(
        (&gemini["dialect"], &gemini["surface"]),
        (&json!("gemini"), &json!("gemini"))
    );
    assert_eq!(gemini["query"], "alt=sse&key=…uery");
    assert_eq!(
        gemini["credential"],
        json!({"header": "x-goog-api-key", "last_four": "1234"})
    );
    assert_eq!(
        (&gemini["body"], &gemini["model"]),
        (&body, &json!("gemini-2.5-flash"))
    );
    assert_eq!(gemini["stream"], true);
    assert_eq!(
        chat_call["credential"],
        json!({"header": "authorization", "last_four": "5678"})
    );
    assert_eq!(chat_call["headers"]["http-referer"], "https://example.com");
    assert_eq!(chat_call["headers"]["x-title"], "Example");
    assert_eq!(
        (&elsewhere["dialect"], &elsewhere["body"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(
        mock.stats().await["paths"]["generateContent"]["completed"],
        1
    );
}
