//! One connection's requests: which endpoint, its body, its answer.
//!
//! An HTTP/1.1 request is answered inside its connection's own task; nothing is spawned for it.

use std::{net::SocketAddr, sync::Arc};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, request::Parts};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use serde_json::Value;

use super::{
    answers::{Answers, problem_answer, request_id},
    credentials::Credentials,
    dialects::models,
    echo,
    errors::Problem,
    faults::Directive,
    playback::{Playback, Prepared},
    record::Seen,
    route::{Endpoint, Route, Surface},
    stats::Stats,
};

/// A larger request to a model is refused.
const BODY_BYTES_MAX: usize = 64 << 20;

/// What all connections share.
#[derive(Debug)]
pub struct Shared {
    pub answers: Answers,
    pub stats: Arc<Stats>,
    pub credentials: Credentials,
    /// `GET /sim/calls` shows the requests' bodies too.
    pub keeps_bodies: bool,
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
    let mut response = match Route::of(request.uri(), request.headers()) {
        Some(route) => ask(&shared, route, request).await?,
        None if matches!(request.uri().path(), "/sim/stats" | "/sim/calls") => {
            inspect(&shared, &request)
        }
        None => echo_back(&shared, request, peer).await?,
    };
    if head {
        response.body_mut().end_without_body();
    }
    Ok(response)
}

/// Answers what an API claims.
async fn ask(
    shared: &Shared,
    route: Route,
    request: Request<Incoming>,
) -> Result<Response<Playback>, hyper::Error> {
    let (parts, body) = request.into_parts();
    let number = shared.stats.next_number();
    if let Err(problem) = admit(shared, &route, &parts) {
        let (prepared, _) = problem_answer(&problem, &route, &Directive::default(), number);
        return Ok(hand_out(
            shared,
            route,
            (parts, None),
            (prepared.into(), number),
        ));
    }
    let (prepared, body) = match route.endpoint {
        Endpoint::Models | Endpoint::StoredResponse => {
            (Arc::new(look_up(shared, &route, &parts, number)), None)
        }
        _ => match read_whole(body).await? {
            Some(body) => (shared.answers.to(&route, &body, number), Some(body)),
            None => {
                let problem = Problem::TooLarge {
                    bytes_max: BODY_BYTES_MAX,
                };
                let (prepared, _) = problem_answer(&problem, &route, &Directive::default(), number);
                (Arc::new(prepared), None)
            }
        },
    };
    let first_byte = prepared.first_byte;
    let response = hand_out(shared, route, (parts, body), (prepared, number));
    if !first_byte.is_zero() {
        tokio::time::sleep(first_byte).await;
    }
    Ok(response)
}

/// What a provider refuses before it reads the body.
fn admit(shared: &Shared, route: &Route, parts: &Parts) -> Result<(), Problem> {
    shared.credentials.check(route, &parts.headers)?;
    let allowed = match route.endpoint {
        Endpoint::Models => matches!(parts.method, Method::GET | Method::HEAD),
        Endpoint::StoredResponse => {
            matches!(parts.method, Method::GET | Method::HEAD | Method::DELETE)
        }
        _ => parts.method == Method::POST,
    };
    if !allowed {
        return Err(Problem::MethodNotAllowed {
            method: parts.method.to_string(),
        });
    }
    if route.unversioned {
        return Err(Problem::NotFound {
            message: "Resource not found".into(),
            code: None,
        });
    }
    if route.surface == Surface::Anthropic && !parts.headers.contains_key("anthropic-version") {
        return Err(Problem::invalid("anthropic-version: header is required"));
    }
    Ok(())
}

/// What is answered without a model.
fn look_up(shared: &Shared, route: &Route, parts: &Parts, number: u64) -> Prepared {
    let found = match (route.endpoint, route.item.as_deref()) {
        (Endpoint::StoredResponse, Some(id)) if parts.method == Method::DELETE => {
            let forgotten = shared.answers.memory.forget(id);
            forgotten.map(|body| Prepared::json(StatusCode::OK, &body))
        }
        (Endpoint::StoredResponse, Some(id)) => {
            let kept = shared.answers.memory.get(id);
            kept.map(|body| Prepared::whole(StatusCode::OK, body))
        }
        _ => {
            let models = models::answer(route, &parts.uri);
            models.map(|body| Prepared::json(StatusCode::OK, &body))
        }
    };
    found.unwrap_or_else(|problem| problem_answer(&problem, route, &Directive::default(), number).0)
}

/// Counts the call in and begins its answer.
fn hand_out(
    shared: &Shared,
    route: Route,
    (parts, body): (Parts, Option<Bytes>),
    (prepared, number): (Arc<Prepared>, u64),
) -> Response<Playback> {
    let (endpoint, surface) = (route.endpoint, route.surface);
    let call = shared.stats.begin(endpoint, number, || {
        let mut seen = Seen::of(parts, Some(route));
        if let Some(body) = &body {
            seen = seen.asking(&prepared);
            if shared.keeps_bodies {
                seen.keep_body(body);
            }
        }
        seen
    });
    let call = call.handing_out(prepared.usage);
    let mut response = Playback::respond(prepared, Some(call));
    name_call(response.headers_mut(), surface, number);
    response
}

/// The call's id, in the header where the provider has it.
fn name_call(headers: &mut HeaderMap, surface: Surface, number: u64) {
    let name = match surface {
        Surface::OpenAi | Surface::Azure => "x-request-id",
        Surface::Anthropic => "request-id",
        // Google's answers have their id inside.
        Surface::Gemini => return,
    };
    let id = HeaderValue::try_from(request_id(number));
    headers.insert(name, id.expect("letters and digits make a header value"));
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

async fn echo_back(
    shared: &Shared,
    request: Request<Incoming>,
    peer: SocketAddr,
) -> Result<Response<Playback>, hyper::Error> {
    let (parts, body) = request.into_parts();
    let number = shared.stats.next_number();
    let call = shared
        .stats
        .begin(Endpoint::Echo, number, || Seen::of(parts.clone(), None));
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
        ref other => {
            let problem = Problem::MethodNotAllowed {
                method: other.to_string(),
            };
            let echo = Route::echo();
            let (prepared, _) = problem_answer(&problem, &echo, &Directive::default(), 0);
            Playback::respond(Arc::new(prepared), None)
        }
    }
}

fn respond(status: StatusCode, body: &Value) -> Response<Playback> {
    Playback::respond(Arc::new(Prepared::json(status, body)), None)
}
