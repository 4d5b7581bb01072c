//! Telling a webhook: a POST of JSON, again with growing pauses where it could not be heard or was not taken.

use std::{io, sync::OnceLock, time::Duration};

use bytes::Bytes;
use ferrogate_api::{AlertDelivery, AlertEvent};
use http::{HeaderValue, Request, StatusCode, Uri, header, uri::Scheme};
use http_body_util::Full;
use hyper_util::client::legacy;

use crate::clock::Clock;
use crate::config::{Alerting, Webhook, WebhookAddress};
use crate::error::in_words;
use crate::outbound::{Dns, HttpClient, Roots};

/// Who tells webhooks.
#[derive(Debug)]
pub(super) struct Teller {
    dns: Dns,
    clock: Clock,
    /// Read when the first https address is to be told.
    roots: OnceLock<Roots>,
}

/// Why it was not told.
#[derive(Debug, thiserror::Error)]
enum Untold {
    #[error("the environment variable `{0}` holds no address that can be told")]
    Address(String),
    #[error("the environment variable `{0}` holds no token that can be sent")]
    Secret(String),
    #[error("its address cannot be asked")]
    Request(#[source] http::Error),
    #[error("the system's certificates could not be read")]
    Certificates(#[source] io::Error),
    #[error("it could not be reached")]
    Unreachable(#[source] legacy::Error),
    #[error("it did not answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    #[error("it answered with status {0}")]
    Status(StatusCode),
}

impl Teller {
    pub(super) fn new(dns: Dns, clock: Clock) -> Self {
        Self {
            dns,
            clock,
            roots: OnceLock::new(),
        }
    }

    /// Tries until it is told, and no more often than `retries_max` after the first time.
    pub(super) async fn tell(
        &self,
        webhook: &Webhook,
        event: &AlertEvent,
        (settings, retries_max): (&Alerting, u32),
    ) -> AlertDelivery {
        let body = Bytes::from(serde_json::to_vec(event).unwrap_or_default());
        let mut wait = settings.webhook_retry_backoff;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let told = self.tell_once(webhook, body.clone(), settings.webhook_timeout);
            let (status, error) = match told.await {
                Ok(status) => (Some(status), None),
                Err(error) => {
                    if attempts <= retries_max && error.may_pass() {
                        tokio::time::sleep(wait).await;
                        wait = wait.saturating_mul(2);
                        continue;
                    }
                    (error.status(), Some(in_words(&error)))
                }
            };
            return AlertDelivery {
                at_unix_ms: self.clock.unix_ms(),
                ok: error.is_none(),
                attempts,
                status: status.map(|status| status.as_u16()),
                error,
            };
        }
    }

    async fn tell_once(
        &self,
        webhook: &Webhook,
        body: Bytes,
        time_limit: Duration,
    ) -> Result<StatusCode, Untold> {
        let (url, request) = request(webhook, body)?;
        let roots = self.roots(&url).await?;
        // Alarms are rare: no connection is kept for the next one.
        let client = HttpClient::new(self.dns.clone(), &roots, 0);
        let answer = tokio::time::timeout(time_limit, client.send(request))
            .await
            .map_err(|_| Untold::TimedOut(time_limit))?
            .map_err(Untold::Unreachable)?;
        match answer.status() {
            status if status.is_success() => Ok(status),
            status => Err(Untold::Status(status)),
        }
    }

    async fn roots(&self, url: &Uri) -> Result<Roots, Untold> {
        if url.scheme() != Some(&Scheme::HTTPS) {
            return Ok(Roots::none());
        }
        if let Some(roots) = self.roots.get() {
            return Ok(roots.clone());
        }
        let read = tokio::task::spawn_blocking(Roots::of_system).await;
        let read = read.unwrap_or_else(|error| Err(io::Error::other(error)));
        let roots = read.map_err(Untold::Certificates)?;
        Ok(self.roots.get_or_init(|| roots).clone())
    }
}

fn request(webhook: &Webhook, body: Bytes) -> Result<(Uri, Request<Full<Bytes>>), Untold> {
    let url = match &webhook.address {
        WebhookAddress::Url(url) | WebhookAddress::Env { url: Some(url), .. } => url.clone(),
        WebhookAddress::Env {
            variable,
            url: None,
        } => return Err(Untold::Address(variable.clone())),
    };
    let mut request = Request::post(&url)
        .header(header::CONTENT_TYPE, "application/json")
        .header(
            header::USER_AGENT,
            concat!("ferrogate/", env!("CARGO_PKG_VERSION")),
        );
    if let Some(secret) = &webhook.secret {
        let unsendable = || Untold::Secret(secret.variable.clone());
        let token = secret.token.as_ref().ok_or_else(unsendable)?;
        let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose()))
            .map_err(|_| unsendable())?;
        value.set_sensitive(true);
        request = request.header(header::AUTHORIZATION, value);
    }
    let request = request.body(Full::new(body)).map_err(Untold::Request)?;
    Ok((url, request))
}

impl Untold {
    /// Whether it may be told when it is tried again.
    fn may_pass(&self) -> bool {
        match self {
            Self::Address(_) | Self::Secret(_) | Self::Request(_) => false,
            Self::Certificates(_) | Self::Unreachable(_) | Self::TimedOut(_) => true,
            Self::Status(status) => {
                status.is_server_error()
                    || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(status)
            }
        }
    }

    fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Status(status) => Some(*status),
            Self::Address(_)
            | Self::Secret(_)
            | Self::Request(_)
            | Self::Certificates(_)
            | Self::Unreachable(_)
            | Self::TimedOut(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let check = |status: u16, expected: bool| {
            let untold = Untold::Status(StatusCode::from_u16(status).unwrap());
            assert_eq!(untold.may_pass(), expected, "{status}");
        };
        check(500, true);
        check(503, true);
        check(429, true);
        check(408, true);
        check(302, false);
        check(401, false);
        check(404, false);
        assert!(Untold::TimedOut(Duration::ZERO).may_pass());
        assert!(!Untold::Secret(String::new()).may_pass());
    }
}
