//! The same problem in the words of each provider.

use http::HeaderMap;

use super::*;

fn told(path: &str, problem: &Problem) -> Value {
    let route = Route::of(&path.parse().unwrap(), &HeaderMap::new()).unwrap();
    problem.body(Around {
        route: &route,
        request_id: "req_1",
        retry_after_secs: Some(2),
    })
}

const CHAT: &str = "/v1/chat/completions";
const AZURE: &str = "/openai/deployments/d/chat/completions?api-version=1";
const MESSAGES: &str = "/v1/messages";
const GEMINI: &str = "/v1beta/models/g:generateContent";

#[test]
fn each_provider_has_its_own_type_for_a_status() {
    let check = |path: &str, status: u16, pointer: &str, expected: &str| {
        let body = told(path, &Problem::Status(status));
        let found = body.pointer(pointer).and_then(Value::as_str);
        assert_eq!(found, Some(expected), "{path} {status}: {body}");
    };
    check(CHAT, 429, "/error/code", "rate_limit_exceeded");
    check(CHAT, 500, "/error/type", "server_error");
    check(CHAT, 401, "/error/code", "invalid_api_key");
    check(AZURE, 429, "/error/code", "429");
    check(AZURE, 401, "/error/code", "401");
    check(AZURE, 500, "/error/type", "server_error");
    check(MESSAGES, 529, "/error/type", "overloaded_error");
    check(MESSAGES, 429, "/error/type", "rate_limit_error");
    check(MESSAGES, 500, "/error/type", "api_error");
    check(MESSAGES, 422, "/error/type", "invalid_request_error");
    check(MESSAGES, 529, "/request_id", "req_1");
    check(GEMINI, 429, "/error/status", "RESOURCE_EXHAUSTED");
    check(GEMINI, 429, "/error/details/1/retryDelay", "2s");
    check(GEMINI, 503, "/error/status", "UNAVAILABLE");
    check(GEMINI, 422, "/error/status", "INVALID_ARGUMENT");
}

#[test]
fn a_prompt_that_is_too_long_is_refused_in_the_providers_own_words() {
    let problem = Problem::ContextWindow {
        tokens: 12,
        tokens_max: 10,
    };
    let check = |path: &str, expected: &str| {
        let body = told(path, &problem);
        let message = body["error"]["message"].as_str().unwrap();
        assert!(message.contains(expected), "{message}");
    };
    check(CHAT, "maximum context length is 10 tokens");
    check("/v1/responses", "exceeds the context window");
    check(MESSAGES, "prompt is too long: 12 tokens > 10 maximum");
    check(
        GEMINI,
        "The input token count (12) exceeds the maximum number of tokens allowed (10).",
    );
    assert_eq!(
        told(CHAT, &problem)["error"]["code"],
        "context_length_exceeded"
    );
}
