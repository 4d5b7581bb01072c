//! What happens to a request when its headers are here: protocol checks, routing, and every answer that needs no
//! upstream of a plain route.

use std::{borrow::Cow, collections::HashMap, sync::Arc, time::Duration};

use ferrogate_api::Phase;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use pingora::proxy::Session;
use serde_json::json;

use crate::ai::request::Asked;
use crate::ai::{Exchange, Keeping, model_list};
use crate::config::Scope;
use crate::error::{ErrorKind, RequestError};
use crate::gateway::Snapshot;
use crate::governance::Key;
use crate::live::KillSwitch;
use crate::metering::{Recording, Start, request_killed};
use crate::observability::client_request_id;
use crate::routes::{Endpoint, Route, Target};

use super::client::SessionClient;
use super::context::{Identity, PlainRequest, RequestContext};
use super::guard::{self, BodyPace, check_header_size};
use super::respond::{self, Answer};
use super::upstream::{Attempts, into_pingora};
use super::{Proxy, bridge, rewrite};

/// Of a path, what the request log keeps.
const LOGGED_PATH_CHARS_MAX: usize = 1024;
/// How long a request that is killed may take to end in order, with its dialect's error, before it is given up: its
/// client may not be reading.
const KILL_GRACE: Duration = Duration::from_secs(1);

impl Proxy {
    /// Answers the request, or says `false` where it goes on to a plain route's upstream.
    pub(super) async fn receive(
        &self,
        session: &mut Session,
        context: &mut RequestContext,
    ) -> pingora::Result<bool> {
        let snapshot = self.gateway.snapshot();
        let identity = Identity::of(session, &self.gateway.clock, &snapshot.config.limits);
        let found = find(session, &snapshot);
        if let Some(endpoint) = self.labels.endpoint(found.as_ref().ok()) {
            context.recording = Some(self.open_recording(session, &identity, endpoint, context));
        }
        let mut receiving = Receiving {
            proxy: self,
            snapshot,
            session,
            context,
            identity,
            headers: HeaderMap::new(),
        };
        let answered = match found {
            Ok(target) => receiving.answer_unless_killed(target).await,
            Err(error) => Err(error),
        };
        let next = match answered {
            Ok(next) => next,
            Err(error) => receiving.refuse(&error).await?,
        };
        let Receiving {
            context, identity, ..
        } = receiving;
        context.identity = Some(identity);
        Ok(matches!(next, Next::Answered))
    }

    fn open_recording(
        &self,
        session: &Session,
        identity: &Identity,
        endpoint: Arc<str>,
        context: &RequestContext,
    ) -> Recording {
        let request = session.req_header();
        let path = request.uri.path();
        let start = Start {
            request_id: identity.request_id,
            client_request_id: client_request_id(&request.headers).map(str::to_owned),
            trace_id: identity.trace_id.clone(),
            method: self.labels.method(&request.method),
            path: path.chars().take(LOGGED_PATH_CHARS_MAX).collect(),
            endpoint,
            client_address: identity.client.map(|address| address.to_string()),
        };
        self.gateway.meter.open(start, context.started)
    }

    fn readiness(&self) -> Answer {
        let draining = self.gateway.drain.draining();
        let readiness = self.gateway.readiness();
        let (status, word) = if readiness.ready {
            (StatusCode::OK, "ready")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "not_ready")
        };
        Answer::json(
            status,
            &json!({
                "status": word,
                "reason": readiness.reason,
                "stale": readiness.stale,
                "service": "ferrogate",
                "version": VERSION,
                "draining": draining,
            }),
        )
    }
}

/// One request between its headers and its answer.
struct Receiving<'r> {
    proxy: &'r Proxy,
    snapshot: Arc<Snapshot>,
    session: &'r mut Session,
    context: &'r mut RequestContext,
    identity: Identity,
    /// What an answer carries besides the usual.
    headers: HeaderMap,
}

