//! A call about something that a provider keeps: no model is asked, so nothing is metered and nothing is tried twice.

use bytes::Bytes;
use tokio::time::Instant;

use super::failure::{shutting_down, unheard};
use super::headers::retry_after;
use super::whole::collect;
use crate::ai::client::Client;
use crate::ai::dialects::{Dialect, read_error};
use crate::ai::upstream::Call;
use crate::ai::{Ai, Exchange};
use crate::error::{ErrorKind, RequestError};

/// Sends `call` and reads its answer whole.
///
/// # Errors
/// The provider's own refusal, or why it could not be heard.
pub(in crate::ai) async fn fetch<C: Client>(
    ai: &Ai,
    call: &Call<'_>,
    exchange: &mut Exchange<'_, C>,
) -> Result<(u16, Bytes), RequestError> {
    let name = &call.provider.name;
    let began = Instant::now();
    let work = async {
        let mut answer = ai
            .upstream
            .send(call, || {})
            .await
            .map_err(|error| unheard(name, &error).error)?;
        let (status, wait) = (answer.status(), answer.headers().and_then(retry_after));
        let max = ai.limits().provider_response_body_max_bytes;
        let body = collect(&mut answer, max)
            .await
            .map_err(|failure| failure.error)?;
        answer.release().await;
        if status >= 400 {
            return Err(read_error(Dialect::Responses, name, (status, &body), wait));
        }
        Ok((status, body))
    };
    let limit = ai.limits().provider_dispatch_timeout;
    let fetched = tokio::select! {
        fetched = work => fetched,
        () = exchange.client.gone() => Err(RequestError::client_gone()),
        () = ai.cut.cancelled() => Err(shutting_down()),
        () = tokio::time::sleep(limit) => Err(RequestError::new(
            ErrorKind::ProviderTimeout,
            format!("Provider `{name}` did not answer within {} s.", limit.as_secs()),
        )),
    };
    exchange.recording.waited(began.elapsed());
    fetched
}
