//! The right to keep one answer, held from the look-up that found none until the answer is whole.

use std::sync::Arc;

use super::Cache;
use super::answer::{Answer, FilledBy, Fresh};
use super::entries::Entry;
use super::flights::Lead;
use super::identity::{Identity, RequestIdentity};

/// Dropped without an answer, it tells those who wait for one to ask themselves.
#[derive(Debug)]
pub struct Ticket {
    pub(super) cache: Cache,
    pub(super) request: RequestIdentity,
    pub(super) ttl_ms: i64,
    pub(super) age_max_ms: i64,
    pub(super) filled_by: FilledBy,
    /// How many purges there had been.
    pub(super) purges: u64,
    pub(super) lead: Option<Lead>,
}

impl Ticket {
    /// A body of more bytes will not be kept.
    pub fn body_bytes_max(&self) -> usize {
        let entry_bytes = super::bound(self.cache.0.config.max_entry_bytes);
        entry_bytes.saturating_sub(self.request.bytes.len())
    }

    /// Keeps an answer and wakes those who wait for it. Not kept is what is too large, and what was asked for before a
    /// purge.
    pub fn keep(self, fresh: Fresh<'_>) {
        let Self {
            cache,
            request,
            ttl_ms,
            age_max_ms: _,
            filled_by,
            purges,
            lead,
        } = self;
        let shared = &cache.0;
        let candidate = (&**fresh.provider, &**fresh.provider_model);
        let identity = Identity::new(&request, candidate, shared.hash);
        let now = shared.clock.unix_ms();
        let entry = Entry {
            identity,
            answer: Arc::new(Answer::new(fresh, filled_by, now)),
            expires_at_unix_ms: now.saturating_add(ttl_ms),
        };
        let kept = shared.config.persist.then(|| super::kept::stored(&entry));
        cache.with_inner(|inner, left| {
            if inner.purges == purges
                && inner.entries.insert(entry, now, left)
                && let (Some(store), Some(kept)) = (&shared.store, kept)
            {
                // Under the lock, so that a purge either prevents it or comes after it. It never waits.
                store.keep_cached_answer(kept);
            }
        });
        drop(lead);
    }
}
