//! Cached answers on their way to `state.db`. The response cache has them in memory; here they only wait to be written.
//! A purge goes the way of a deletion, in steps: there may be many.

use std::{future::Future, mem, sync::Arc};

use tokio::sync::oneshot;

use super::{State, limits::Lifetime, memory::Entry};
use crate::store::{
    Store, StoreError,
    cached_answers::{self, AnswersOf, StoredAnswer},
};

/// Answers to delete, and who waits for it.
#[derive(Debug)]
pub(super) struct AnswerPurge {
    pub(super) answers: AnswersOf,
    pub(super) reply: oneshot::Sender<Result<u64, StoreError>>,
}

impl State {
    /// Takes answers out of memory and asks the writer to delete the others.
    fn purge_answers(
        &self,
        answers: AnswersOf,
    ) -> Result<oneshot::Receiver<Result<u64, StoreError>>, StoreError> {
        self.memory.remove_answers(&answers);
        let (reply, done) = oneshot::channel();
        match &mut *self.purges.lock() {
            Some(purges) => purges.push(AnswerPurge { answers, reply }),
            None => return Err(StoreError::Closed),
        }
        self.queue.nudge(true);
        Ok(done)
    }

    pub(super) fn take_purges(&self) -> Vec<AnswerPurge> {
        self.purges
            .lock()
            .as_mut()
            .map(mem::take)
            .unwrap_or_default()
    }
}

/// Cached answers.
impl Store {
    /// Keeps an answer until its time is over, in place of one with the same digest. Never waits; one that is larger than
    /// `[storage] state_entry_max_bytes` is not kept.
    pub fn keep_cached_answer(&self, answer: StoredAnswer) {
        let state = &self.0.state;
        let lifetime = Lifetime {
            ms: answer
                .expires_at_unix_ms
                .saturating_sub(answer.created_at_unix_ms),
            on_disk: true,
        };
        let answer = Arc::new(answer);
        let entry = Entry::Answer(Arc::clone(&answer));
        state.keep(&answer.api_key_id, entry, lifetime);
    }

    /// Deletes answers: what was kept before this is called is gone, what is kept after it stays. The future waits for
    /// the commit and says how many were on the disk.
    ///
    /// # Errors
    /// When the commit failed, or the store is closed: then they may still be on the disk.
    pub fn purge_cached_answers(
        &self,
        answers: AnswersOf,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send + use<> {
        let asked = self.0.state.purge_answers(answers);
        async move { asked?.await.unwrap_or(Err(StoreError::Closed)) }
    }

    /// The answers on the disk whose time is not over, the newest first: at most so many, and no more once they have so
    /// many bytes. What waits to be written is not among them.
    ///
    /// # Errors
    /// When `state.db` cannot be read.
    pub async fn cached_answers(
        &self,
        bounds: (u64, u64),
    ) -> Result<Vec<StoredAnswer>, StoreError> {
        let state = &self.0.state;
        let now = state.clock.unix_ms();
        state
            .read("cached answers", move |connection| {
                cached_answers::newest(connection, now, bounds)
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rusqlite::{Connection, OpenFlags};
    use tempfile::TempDir;

    use super::super::STATE_FILE;
    use super::*;
    use crate::clock::Clock;
    use crate::config;
    use crate::store::cached_answers::tests::answer;

    const BOUNDS: (u64, u64) = (u64::MAX, u64::MAX);

    fn open(directory: &Path) -> Store {
        let text = format!("[storage]\npath = {directory:?}");
        let loaded = config::parse(&text, "test.toml", &|_| None).unwrap();
        Store::open(&loaded.config.storage, Clock::manual(1_500)).unwrap()
    }

    async fn digests(store: &Store) -> Vec<u8> {
        let answers = store.cached_answers(BOUNDS).await.unwrap();
        answers.iter().map(|answer| answer.digest[0]).collect()
    }

    #[tokio::test]
    async fn answers_are_written_by_themselves_and_found_after_a_restart() {
        let directory = TempDir::new().unwrap();
        let store = open(directory.path());
        store.keep_cached_answer(answer(1, "a", 2_000));
        store.keep_cached_answer(answer(2, "b", 1_500));
        // The second one's time is over: it is written or, where a sweep comes first, let go of.
        while store.status().state.memory_bytes > 0 || digests(&store).await != [1] {
            tokio::task::yield_now().await;
        }
        drop(store);
        let store = open(directory.path());
        assert_eq!(digests(&store).await, [1], "the time of the other is over");
        let of_a = AnswersOf::Account("key:a".parse().unwrap());
        assert_eq!(store.purge_cached_answers(of_a).await.unwrap(), 1);
        assert!(digests(&store).await.is_empty());
    }

    #[tokio::test]
    async fn what_was_purged_while_it_waited_is_never_written() {
        let directory = TempDir::new().unwrap();
        let store = open(directory.path());
        store.flush().await.unwrap();
        // Nothing can be written meanwhile.
        let path = directory.path().join(STATE_FILE);
        let blocker = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
        blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
        store.keep_cached_answer(answer(1, "a", 2_000));
        store.keep_cached_answer(answer(2, "b", 2_000));
        let of_a = AnswersOf::Account("key:a".parse().unwrap());
        let refused = store.purge_cached_answers(of_a).await;
        assert!(matches!(refused, Err(StoreError::StateUnavailable)));
        blocker.execute_batch("ROLLBACK").unwrap();
        store.close().await.unwrap();
        drop(store);
        assert_eq!(digests(&open(directory.path())).await, [2]);
    }

    #[tokio::test]
    async fn a_store_that_is_closed_purges_nothing() {
        let directory = TempDir::new().unwrap();
        let store = open(directory.path());
        store.close().await.unwrap();
        let purged = store.purge_cached_answers(AnswersOf::Everyone).await;
        assert!(matches!(purged, Err(StoreError::Closed)));
    }
}
