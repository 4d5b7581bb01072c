//! The same faults in the dialects of the other providers.

use super::*;

const ALL: [&str; 4] = ["/v1/chat/completions", "/v1/responses", MESSAGES, GEMINI];

#[tokio::test]
async fn error_statuses_come_in_the_providers_own_words() {
    let mock = Mock::start();
    for (path, status, pointer, expected) in [
        (MESSAGES, 529, "/error/type", "overloaded_error"),
        (MESSAGES, 429, "/error/type", "rate_limit_error"),
        (GEMINI, 429, "/error/status", "RESOURCE_EXHAUSTED"),
        (GEMINI, 503, "/error/status", "UNAVAILABLE"),
        ("/v1/responses", 429, "/error/code", "rate_limit_exceeded"),
    ] {
        for stream in [false, true] {
            let prompt = format!("sim: fault={status} retry_after=3\nhello");
            let answer = mock.say(path, stream, &prompt).await;
            assert_eq!(answer.status, status, "{path}");
            assert_eq!(answer.headers["retry-after"], "3");
            let json = answer.json();
            assert_eq!(json.pointer(pointer), Some(&json!(expected)), "{json}");
        }
    }
    let limited = mock
        .say(GEMINI, false, "sim: fault=429 retry_after=3\nhello")
        .await
        .json();
    let details = limited["error"]["details"].as_array().unwrap();
    assert!(
        details.iter().any(|detail| detail["retryDelay"] == "3s"),
        "{limited}"
    );
}

#[tokio::test]
async fn a_prompt_that_is_too_long_is_refused() {
    let mock = Mock::start();
    for path in ALL {
        for (words, expected) in [
            ("context-window", 400),
            ("context_window=5", 400),
            ("context_window=5000", 200),
        ] {
            let answer = mock
                .say(path, true, &format!("sim: {words}\nhello there"))
                .await;
            assert_eq!(answer.status, expected, "{path} {words}: {}", answer.body);
        }
    }
    let answer = mock
        .say(MESSAGES, false, "sim: context_window=5\nhello there")
        .await;
    assert!(
        answer.message().starts_with("prompt is too long: ")
            && answer.message().ends_with(" tokens > 5 maximum")
    );
}

#[tokio::test]
async fn streams_are_cut_where_the_directive_says() {
    let mock = Mock::start();
    for path in ALL {
        let whole = mock.say(path, true, "sim: tokens=6\nhello").await;
        assert!(whole.whole);
        let cut = mock
            .say(path, true, "sim: tokens=6 fault=cut after=2\nhello")
            .await;
        let [cut_events, events] = [cut.events().len(), whole.events().len()];
        assert!(
            !cut.whole && 2 < cut_events && cut_events < events,
            "{path}: {cut_events} of {events}"
        );
        assert!(
            cut.body.contains(" said") && !cut.body.contains(" this:"),
            "{path}: {}",
            cut.body
        );
        let at_role = mock.say(path, true, "sim: cut=role\nhello").await;
        assert!(
            !at_role.whole && !at_role.body.contains("You"),
            "{path}: {}",
            at_role.body
        );
        assert!(!at_role.body.is_empty(), "{path}");
        assert!(!mock.say(path, false, "sim: fault=cut\nhello").await.whole);
    }
    let stats = mock.until(|stats| stats["cut"] == 12).await;
    assert_eq!(stats["usage"]["answers"], 3, "chat reports none unasked");
}

#[tokio::test]
async fn errors_inside_a_stream_are_events_of_the_dialect() {
    let mock = Mock::start();
    let prompt = "sim: fault=json-error after=1\nhello";
    for (path, closing, pointer, expected) in [
        (MESSAGES, "message_stop", "/error/type", "overloaded_error"),
        (GEMINI, "finishReason", "/error/status", "UNAVAILABLE"),
        (
            "/v1/responses",
            "response.completed",
            "/code",
            "server_error",
        ),
        (
            "/v1/chat/completions",
            "[DONE]",
            "/error/code",
            "server_error",
        ),
    ] {
        let answer = mock.say(path, true, prompt).await;
        assert!(
            answer.whole && answer.status == 200 && !answer.body.contains(closing),
            "{path}"
        );
        let last = answer.events().pop().unwrap();
        assert_eq!(
            last.pointer(pointer),
            Some(&json!(expected)),
            "{path}: {last}"
        );
        let whole = mock.say(path, false, prompt).await;
        assert_eq!(whole.status, 200);
        assert!(whole.json()["error"].is_object(), "{path}");
    }
    let named = mock.say(MESSAGES, true, prompt).await;
    assert!(named.body.contains("event: error\ndata: {"));
    let (_, body) = said(GEMINI, false, prompt);
    let array = mock
        .post(&format!("{GEMINI}:streamGenerateContent"), body)
        .await
        .json();
    assert_eq!(
        array.as_array().unwrap().last().unwrap()["error"]["code"],
        503
    );
}

#[tokio::test]
async fn a_malformed_event_looks_like_one_of_the_dialect() {
    let mock = Mock::start();
    for path in ALL {
        let answer = mock
            .say(path, true, "sim: fault=malformed after=1\nhello")
            .await;
        let broken = answer
            .body
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .filter(|data| *data != "[DONE]" && serde_json::from_str::<Value>(data).is_err());
        assert_eq!(broken.count(), 1, "{path}: {}", answer.body);
        assert!(answer.whole && answer.body.contains("hello"), "{path}");
        let whole = mock.say(path, false, "sim: fault=malformed\nhello").await;
        assert!(
            serde_json::from_str::<Value>(&whole.body).is_err(),
            "{path}"
        );
    }
}

#[tokio::test]
async fn usage_is_withheld_and_made_up_in_every_dialect() {
    let mock = Mock::start();
    for path in ALL {
        let without = mock.say(path, false, "sim: usage=none\nhello").await;
        for field in ["\"usage\":{", "usageMetadata"] {
            assert!(!without.body.contains(field), "{path}: {}", without.body);
        }
        mock.say(path, false, "sim: usage=random\nhello").await;
    }
    let stats = mock.until(|stats| stats["completed"] == 8).await;
    assert_eq!(stats["usage"]["answers"], 4);
}

#[tokio::test]
async fn filtered_prompts_are_an_error_where_openais_rules_apply() {
    let mock = Mock::start();
    let azure = "/openai/deployments/gpt/chat/completions?api-version=2024-10-21";
    for path in ["/v1/chat/completions", "/v1/responses", azure] {
        let answer = mock.say(path, false, "sim: filter=prompt\nhello").await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["error"]["code"]),
            (400, &json!("content_filter"))
        );
    }
    let answer = mock
        .say(MESSAGES, false, "sim: filter=prompt\nhello")
        .await
        .json();
    assert_eq!(
        (&answer["stop_reason"], &answer["content"]),
        (&json!("refusal"), &json!([]))
    );
}

#[tokio::test]
async fn a_stalled_stream_stays_open_in_every_dialect() {
    let mock = Mock::start();
    let mut open = Vec::new();
    for path in ALL {
        let (target, body) = said(path, true, "sim: fault=stall after=1\nhello");
        let mut response = mock.open(Method::POST, &target, body.to_string()).await;
        let mut seen = String::new();
        while !seen.contains("You") {
            let frame = response.body_mut().frame().await.unwrap().unwrap();
            seen.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
        }
        assert!(!seen.contains(" said"), "{path}: {seen}");
        open.push(response);
    }
    assert_eq!(mock.stats().await["in_flight"], 4);
    drop(open);
    mock.until(|stats| stats["cancelled"] == 4).await;
}