impl Receiving<'_> {
    /// An operator may end the request meanwhile. What has begun to be answered ends in order, if it does so in time.
    async fn answer_unless_killed(&mut self, target: Target) -> Result<Next, RequestError> {
        let recording = self.context.recording.as_ref();
        let Some(kill_switch) = recording.map(|recording| recording.kill_switch().clone()) else {
            return self.answer(target).await;
        };
        tokio::select! { biased;
            answered = self.answer(target) => answered,
            () = given_up(&kill_switch) => Err(request_killed()),
        }
    }

    async fn answer(&mut self, target: Target) -> Result<Next, RequestError> {
        match target {
            Target::Health => self.send(Answer::json(StatusCode::OK, &health())).await,
            Target::Ready => self.send(self.proxy.readiness()).await,
            Target::Models => {
                let key = self.authenticate().await?;
                key.require(Scope::ModelsRead)?;
                let catalog = &self.snapshot.rules.catalog;
                let list = model_list::page(catalog, &key, self.identity.surface);
                self.send(Answer::json(StatusCode::OK, &list)).await
            }
            Target::Model(name) => {
                let key = self.authenticate().await?;
                key.require(Scope::ModelsRead)?;
                let model = self.snapshot.rules.catalog.model_for(&key, &name)?;
                let view = model_list::entry(model, self.identity.surface);
                self.send(Answer::json(StatusCode::OK, &view)).await
            }
            Target::Ai(endpoint) => self.ask_ai(endpoint, None).await,
            Target::AiModel(model, endpoint) => self.ask_ai(endpoint, Some(&model)).await,
            Target::StoredResponse(id) => self.ask_stored_response(&id).await,
            // Boxed: the admin router is large, and its room would be set aside in every request.
            Target::Admin => Box::pin(self.ask_admin()).await,
            Target::Route(route) => self.hand_over(route).await,
        }
    }

    async fn ask_ai(
        &mut self,
        endpoint: Endpoint,
        model: Option<&str>,
    ) -> Result<Next, RequestError> {
        if self.proxy.gateway.drain.refuses() {
            return Err(RequestError::new(
                ErrorKind::NodeDraining,
                "An operator took this gateway out of service; another attempt may reach another one.",
            ));
        }
        // Of use where the path names the model, as Gemini's do; the others pay nothing for it.
        let query = model
            .and_then(|_| self.session.req_header().uri.query())
            .map(str::to_owned);
        let asked = Asked {
            endpoint,
            model,
            query: query.as_deref(),
        };
        let limits = &self.snapshot.config.limits;
        let mut client = SessionClient::new(self.session, limits, &self.identity);
        let mut exchange = Exchange {
            traceparent: self.identity.trace.child_header(),
            client: &mut client,
            recording: recording(self.context)?,
            answer_headers: HeaderMap::new(),
            keeping: Keeping::default(),
        };
        let ai = &self.proxy.gateway.ai;
        let answered = ai.handle(&self.snapshot.rules, &asked, &mut exchange).await;
        self.headers = std::mem::take(&mut exchange.answer_headers);
        let bodies = exchange.keeping.bodies();
        let (status, bytes) = (client.status_sent, client.bytes_sent);
        let recording = recording(self.context)?;
        if let Some(bodies) = bodies {
            recording.keep_bodies(bodies);
        }
        let log = &mut recording.log;
        log.response_bytes = bytes;
        if let Some(status) = status {
            log.status = status;
        }
        answered.map(|()| Next::Answered)
    }

    async fn ask_stored_response(&mut self, id: &str) -> Result<Next, RequestError> {
        let method = self.session.req_header().method.clone();
        let limits = &self.snapshot.config.limits;
        let mut client = SessionClient::new(self.session, limits, &self.identity);
        let mut exchange = Exchange {
            traceparent: self.identity.trace.child_header(),
            client: &mut client,
            recording: recording(self.context)?,
            answer_headers: HeaderMap::new(),
            keeping: Keeping::default(),
        };
        let ai = &self.proxy.gateway.ai;
        let answered = ai
            .stored_response(&self.snapshot.rules, (&method, id), &mut exchange)
            .await;
        self.headers = std::mem::take(&mut exchange.answer_headers);
        let answer = answered?;
        self.send(Answer::json_bytes(answer.status, answer.body))
            .await
    }

    async fn ask_admin(&mut self) -> Result<Next, RequestError> {
        let Some(router) = &self.proxy.admin else {
            return Err(RequestError::new(
                ErrorKind::RouteNotFound,
                "The admin API is not served on this listener.",
            ));
        };
        let limits = &self.snapshot.config.limits;
        let body_max_bytes = self.snapshot.config.admin.body_max_bytes;
        let client = SessionClient::new(self.session, limits, &self.identity);
        bridge::serve(client, router, body_max_bytes).await?;
        Ok(Next::Answered)
    }

    /// Prepares a plain request for its upstream: the key where one is needed, the announced size of its body.
    async fn hand_over(&mut self, route: Arc<Route>) -> Result<Next, RequestError> {
        let path = rewrite::request_path(self.session.req_header())?.into_owned();
        if route.needs_key(&path) {
            self.authenticate().await?;
        }
        let max = self.snapshot.config.limits.proxy_request_body_max_bytes;
        let announced = self
            .session
            .get_header(header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if announced.is_some_and(|bytes| bytes > max) {
            return Err(super::plain::body_too_large(max));
        }
        let recording = recording(self.context)?;
        recording.phase(Phase::Waiting);
        if let Some(stream) = self.session.downstream_session.stream() {
            guard::set_kill_switch(stream, Some(recording.kill_switch().clone()));
        }
        self.context.plain = Some(PlainRequest {
            snapshot: Arc::clone(&self.snapshot),
            attempts: Attempts::new(Arc::clone(&route.pool)),
            route,
            path,
            pace: BodyPace::streamed(),
            handed_over: None,
        });
        Ok(Next::Upstream)
    }

    async fn authenticate(&mut self) -> Result<Arc<Key>, RequestError> {
        let request = self.session.req_header();
        let ai = &self.proxy.gateway.ai;
        ai.authenticate(
            &self.snapshot.rules,
            (&request.headers, request.uri.query()),
            recording(self.context)?,
        )
        .await
    }

    async fn send(&mut self, answer: Answer) -> Result<Next, RequestError> {
        if let Some(recording) = &mut self.context.recording {
            recording.log.status = answer.status.as_u16();
            recording.log.response_bytes = u64::try_from(answer.body.len()).unwrap_or_default();
        }
        let extra = take_headers(&mut self.headers);
        respond::write(self.session, answer, &self.identity.meta(&extra))
            .await
            .map_err(|_| RequestError::client_gone())?;
        Ok(Next::Answered)
    }

    /// Answers with `error` and notes it in the record.
    async fn refuse(&mut self, error: &RequestError) -> pingora::Result<Next> {
        if error.kind == ErrorKind::RequestKilled
            && let Some(status) = respond::status_sent(self.session)
        {
            // Half an answer has no proper end: its connection breaks off.
            if let Some(recording) = &mut self.context.recording {
                recording.log.status = status.as_u16();
            }
            return Err(into_pingora(error.clone()));
        }
        if let Some(recording) = &mut self.context.recording {
            recording.failed(error);
            recording.log.status = error.status();
        }
        let extra = take_headers(&mut self.headers);
        respond::write_error(self.session, error, &self.identity.meta(&extra)).await?;
        Ok(Next::Answered)
    }
}

