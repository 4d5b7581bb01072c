//! Which headers pass between client and provider: allow-lists both ways.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::ai::Exchange;
use crate::ai::client::Client;
use crate::ai::models::Model;
use crate::error::RequestError;

const OPENAI_BETA: HeaderName = HeaderName::from_static("openai-beta");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
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
    if let Some(value) = from.get(&X_REQUEST_ID) {
        headers.insert(PROVIDER_REQUEST_ID, value.clone());
    }
    headers
}

/// The headers of a call: ours, the provider's credential, and the few of the client's that mean something to it.
pub(super) fn call_headers<C: Client>(
    model: &Model,
    exchange: &Exchange<'_, C>,
) -> Result<HeaderMap, RequestError> {
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
    if let Some(value) = model.provider.authorization()? {
        headers.insert(header::AUTHORIZATION, value.clone());
    }
    if let Ok(value) = HeaderValue::from_str(&exchange.recording.log.request_id) {
        headers.insert(X_REQUEST_ID, value);
    }
    headers.insert(TRACEPARENT, exchange.traceparent.clone());
    for name in [OPENAI_BETA, IDEMPOTENCY_KEY] {
        if let Some(value) = exchange.client.headers().get(&name) {
            headers.insert(name, value.clone());
        }
    }
    Ok(headers)
}

/// `retry-after-ms`, else `retry-after` in seconds; a date is rare enough to be left to the client.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<f64>().ok();
    let seconds = number("retry-after-ms")
        .map(|ms| ms / 1000.0)
        .or_else(|| number("retry-after"))?;
    Duration::try_from_secs_f64(seconds).ok()
}
