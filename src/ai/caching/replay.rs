//! An answer that is given once more: the same bytes, and a head that says where they came from.

use std::sync::Arc;

use ferrogate_api::{CacheStatus, Outcome, Phase};

use super::note;
use crate::ai::client::{Client, ClientGone};
use crate::ai::{Ai, Exchange};
use crate::cache::Answer;
use crate::error::RequestError;
use crate::metering::request_killed;

impl Ai {
    /// Sends a cached answer. It is a request like any other in the log and the ledger, but for what it used: nothing.
    ///
    /// # Errors
    /// `ledger_unavailable` where the ledger comes before the answer and could not be written; `request_killed`.
    pub(in crate::ai) async fn answer_cached<C: Client>(
        &self,
        answer: &Answer,
        exchange: &mut Exchange<'_, C>,
    ) -> Result<(), RequestError> {
        if !exchange.recording.decide() {
            return Err(request_killed());
        }
        note(CacheStatus::Hit, exchange);
        let recording = &mut *exchange.recording;
        recording.phase(Phase::Answering);
        if let Some(model) = recording.log.model.clone() {
            recording.set_target(&model, &answer.provider);
        }
        recording.log.provider_model = Some(Arc::clone(&answer.provider_model));
        recording.settle_hit(200, answer.cost_nanos);
        recording.commit().await?;
        recording.first_content();
        let headers = exchange.head_of(answer.headers(self.clock.unix_ms()));
        let length = (!answer.stream).then_some(answer.body.len());
        exchange.keeping.take(&answer.body);
        // A stream too in one go: its events are all there.
        let sent = match exchange.client.send_head(200, headers, length).await {
            Ok(()) => exchange.client.send(answer.body.clone(), true).await,
            gone => gone,
        };
        if sent == Err(ClientGone) {
            exchange.recording.log.outcome = Outcome::ClientGone;
        }
        Ok(())
    }
}
