//! The admin API's calls over any connector: one request, a bounded answer, typed.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use ferrogate_api::{
    ApiKey, ErrorBody, Event, ExplainRequest, Explanation, MeteringEvent, MeteringEventQuery, Page,
    RepriceReport, RepriceRequest, RequestLog, RequestLogDetail, RequestLogQuery, Status,
    UsageAggregate, UsageAggregateQuery,
};
use futures_util::stream;
use http::{HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::Connect},
    rt::{TokioExecutor, TokioTimer},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::timeout;

use crate::client::{
    AdminApi, AdminToken, Answer, Call, ClientError, EventStream,
    call::{self, Outgoing},
    query::query_string,
    sanitise,
    sse::{RawEvent, SseParser},
};

const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);
/// The gateway sends a `second` event every second: this much silence means that nobody is there any more.
const FEED_SILENCE_MAX: Duration = Duration::from_secs(15);
const ANSWER_BYTES_MAX: usize = 16 << 20;
const EVENT_BYTES_MAX: usize = 4 << 20;

/// The client over the connector `C`.
#[derive(Debug)]
pub struct AdminClient<C> {
    client: Client<C, Full<Bytes>>,
    base: String,
    authorization: Option<HeaderValue>,
    /// What messages call the gateway.
    target: String,
}

impl<C: Connect + Clone + Send + Sync + 'static> AdminClient<C> {
    pub(super) fn new(
        connector: C,
        base: &str,
        token: Option<&AdminToken>,
        target: String,
    ) -> Result<Self, ClientError> {
        let authorization = token
            .map(|token| {
                let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose()))
                    .map_err(|_| ClientError::Token)?;
                value.set_sensitive(true);
                Ok(value)
            })
            .transpose()?;
        Ok(Self {
            client: Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(Duration::from_secs(30))
                .build(connector),
            base: base.to_owned(),
            authorization,
            target,
        })
    }

    async fn list<Q: Serialize, T: DeserializeOwned>(
        &self,
        resource: &str,
        query: &Q,
    ) -> Result<T, ClientError> {
        let query = query_string(query).map_err(|source| ClientError::Decode {
            path: resource.to_owned(),
            source,
        })?;
        self.get(&format!("{resource}{query}")).await
    }

    async fn get<T: DeserializeOwned>(&self, resource: &str) -> Result<T, ClientError> {
        let asking = self.ask(Method::GET, resource, Bytes::new());
        within(ANSWER_TIME_MAX, asking).await
    }

    async fn post<B: Serialize, T: DeserializeOwned>(
        &self,
        resource: &str,
        body: &B,
    ) -> Result<T, ClientError> {
        within(ANSWER_TIME_MAX, self.post_patiently(resource, body)).await
    }

    /// Waits for as long as the gateway takes.
    async fn post_patiently<B: Serialize, T: DeserializeOwned>(
        &self,
        resource: &str,
        body: &B,
    ) -> Result<T, ClientError> {
        let body = serde_json::to_vec(body).map_err(|source| ClientError::Decode {
            path: resource.to_owned(),
            source,
        })?;
        self.ask(Method::POST, resource, body.into()).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        resource: &str,
        body: Bytes,
    ) -> Result<T, ClientError> {
        let response = self.send(method, resource, body).await?;
        let body = read_body(resource, response).await?;
        sanitise::from_json(&body).map_err(|source| ClientError::Decode {
            path: resource.to_owned(),
            source,
        })
    }

    async fn send(
        &self,
        method: Method,
        resource: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>, ClientError> {
        let outgoing = Outgoing {
            method,
            target: resource.to_owned(),
            headers: Vec::new(),
            body,
        };
        self.send_with_headers(&outgoing).await
    }

    /// Sends a request and returns the answer once its head is here and says success.
    async fn send_with_headers(
        &self,
        outgoing: &Outgoing,
    ) -> Result<Response<Incoming>, ClientError> {
        let mut request = Request::builder()
            .method(&outgoing.method)
            .uri(format!("{}/admin/v1/{}", self.base, outgoing.target))
            .header(header::CONTENT_TYPE, "application/json")
            .header(
                header::ACCEPT,
                "application/json, application/toml, text/event-stream",
            )
            .header(
                header::USER_AGENT,
                concat!("ferrogate-tui/", env!("CARGO_PKG_VERSION")),
            );
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        for (name, value) in &outgoing.headers {
            request = request.header(name, value);
        }
        let request = request
            .body(Full::new(outgoing.body.clone()))
            .map_err(|_| ClientError::Address {
                url: self.base.clone(),
            })?;
        let response =
            self.client
                .request(request)
                .await
                .map_err(|source| ClientError::Unreachable {
                    target: self.target.clone(),
                    source,
                })?;
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(refusal(&outgoing.target, response).await)
        }
    }

    async fn answer(&self, outgoing: &Outgoing) -> Result<Answer, ClientError> {
        let (head, body) = self.send_with_headers(outgoing).await?.into_parts();
        let response = Response::from_parts(head.clone(), body);
        let raw = read_body(&outgoing.target, response).await?;
        call::read(head.status, &head.headers, raw, &outgoing.target)
    }
}

