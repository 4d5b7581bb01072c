//! Which headers pass between client and provider: allow-lists both ways.

use std::{borrow::Cow, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::Asking;
use crate::ai::Exchange;
use crate::ai::client::Client;
use crate::ai::providers::Credential;
use crate::ai::turn::AnswerWay;

/// What of a client's head the provider gets to see, where both speak the same dialect.
pub(in crate::ai) const PASSED_ON: [HeaderName; 5] = [
    HeaderName::from_static("openai-beta"),
    HeaderName::from_static("anthropic-version"),
    HeaderName::from_static("anthropic-beta"),
    HeaderName::from_static("x-goog-api-client"),
    HeaderName::from_static("idempotency-key"),
];
const DROPPED_PARAMS: HeaderName = HeaderName::from_static("x-ferrogate-dropped-params");
/// Of a list of dropped fields, what an answer names.
const DROPPED_CHARS_MAX: usize = 2048;
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PROVIDER_REQUEST_ID: HeaderName = HeaderName::from_static("x-ferrogate-provider-request-id");

/// Room for these and for what the gateway adds, so that the map never grows.
const ANSWER_HEADERS: usize = 20;

/// What of a provider's head the client gets to see.
const PASSED_BACK: [HeaderName; 4] = [
    header::CONTENT_TYPE,
    HeaderName::from_static("openai-processing-ms"),
    HeaderName::from_static("openai-version"),
    HeaderName::from_static("openai-model"),
];

pub(super) fn passed_headers(from: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(ANSWER_HEADERS);
    for name in PASSED_BACK {
        if let Some(value) = from.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    // Anthropic's own name for it is the second.
    let id = from.get(&X_REQUEST_ID).or_else(|| from.get("request-id"));
    if let Some(value) = id {
        headers.insert(PROVIDER_REQUEST_ID, value.clone());
    }
    headers
}

/// The headers of a call: ours, the provider's credential, and the few of the client's that mean something to it.
pub(super) fn call_headers<C: Client>(
    asking: &Asking<'_>,
    credential: Option<&Credential>,
    exchange: &Exchange<'_, C>,
) -> HeaderMap {
    // Two more than here: host and length.
    let mut headers = HeaderMap::with_capacity(10);
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    // Compressed answers could not be read for usage, nor streams passed on event by event.
    headers.insert(
        header::ACCEPT_ENCODING,
        HeaderValue::from_static("identity"),
    );
    headers.insert(
        header::USER_AGENT,
        HeaderValue::from_static(concat!("ferrogate/", env!("CARGO_PKG_VERSION"))),
    );
    if let Ok(value) = HeaderValue::from_str(&exchange.recording.log.request_id) {
        headers.insert(X_REQUEST_ID, value);
    }
    headers.insert(TRACEPARENT, exchange.traceparent.clone());
    if matches!(asking.prepared.answer, AnswerWay::Passing) {
        for name in PASSED_ON {
            if let Some(value) = exchange.client.headers().get(&name) {
                headers.insert(name, value.clone());
            }
        }
    }
    if let Some(profile) = &asking.turn.profile {
        for (name, value) in &profile.request_headers {
            headers.insert(name, value.clone());
        }
    }
    // Last: what the provider insists on gives way to what its own client said, and wins over nothing else.
    let planned = asking.planned;
    let provider = &planned.candidate.provider;
    provider.headers(planned.api, credential, &mut headers);
    headers
}

/// Names what of the client's request did not reach the provider.
pub(super) fn note_dropped(headers: &mut HeaderMap, dropped: &[Cow<'static, str>]) {
    if dropped.is_empty() {
        return;
    }
    // Names come from the client's JSON: what no header can carry is spelled with question marks.
    let list: String = dropped
        .join(", ")
        .chars()
        .take(DROPPED_CHARS_MAX)
        .map(|char| {
            if char.is_ascii_graphic() || char == ' ' {
                char
            } else {
                '?'
            }
        })
        .collect();
    if let Ok(value) = HeaderValue::from_str(&list) {
        headers.insert(DROPPED_PARAMS, value);
    }
}

/// `retry-after-ms`, else `retry-after` in seconds; a date is rare enough to be left to the client.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<f64>().ok();
    let seconds = number("retry-after-ms")
        .map(|ms| ms / 1000.0)
        .or_else(|| number("retry-after"))?;
    Duration::try_from_secs_f64(seconds).ok()
}
