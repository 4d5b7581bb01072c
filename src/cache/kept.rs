//! Answers beyond the process's end: handed to the store as they are kept, read back once before the first request.

use std::sync::Arc;

use super::answer::{Answer, FilledBy, header_lines, headers_of_lines};
use super::entries::Entry;
use super::identity::Identity;
use super::{Cache, Hash, Purge, count};
use crate::store::{AnswersOf, StoreError, StoredAnswer};

impl Cache {
    /// Reads back what is kept on the disk, the newest first, as much as there is room for. Called before the first
    /// request: a look-up then never waits for the disk. A file that cannot be read costs what is in it.
    pub async fn restore(&self) {
        let shared = &self.0;
        let Some(store) = shared.store.as_ref().filter(|_| shared.config.persist) else {
            return;
        };
        let bounds = (shared.config.max_records, shared.config.max_bytes);
        let kept = match store.cached_answers(bounds).await {
            Ok(kept) => kept,
            Err(error) => {
                tracing::warn!(error = ?error, "cached answers cannot be read; the cache begins empty");
                return;
            }
        };
        // The oldest first, as if they were kept once more in their order.
        let entries = kept
            .into_iter()
            .rev()
            .filter_map(|kept| entry(kept, shared.hash));
        let now = shared.clock.unix_ms();
        for entry in entries {
            self.with_inner(|inner, left| inner.entries.insert(entry, now, left));
        }
        tracing::debug!(entries = self.stats().entries, "cached answers are back");
    }

    /// Lets the entries go that `purge` takes, those on the disk too; says how many were in memory. What was asked for
    /// before is not kept any more.
    ///
    /// # Errors
    /// When the disk could not be cleared of them; memory is.
    pub async fn purge(&self, purge: &Purge) -> Result<u64, StoreError> {
        let purged = self.with_inner(|inner, left| {
            inner.purges += 1;
            inner.entries.purge(purge, left)
        });
        if let Some(store) = &self.0.store {
            // Also where nothing is kept now: what an earlier configuration kept may be asked for again.
            store.purge_cached_answers(answers_of(purge)).await?;
        }
        Ok(count(purged))
    }
}

fn answers_of(purge: &Purge) -> AnswersOf {
    match purge {
        Purge::All => AnswersOf::Everyone,
        Purge::Model(model) => AnswersOf::Model(Arc::clone(model)),
        Purge::Account(account) => AnswersOf::Account(account.clone()),
    }
}

pub(super) fn stored(entry: &Entry) -> StoredAnswer {
    let Answer {
        headers,
        body,
        stream,
        provider,
        provider_model,
        tokens,
        cost_nanos,
        created_at_unix_ms,
        filled_by,
    } = &*entry.answer;
    StoredAnswer {
        digest: entry.identity.digest,
        created_at_unix_ms: *created_at_unix_ms,
        expires_at_unix_ms: entry.expires_at_unix_ms,
        api_key_id: Arc::clone(&filled_by.api_key_id),
        tenant: filled_by.tenant.clone(),
        model: Arc::clone(&filled_by.model),
        provider: Arc::clone(provider),
        provider_model: Arc::clone(provider_model),
        stream: *stream,
        tokens: *tokens,
        cost_nanos: *cost_nanos,
        headers: header_lines(headers).into(),
        request: entry.identity.request.clone(),
        body: body.clone(),
    }
}

/// `None` for one whose identity is written in another way than now, which nothing would find.
fn entry(stored: StoredAnswer, hash: Hash) -> Option<Entry> {
    let candidate = (&*stored.provider, &*stored.provider_model);
    let identity = Identity::kept(stored.request, candidate, hash)?;
    Some(Entry {
        identity,
        expires_at_unix_ms: stored.expires_at_unix_ms,
        answer: Arc::new(Answer {
            headers: headers_of_lines(&stored.headers),
            body: stored.body,
            stream: stored.stream,
            provider: stored.provider,
            provider_model: stored.provider_model,
            tokens: stored.tokens,
            cost_nanos: stored.cost_nanos,
            created_at_unix_ms: stored.created_at_unix_ms,
            filled_by: FilledBy {
                model: stored.model,
                api_key_id: stored.api_key_id,
                tenant: stored.tenant,
            },
        }),
    })
}
