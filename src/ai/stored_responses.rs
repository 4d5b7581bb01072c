//! `GET` and `DELETE /v1/responses/{id}`: responses that are kept, by the gateway or by the provider that made them.
//!
//! A key finds its own alone. One that a provider keeps is asked for there, with the gateway's credential, so that no
//! key can read what another key's requests left with a shared account.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::json;

use super::admission::REQUEST_ALONE;
use super::client::Client;
use super::dialects::Dialect;
use super::dispatch::fetch;
use super::memory::unreadable;
use super::providers::Provider;
use super::upstream::Call;
use super::{Ai, Exchange, Rules};
use crate::config::Scope;
use crate::error::{ErrorKind, RequestError};
use crate::store::StoredResponse;

/// A whole answer, ready to be sent.
#[derive(Debug)]
pub struct StoredAnswer {
    pub status: StatusCode,
    pub body: Bytes,
}

impl Ai {
    /// Shows or deletes the response `id`.
    ///
    /// # Errors
    /// What stands against the key; `resource_not_found`; the provider's own error where it keeps the response.
    pub async fn stored_response<C: Client>(
        &self,
        rules: &Rules,
        (method, id): (&Method, &str),
        exchange: &mut Exchange<'_, C>,
    ) -> Result<StoredAnswer, RequestError> {
        let Exchange {
            client, recording, ..
        } = exchange;
        let asks = (client.headers(), client.query());
        let key = self.authenticate(rules, asks, recording).await?;
        key.require(Scope::ResponsesCreate)?;
        let _counted = self.admit(&key, REQUEST_ALONE, exchange).await?;
        let kept = self
            .store
            .response(key.id(), id)
            .await
            .map_err(unreadable)?
            .ok_or_else(not_found)?;
        exchange.recording.set_model(&kept.model);
        let deletes = method == Method::DELETE;
        let answer = match &kept.provider {
            Some(name) => {
                let provider = rules.catalog.provider(name).ok_or_else(not_found)?;
                self.ask_keeper(provider, (method, &kept), exchange).await?
            }
            None if deletes => StoredAnswer {
                status: StatusCode::OK,
                body: json!({"id": id, "object": "response", "deleted": true})
                    .to_string()
                    .into(),
            },
            None => StoredAnswer {
                status: StatusCode::OK,
                body: kept.answer.clone(),
            },
        };
        if deletes && answer.status.is_success() {
            self.store
                .delete_response(key.id(), id)
                .await
                .map_err(unreadable)?;
        }
        Ok(answer)
    }

    /// Passes the request on to the provider that keeps the response.
    async fn ask_keeper<C: Client>(
        &self,
        provider: &Arc<Provider>,
        (method, kept): (&Method, &StoredResponse),
        exchange: &mut Exchange<'_, C>,
    ) -> Result<StoredAnswer, RequestError> {
        exchange.recording.set_target(&kept.model, &provider.name);
        // Dropped unsettled: what is asked here says nothing about how its models answer.
        let pass = self
            .health
            .enter(provider, &provider.name, self.clock.unix_ms())?;
        let mut headers = HeaderMap::with_capacity(6);
        provider.headers(Dialect::Responses, pass.credential(), &mut headers);
        headers.insert(
            header::ACCEPT_ENCODING,
            HeaderValue::from_static("identity"),
        );
        let call = Call {
            provider,
            method: if method == Method::HEAD {
                Method::GET
            } else {
                method.clone()
            },
            path: provider.response_target(&kept.id),
            headers: &headers,
            body: Bytes::new(),
        };
        let (status, body) = fetch(self, &call, exchange).await?;
        Ok(StoredAnswer {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY),
            body,
        })
    }
}

fn not_found() -> RequestError {
    RequestError::new(
        ErrorKind::ResourceNotFound,
        "This key has no such response: it was not stored, has been deleted, or is past its retention.",
    )
}