#[async_trait]
impl<C: Connect + Clone + Send + Sync + 'static> AdminApi for AdminClient<C> {
    async fn status(&self) -> Result<Status, ClientError> {
        self.get("status").await
    }

    async fn request_logs(&self, query: &RequestLogQuery) -> Result<Page<RequestLog>, ClientError> {
        self.list("request-logs", query).await
    }

    async fn request_log(&self, id: &str) -> Result<RequestLogDetail, ClientError> {
        self.get(&format!("request-logs/{id}")).await
    }

    async fn explain(&self, request: &ExplainRequest) -> Result<Explanation, ClientError> {
        self.post("routes:explain", request).await
    }

    async fn reprice(&self, request: &RepriceRequest) -> Result<RepriceReport, ClientError> {
        self.post_patiently("ledger:reprice", request).await
    }

    async fn metering_events(
        &self,
        query: &MeteringEventQuery,
    ) -> Result<Page<MeteringEvent>, ClientError> {
        self.list("metering-events", query).await
    }

    async fn usage_aggregates(
        &self,
        query: &UsageAggregateQuery,
    ) -> Result<Page<UsageAggregate>, ClientError> {
        self.list("usage-aggregates", query).await
    }

    async fn api_keys(&self) -> Result<Page<ApiKey>, ClientError> {
        self.get("api-keys").await
    }

    async fn events(&self) -> Result<EventStream, ClientError> {
        let response = within(
            ANSWER_TIME_MAX,
            self.send(Method::GET, "events", Bytes::new()),
        )
        .await?;
        let feed = Feed {
            body: response.into_body(),
            parser: SseParser::new(EVENT_BYTES_MAX),
            waiting: Vec::new().into_iter(),
            broken: false,
        };
        Ok(Box::pin(stream::unfold(feed, |mut feed| async {
            if feed.broken {
                return None;
            }
            let next = feed.next().await;
            feed.broken = next.is_err();
            Some((next, feed))
        })))
    }

    async fn call(&self, call: Call<'_>) -> Result<Answer, ClientError> {
        let outgoing = Outgoing::of(&call)?;
        let answering = call::send_once_more(|| self.answer(&outgoing));
        if call.patient {
            answering.await
        } else {
            within(ANSWER_TIME_MAX, answering).await
        }
    }
}

struct Feed {
    body: Incoming,
    parser: SseParser,
    waiting: std::vec::IntoIter<RawEvent>,
    broken: bool,
}

impl Feed {
    async fn next(&mut self) -> Result<Event, ClientError> {
        loop {
            for raw in self.waiting.by_ref() {
                if let Some(event) = decode(&raw)? {
                    return Ok(event);
                }
            }
            let frame = timeout(FEED_SILENCE_MAX, self.body.frame())
                .await
                .map_err(|_| ClientError::FeedSilent {
                    limit: FEED_SILENCE_MAX,
                })?
                .ok_or(ClientError::FeedEnded)?
                .map_err(|source| ClientError::Body {
                    path: "events".to_owned(),
                    source: source.into(),
                })?;
            if let Ok(piece) = frame.into_data() {
                let mut events = Vec::new();
                self.parser.feed(&piece, &mut events)?;
                self.waiting = events.into_iter();
            }
        }
    }
}

/// The typed event; `None` for a kind that a newer gateway sends and this client does not know.
fn decode(raw: &RawEvent) -> Result<Option<Event>, ClientError> {
    let event = match raw.name.as_slice() {
        b"finished" => sanitise::from_json(&raw.data).map(Event::Finished),
        b"second" => sanitise::from_json(&raw.data).map(Event::Second),
        b"in_flight" => sanitise::from_json(&raw.data).map(Event::InFlight),
        b"budget_threshold" => sanitise::from_json(&raw.data).map(Event::BudgetThreshold),
        b"breaker_changed" => sanitise::from_json(&raw.data).map(Event::BreakerChanged),
        b"credential_changed" => sanitise::from_json(&raw.data).map(Event::CredentialChanged),
        b"audit" => sanitise::from_json(&raw.data).map(Event::Audit),
        b"log" => sanitise::from_json(&raw.data).map(Event::Log),
        b"config_revision" => sanitise::from_json(&raw.data).map(Event::ConfigRevision),
        b"alert" => sanitise::from_json(&raw.data).map(Event::Alert),
        b"skipped" => sanitise::from_json(&raw.data).map(Event::Skipped),
        _ => return Ok(None),
    };
    event.map(Some).map_err(|source| ClientError::Decode {
        path: "events".to_owned(),
        source,
    })
}

async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, ClientError> {
    timeout(limit, answer)
        .await
        .unwrap_or(Err(ClientError::TimedOut { limit }))
}

async fn read_body(resource: &str, response: Response<Incoming>) -> Result<Bytes, ClientError> {
    Limited::new(response.into_body(), ANSWER_BYTES_MAX)
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .map_err(|source| ClientError::Body {
            path: resource.to_owned(),
            source,
        })
}

async fn refusal(resource: &str, response: Response<Incoming>) -> ClientError {
    let status = response.status();
    let body = match read_body(resource, response).await {
        Ok(body) => body,
        Err(error) => return error,
    };
    match sanitise::from_json::<ErrorBody>(&body) {
        Ok(ErrorBody { error }) => ClientError::Refused {
            status,
            detail: Box::new(error),
        },
        Err(_) => ClientError::Foreign {
            path: format!("/admin/v1/{resource}"),
            status,
        },
    }
}
