//! Asks the service over HTTP/1.1: one question, a bounded answer, again where it could not be heard.

use std::{io, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header, uri::Scheme};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy;
use serde::de::DeserializeOwned;

use crate::config;
use crate::outbound::{Dns, HttpClient, Roots};

/// Above this, a connection is closed after its answer.
const IDLE_CONNECTIONS_MAX: usize = 32;

/// The service of one configuration.
#[derive(Debug)]
pub(super) struct Client {
    client: HttpClient,
    /// Without a slash at its end.
    base: String,
    authorization: Option<HeaderValue>,
    timeout: Duration,
    max_retries: u32,
    retry_backoff: Duration,
    answer_max_bytes: usize,
}

/// What the service said, whole.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    body: Bytes,
}

/// Why a service cannot be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum AuthServiceError {
    #[error(
        "the system's certificates could not be read, which `auth_service.endpoint` needs for https"
    )]
    Certificates(#[source] io::Error),
    #[error("the token of `auth_service.token_env` cannot be sent in a header")]
    Token,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unanswered {
    #[error("it could not be reached")]
    Unreachable(#[source] legacy::Error),
    #[error("it did not answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    #[error("its answer broke off, or was too long")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("it answered with status {0}")]
    Status(StatusCode),
    /// Only where, since what stands there is not for a log.
    #[error("its answer was not what was asked for: see line {line}, column {column}")]
    Unreadable { line: usize, column: usize },
    #[error("its address cannot be asked")]
    Address(#[source] http::Error),
}

impl Client {
    /// `None` where nothing is to be asked.
    pub(super) fn new(
        settings: &config::AuthService,
        dns: Dns,
    ) -> Result<Option<Self>, AuthServiceError> {
        let Some(endpoint) = settings.endpoint.as_ref().filter(|_| settings.enabled) else {
            return Ok(None);
        };
        let authorization = settings
            .token
            .as_ref()
            .map(|token| {
                let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose()))
                    .map_err(|_| AuthServiceError::Token)?;
                value.set_sensitive(true);
                Ok(value)
            })
            .transpose()?;
        let roots = match endpoint.scheme() == Some(&Scheme::HTTPS) {
            true => Roots::of_system().map_err(AuthServiceError::Certificates)?,
            false => Roots::none(),
        };
        Ok(Some(Self {
            client: HttpClient::new(dns, &roots, IDLE_CONNECTIONS_MAX),
            base: endpoint.to_string().trim_end_matches('/').to_owned(),
            authorization,
            timeout: settings.timeout,
            max_retries: settings.max_retries,
            retry_backoff: settings.retry_backoff,
            answer_max_bytes: settings.response_max_bytes,
        }))
    }

    /// Asks until there is an answer that is not the service's own failure, and no more often than is allowed. Questions
    /// change nothing, so that asking again does no harm.
    pub(super) async fn ask(&self, path: &str, body: Bytes) -> Result<Answer, Unanswered> {
        let mut wait = self.retry_backoff;
        for _ in 0..self.max_retries {
            match self.ask_once(path, body.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(error) => tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    path,
                    "the authorization service is asked again"
                ),
            }
            tokio::time::sleep(wait).await;
            wait = wait.saturating_mul(2);
        }
        self.ask_once(path, body).await
    }

    async fn ask_once(&self, path: &str, body: Bytes) -> Result<Answer, Unanswered> {
        let answer = tokio::time::timeout(self.timeout, self.exchange(path, body))
            .await
            .map_err(|_| Unanswered::TimedOut(self.timeout))??;
        if answer.status.is_server_error() {
            return Err(Unanswered::Status(answer.status));
        }
        Ok(answer)
    }

    async fn exchange(&self, path: &str, body: Bytes) -> Result<Answer, Unanswered> {
        let mut request = Request::post(format!("{}{path}", self.base))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .header(
                header::USER_AGENT,
                concat!("ferrogate/", env!("CARGO_PKG_VERSION")),
            );
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let request = request.body(Full::new(body)).map_err(Unanswered::Address)?;
        let sent = self.client.send(request).await;
        let response = sent.map_err(Unanswered::Unreachable)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), self.answer_max_bytes)
            .collect()
            .await
            .map_err(Unanswered::Body)?
            .to_bytes();
        Ok(Answer { status, body })
    }
}

impl Answer {
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, Unanswered> {
        serde_json::from_slice(&self.body).map_err(|error| Unanswered::Unreadable {
            line: error.line(),
            column: error.column(),
        })
    }
}
