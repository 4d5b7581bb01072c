use super::*;

fn read(stream: &mut Stream, data: &str) -> Seen {
    stream
        .read(format!("data: {data}\r\n\r\n").as_bytes())
        .unwrap()
}

#[test]
fn what_the_model_says_is_content_and_the_rest_is_not() {
    let check = |candidate: &str, expected: Seen, bytes: u64| {
        let mut stream = Stream::default();
        let chunk = format!(r#"{{"candidates":[{candidate}],"modelVersion":"m"}}"#);
        assert_eq!(read(&mut stream, &chunk), expected, "{candidate}");
        assert_eq!(stream.content_bytes, bytes, "{candidate}");
    };
    check(
        r#"{"content":{"role":"model"},"index":0}"#,
        Seen::Preamble,
        0,
    );
    check(r#"{"content":{"parts":[{"text":""}]}}"#, Seen::Preamble, 0);
    check(r#"{"content":{"parts":null}}"#, Seen::Preamble, 0);
    check(
        r#"{"content":{"parts":[{"text":"a\n"}]}}"#,
        Seen::Content,
        2,
    );
    check(
        r#"{"content":{"parts":[{"text":"hm","thought":true}]}}"#,
        Seen::Content,
        2,
    );
    check(
        r#"{"content":{"parts":[{"functionCall":{"name":"f"}}]}}"#,
        Seen::Content,
        12,
    );
    check(
        r#"{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"QQ=="}}]}}"#,
        Seen::Content,
        0,
    );
    check(r#"{"finishReason":"MAX_TOKENS"}"#, Seen::Content, 0);
    check(
        r#"{"finishReason":"FINISH_REASON_UNSPECIFIED"}"#,
        Seen::Preamble,
        0,
    );
}

#[test]
fn a_stream_may_end_once_every_candidate_has_stopped() {
    let mut stream = Stream::default();
    let mut check = |chunk: &str, finished: bool| {
        read(&mut stream, chunk);
        assert_eq!(stream.finished, finished, "{chunk}");
    };
    check(r#"{"usageMetadata":{"promptTokenCount":1}}"#, false);
    check(
        r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}},{"index":1}]}"#,
        false,
    );
    check(r#"{"candidates":[{"finishReason":"STOP"}]}"#, false);
    check(
        r#"{"candidates":[{"finishReason":"STOP","index":1}]}"#,
        true,
    );
    check(r#"{"usageMetadata":{"promptTokenCount":1}}"#, true);
}

#[test]
fn a_refused_prompt_is_an_answer_and_its_end() {
    let mut stream = Stream::default();
    let blocked = r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#;
    assert_eq!(read(&mut stream, blocked), Seen::Content);
    assert!(stream.finished);
    let mut stream = Stream::default();
    let harmless = r#"{"promptFeedback":{"safetyRatings":[]}}"#;
    assert_eq!(read(&mut stream, harmless), Seen::Preamble);
    assert!(!stream.finished);
}

#[test]
fn the_last_usage_stands() {
    let mut stream = Stream::default();
    read(&mut stream, r#"{"usageMetadata":{"promptTokenCount":3}}"#);
    read(
        &mut stream,
        r#"{"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2,"thoughtsTokenCount":1}}"#,
    );
    read(&mut stream, r#"{"candidates":[]}"#);
    assert_eq!(stream.usage.map(|u| (u.input, u.output)), Some((3, 3)));
    assert_eq!(
        usage_of_answer(br#"{"usageMetadata":{"promptTokenCount":4}}"#).map(|u| u.input),
        Some(4)
    );
    assert_eq!(usage_of_answer(b"{}"), None);
}

#[test]
fn an_error_fails_the_stream_and_a_broken_chunk_is_a_protocol_error() {
    let mut stream = Stream::default();
    let failed = r#"{"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}"#;
    let seen = read(&mut stream, failed);
    assert!(matches!(seen, Seen::Failed(e) if e.message == "overloaded" && e.status() == 503));
    let error = stream.read(b"data: {\"candi\n\n").unwrap_err();
    assert_eq!(error.kind, ErrorKind::ProviderProtocolError);
    assert_eq!(stream.read(b": ping\n\n").unwrap(), Seen::Preamble);
}
