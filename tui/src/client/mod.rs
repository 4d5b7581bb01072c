//! The typed client of the admin API, over TCP (http, https) or the gateway's unix socket.
//!
//! Everything the gateway sends is untrusted text by origin (paths, model names, client ids come from whoever
//! called the gateway), so every string is cleaned here, at the boundary: see [`sanitise`]. The console, the
//! command line's twins and the benchmark share this client.

pub mod admin_client;
pub mod call;
pub mod error;
pub mod http;
pub mod query;
pub mod sanitise;
pub mod sse;
pub mod unix;

use std::{fmt, path::PathBuf, pin::Pin, sync::Arc};

use async_trait::async_trait;
use ferrogate_api::{
    ApiKey, Event, ExplainRequest, Explanation, MeteringEvent, MeteringEventQuery, Page,
    RepriceReport, RepriceRequest, RequestLog, RequestLogDetail, RequestLogQuery, Status,
    UsageAggregate, UsageAggregateQuery,
};
use futures_util::Stream;

pub use call::{Answer, Body, Call, segment};
pub use error::ClientError;

/// Where the gateway's admin API is.
#[derive(Debug, Clone)]
pub enum Target {
    /// The unix socket; the peer's user id is the credential.
    Socket(PathBuf),
    /// An `http://` or `https://` address, with the admin key where one is needed.
    Url {
        url: String,
        token: Option<AdminToken>,
    },
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "{}", path.display()),
            Self::Url { url, .. } => f.write_str(url.trim_end_matches('/')),
        }
    }
}

/// An admin key. `Debug` does not show it.
#[derive(Clone)]
pub struct AdminToken(String);

impl AdminToken {
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken(..)")
    }
}

/// The live feed; it ends with an error, never with `None` first.
pub type EventStream = Pin<Box<dyn Stream<Item = Result<Event, ClientError>> + Send>>;

/// What the admin API answers today.
#[async_trait]
pub trait AdminApi: Send + Sync {
    async fn status(&self) -> Result<Status, ClientError>;

    async fn request_logs(&self, query: &RequestLogQuery) -> Result<Page<RequestLog>, ClientError>;

    /// One request with its decision trace. `id` is taken as it is; [`ferrogate_api::RequestLog`] has it.
    async fn request_log(&self, id: &str) -> Result<RequestLogDetail, ClientError>;

    /// What would become of a request now.
    async fn explain(&self, request: &ExplainRequest) -> Result<Explanation, ClientError>;

    /// Reckons the ledger again with the prices in force now; it takes as long as it takes.
    async fn reprice(&self, request: &RepriceRequest) -> Result<RepriceReport, ClientError>;

    async fn metering_events(
        &self,
        query: &MeteringEventQuery,
    ) -> Result<Page<MeteringEvent>, ClientError>;

    async fn usage_aggregates(
        &self,
        query: &UsageAggregateQuery,
    ) -> Result<Page<UsageAggregate>, ClientError>;

    async fn api_keys(&self) -> Result<Page<ApiKey>, ClientError>;

    async fn events(&self) -> Result<EventStream, ClientError>;

    /// Any call. A write is never done twice, and a broken connection is tried again: see [`call`].
    async fn call(&self, call: Call<'_>) -> Result<Answer, ClientError>;
}

/// A client of the gateway at `target`. Nothing is sent yet.
pub fn connect(target: &Target) -> Result<Arc<dyn AdminApi>, ClientError> {
    Ok(match target {
        Target::Socket(path) => Arc::new(unix::client(path)?),
        Target::Url { url, token } => Arc::new(http::client(url, token.as_ref())?),
    })
}
