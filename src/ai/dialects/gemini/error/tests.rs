use super::*;

#[test]
fn an_envelope_has_googles_fields() {
    let error = RequestError::new(ErrorKind::UnsupportedParameter, "no such thing")
        .with_param("cachedContent")
        .with_retry_after(Duration::from_millis(1200));
    assert_eq!(
        error_body(&error, "id-1"),
        json!({"error": {
            "code": 400, "message": "no such thing", "status": "INVALID_ARGUMENT",
            "details": [
                {"@type": ERROR_INFO, "reason": "UNSUPPORTED_PARAMETER", "domain": "ferrogate",
                 "metadata": {"request_id": "id-1", "param": "cachedContent"}},
                {"@type": RETRY_INFO, "retryDelay": "2s"},
            ],
        }})
    );
}

#[test]
fn every_kind_has_its_status_word() {
    for (kind, word) in [
        (ErrorKind::InvalidRequest, "INVALID_ARGUMENT"),
        (ErrorKind::MissingApiKey, "UNAUTHENTICATED"),
        (ErrorKind::ScopeDenied, "PERMISSION_DENIED"),
        (ErrorKind::ModelNotFound, "NOT_FOUND"),
        (ErrorKind::RequestTimeout, "DEADLINE_EXCEEDED"),
        (ErrorKind::PayloadTooLarge, "INVALID_ARGUMENT"),
        (ErrorKind::RateLimitExceeded, "RESOURCE_EXHAUSTED"),
        (ErrorKind::ClientClosedRequest, "CANCELLED"),
        (ErrorKind::InternalError, "INTERNAL"),
        (ErrorKind::ProviderUnreachable, "UNAVAILABLE"),
        (ErrorKind::NodeDraining, "UNAVAILABLE"),
        (ErrorKind::ProviderTimeout, "DEADLINE_EXCEEDED"),
    ] {
        let body = error_body(&RequestError::new(kind, ""), "");
        assert_eq!(body["error"]["status"], word, "{kind}");
        assert_eq!(body["error"]["code"], kind.status());
    }
}

#[test]
fn a_providers_words_its_status_and_its_delay_are_kept() {
    let body =
        br#"[{"error":{"code":429,"message":"slow down","status":"RESOURCE_EXHAUSTED","details":[
        {"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[]},
        {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.5s"}]}}]"#;
    let error = provider_error("up", (429, body), None);
    assert_eq!(error.message, "slow down");
    assert_eq!(error.status(), 429);
    assert_eq!(error.retry_after, Some(Duration::from_millis(34_500)));
    let envelope = error.openai_body("id").error;
    assert_eq!(envelope.r#type, "rate_limit_error");
    assert_eq!(envelope.code, "RESOURCE_EXHAUSTED");
    let header = provider_error("up", (429, body), Some(Duration::from_secs(1)));
    assert_eq!(header.retry_after, Some(Duration::from_secs(1)));
    // Back on Google's own surface it is the same word.
    let written = error_body(&error, "id");
    assert_eq!(written["error"]["status"], "RESOURCE_EXHAUSTED");
    assert_eq!(
        written["error"]["details"][0]["reason"],
        "RESOURCE_EXHAUSTED"
    );
}

#[test]
fn another_providers_code_does_not_become_a_status_word() {
    let error = RequestError::new(ErrorKind::ProviderError, "busy").with_provider(ProviderFault {
        status: 529,
        r#type: Some("overloaded_error".into()),
        code: Some("overloaded_error".into()),
    });
    let body = error_body(&error, "id");
    assert_eq!(body["error"]["status"], "UNAVAILABLE");
    assert_eq!(body["error"]["details"][0]["reason"], "OVERLOADED_ERROR");
}

#[test]
fn a_refused_key_is_the_gateways_affair_whatever_the_status() {
    for (status, body) in [
        (403, r#"{"error":{"code":403,"message":"key k is bad"}}"#),
        (
            400,
            r#"{"error":{"code":400,"message":"key k is bad","status":"INVALID_ARGUMENT","details":[
                {"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}]}}"#,
        ),
    ] {
        let error = provider_error("up", (status, body.as_bytes()), None);
        assert_eq!(error.kind, ErrorKind::ProviderCredentialRefused, "{body}");
        assert!(!error.message.contains("key k"));
    }
}

#[test]
fn what_is_no_envelope_is_still_an_error() {
    for (body, message) in [
        ("busy", "busy"),
        ("<html>", "Provider `up` answered with status 503."),
        (
            r#"{"error":{"code":503}}"#,
            "Provider `up` answered with status 503.",
        ),
        (r#"{"error":{"details":null,"message":"m"}}"#, "m"),
    ] {
        let error = provider_error("up", (503, body.as_bytes()), None);
        assert_eq!(error.message, message, "{body}");
        assert_eq!(error.status(), 503);
    }
}

#[test]
fn a_failure_inside_an_answer_has_its_own_status_where_it_names_one() {
    let check = |json: &str, status: u16| {
        let fault: Fault = serde_json::from_str(json).unwrap();
        assert_eq!(fault.into_answer_error().status(), status, "{json}");
    };
    check(r#"{"code":503,"message":"m","status":"UNAVAILABLE"}"#, 503);
    check(r#"{"message":"m"}"#, 502);
    check(r#"{"code":200}"#, 502);
}