/// Resolves when a request that is killed need not be waited for.
async fn given_up(kill_switch: &KillSwitch) {
    kill_switch.killed().await;
    if kill_switch.phase() != Phase::Receiving {
        tokio::time::sleep(KILL_GRACE).await;
    }
}

fn take_headers(headers: &mut HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
    std::mem::take(headers)
        .into_iter()
        .filter_map(|(name, value)| Some((name?, value)))
        .collect()
}

/// What comes after `request_filter`.
enum Next {
    Answered,
    Upstream,
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn health() -> serde_json::Value {
    json!({"status": "ok", "service": "ferrogate", "version": VERSION, "runtime": "pingora"})
}

/// Checks what HTTP asks of a request and finds out who answers it.
fn find(session: &Session, snapshot: &Snapshot) -> Result<Target, RequestError> {
    let request = session.req_header();
    check_header_size(request, &snapshot.config.limits)?;
    let host = match request.headers.get(header::HOST) {
        Some(host) => host.to_str().ok().map(Cow::Borrowed),
        None => request
            .uri
            .authority()
            .map(|authority| Cow::Borrowed(authority.as_str())),
    };
    let host = host.filter(|host| !host.is_empty()).ok_or_else(|| {
        RequestError::new(
            ErrorKind::HostRequired,
            "The request names no host. Send a `Host` header.",
        )
    })?;
    if request.method == Method::TRACE {
        return Err(RequestError::new(
            ErrorKind::MethodNotAllowed,
            "TRACE is not answered: it would send back what the request's own headers keep secret.",
        ));
    }
    let path = rewrite::request_path(request)?;
    snapshot
        .routes
        .find(&request.method, &host, &path, &request.headers)
}

fn recording(context: &mut RequestContext) -> Result<&mut Recording, RequestError> {
    context.recording.as_mut().ok_or_else(|| {
        RequestError::new(
            ErrorKind::InternalError,
            "A request without a record cannot be answered. Report it with the request id.",
        )
    })
}

/// Names that are the same for many requests, allocated once.
pub(super) struct Labels {
    methods: HashMap<Method, Arc<str>>,
    other_method: Arc<str>,
    endpoints: HashMap<Endpoint, Arc<str>>,
    stored_responses: Arc<str>,
    models: Arc<str>,
    unmatched: Arc<str>,
}

impl Default for Labels {
    fn default() -> Self {
        let known = [
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
            Method::OPTIONS,
        ];
        Self {
            methods: known
                .into_iter()
                .map(|method| (method.clone(), method.as_str().into()))
                .collect(),
            other_method: "OTHER".into(),
            endpoints: Endpoint::ALL
                .into_iter()
                .map(|endpoint| (endpoint, endpoint.as_str().into()))
                .collect(),
            stored_responses: "responses.stored".into(),
            models: "models".into(),
            unmatched: "unmatched".into(),
        }
    }
}

impl Labels {
    fn method(&self, method: &Method) -> Arc<str> {
        Arc::clone(self.methods.get(method).unwrap_or(&self.other_method))
    }

    /// What the record calls the endpoint; `None` for what is not recorded.
    fn endpoint(&self, target: Option<&Target>) -> Option<Arc<str>> {
        let name = match target {
            Some(Target::Health | Target::Ready | Target::Admin) => return None,
            Some(Target::Ai(endpoint) | Target::AiModel(_, endpoint)) => {
                self.endpoints.get(endpoint).unwrap_or(&self.unmatched)
            }
            Some(Target::StoredResponse(_)) => &self.stored_responses,
            Some(Target::Models | Target::Model(_)) => &self.models,
            Some(Target::Route(route)) => return Some(format!("route:{}", route.name).into()),
            None => &self.unmatched,
        };
        Some(Arc::clone(name))
    }
}
