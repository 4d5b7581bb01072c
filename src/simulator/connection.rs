//! One connection's requests: which endpoint, its body, its answer.
//!
//! An HTTP/1.1 request is answered inside its connection's own task; nothing is spawned for it.

use std::{net::SocketAddr, sync::Arc};

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, Request, Response, StatusCode, request::Parts};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use serde_json::Value;

use super::{
    answers::Answers,
    dialects::{error_body, models},
    echo,
    playback::{Playback, Prepared},
    stats::{Endpoint, Seen, Stats},
};

/// A larger request to a model is refused.
const BODY_BYTES_MAX: usize = 64 << 20;

/// What all connections share.
#[derive(Debug)]
pub struct Shared {
    pub answers: Answers,
    pub stats: Arc<Stats>,
}

/// Answers one request.
///
/// # Errors
/// The connection's, when the request's body breaks off.
pub async fn answer(
    shared: Arc<Shared>,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response<Playback>, hyper::Error> {
    let head = request.method() == Method::HEAD;
    let path = request.uri().path();
    let mut response = match path.strip_prefix("/v1").unwrap_or(path) {
        "/chat/completions" => ask_model(&shared, Endpoint::Chat, request).await?,
        "/responses" => ask_model(&shared, Endpoint::Responses, request).await?,
        "/embeddings" => ask_model(&shared, Endpoint::Embeddings, request).await?,
        "/models" => list_models(&shared, request, models::list()),
        "/sim/stats" | "/sim/calls" => inspect(&shared, &request),
        other => match other.strip_prefix("/models/").map(models::find) {
            Some(Ok(model)) => list_models(&shared, request, model),
            Some(Err(error)) => respond(StatusCode::NOT_FOUND, &error),
            None => echo_back(&shared, request, peer).await?,
        },
    };
    if head {
        response.body_mut().end_without_body();
    }
    Ok(response)
}

async fn ask_model(
    shared: &Shared,
    endpoint: Endpoint,
    request: Request<Incoming>,
) -> Result<Response<Playback>, hyper::Error> {
    if request.method() != Method::POST {
        return Ok(method_not_allowed(request.method()));
    }
    let (parts, body) = request.into_parts();
    let Some(body) = read_whole(body).await? else {
        let message = format!("The request is larger than {BODY_BYTES_MAX} bytes.");
        let error = error_body(&message, "invalid_request_error", None);
        return Ok(respond(StatusCode::PAYLOAD_TOO_LARGE, &error));
    };
    let number = shared.stats.next_number();
    let prepared = shared.answers.to(endpoint, &body, number);
    drop(body);
    let call = shared.stats.begin(endpoint, number, || Seen {
        model: prepared.model.clone(),
        stream: prepared.stream,
        body_sha256: Some(prepared.body_sha256),
        ..Seen::of(parts)
    });
    let call = call.handing_out(prepared.usage);
    if !prepared.first_byte.is_zero() {
        tokio::time::sleep(prepared.first_byte).await;
    }
    let mut response = Playback::respond(prepared, Some(call));
    let request_id = HeaderValue::try_from(format!("req_{number:016x}"));
    response.headers_mut().insert(
        "x-request-id",
        request_id.expect("letters and digits make a header value"),
    );
    Ok(response)
}

/// The whole body, or `None` when it is too large.
async fn read_whole(mut body: Incoming) -> Result<Option<Bytes>, hyper::Error> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let data = frame?.into_data().unwrap_or_default();
        if whole.is_empty() && body.is_end_stream() {
            // The usual case, without a copy.
            return Ok(Some(data));
        }
        if whole.len() + data.len() > BODY_BYTES_MAX {
            return Ok(None);
        }
        whole.extend_from_slice(&data);
    }
    Ok(Some(whole.freeze()))
}

fn list_models(shared: &Shared, request: Request<Incoming>, body: Value) -> Response<Playback> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return method_not_allowed(request.method());
    }
    let number = shared.stats.next_number();
    let call = shared.stats.begin(Endpoint::Models, number, || {
        Seen::of(request.into_parts().0)
    });
    let prepared = Prepared::json(StatusCode::OK, &body);
    Playback::respond(Arc::new(prepared), Some(call))
}

async fn echo_back(
    shared: &Shared,
    request: Request<Incoming>,
    peer: SocketAddr,
) -> Result<Response<Playback>, hyper::Error> {
    let (parts, body) = request.into_parts();
    let number = shared.stats.next_number();
    let call = shared
        .stats
        .begin(Endpoint::Echo, number, || Seen::of(parts.clone()));
    let prepared = echo::answer(&parts, body, peer).await?;
    Ok(Playback::respond(Arc::new(prepared), Some(call)))
}

/// The simulator's own paths; they count nowhere.
fn inspect(shared: &Shared, request: &Request<Incoming>) -> Response<Playback> {
    let calls = request.uri().path().ends_with("/calls");
    match *request.method() {
        Method::GET if calls => respond(StatusCode::OK, &shared.stats.recent()),
        Method::GET => respond(StatusCode::OK, &shared.stats.report()),
        Method::DELETE => {
            shared.stats.reset();
            shared.answers.reset();
            respond(StatusCode::OK, &shared.stats.report())
        }
        ref other => method_not_allowed(other),
    }
}

fn method_not_allowed(method: &Method) -> Response<Playback> {
    let message = format!("Not allowed to {method} here.");
    let error = error_body(&message, "invalid_request_error", None);
    respond(StatusCode::METHOD_NOT_ALLOWED, &error)
}

fn respond(status: StatusCode, body: &Value) -> Response<Playback> {
    Playback::respond(Arc::new(Prepared::json(status, body)), None)
}

impl Seen {
    fn of(parts: Parts) -> Self {
        Self {
            path: parts.uri.path().to_owned(),
            method: parts.method,
            headers: parts.headers,
            model: None,
            stream: false,
            body_sha256: None,
        }
    }
}
