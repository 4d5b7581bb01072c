//! What the service said lately, and the questions that are on their way to it.
//!
//! 1. An answer counts until it is `ttl` old. The oldest leave when there are too many.
//! 2. A question that is on its way is asked once: whoever asks it meanwhile waits for the same answer. It goes on for
//!    as long as one of them waits.
//! 3. A failure is nobody's answer but theirs who waited for it.
//! 4. Refusals and grants have half of the room each, so that somebody who tries many secrets does not drive out what
//!    is known of the others.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::Arc,
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::Undecided;

/// A question, as its SHA-256.
pub(super) type Digest = [u8; 32];

/// What can be kept.
pub(super) trait Verdict: Clone + Send + Sync + 'static {
    fn is_refusal(&self) -> bool;
}

/// Answers of one kind.
pub(super) struct Decisions<A> {
    ttl: Duration,
    /// Of refusals, and of grants.
    each_max: usize,
    state: Mutex<State<A>>,
}

struct State<A> {
    known: HashMap<Digest, Known<A>>,
    /// Grants and refusals, in the order in which they were given. One that was given anew stands there twice.
    grants: VecDeque<(Digest, Instant)>,
    refusals: VecDeque<(Digest, Instant)>,
    on_their_way: HashMap<Digest, OnItsWay<A>>,
    /// Questions asked so far, so that one that was given up does not end its successor.
    asked: u64,
}

struct Known<A> {
    answer: A,
    since: Instant,
}

struct OnItsWay<A> {
    number: u64,
    answer: WeakShared<Asking<A>>,
}

type Asking<A> = BoxFuture<'static, Result<A, Undecided>>;

enum Found<A> {
    Known(A),
    Coming(Shared<Asking<A>>),
}

impl<A: Verdict> Decisions<A> {
    pub(super) fn new(ttl: Duration, entries_max: usize) -> Self {
        Self {
            ttl,
            each_max: (entries_max / 2).max(1),
            state: Mutex::new(State {
                known: HashMap::new(),
                grants: VecDeque::new(),
                refusals: VecDeque::new(),
                on_their_way: HashMap::new(),
                asked: 0,
            }),
        }
    }

    /// The answer to the question behind `digest`, which `ask` puts if nobody has.
    pub(super) async fn get<F>(
        self: &Arc<Self>,
        digest: Digest,
        ask: impl FnOnce() -> F,
    ) -> Result<A, Undecided>
    where
        F: Future<Output = Result<A, Undecided>> + Send + 'static,
    {
        match self.find(digest, Instant::now(), ask) {
            Found::Known(answer) => Ok(answer),
            Found::Coming(answer) => answer.await,
        }
    }

    fn find<F>(self: &Arc<Self>, digest: Digest, now: Instant, ask: impl FnOnce() -> F) -> Found<A>
    where
        F: Future<Output = Result<A, Undecided>> + Send + 'static,
    {
        let mut state = self.state.lock();
        if let Some(known) = state.known.get(&digest)
            && now.duration_since(known.since) < self.ttl
        {
            return Found::Known(known.answer.clone());
        }
        let coming = state.on_their_way.get(&digest);
        if let Some(answer) = coming.and_then(|coming| coming.answer.upgrade()) {
            return Found::Coming(answer);
        }
        state.asked += 1;
        let number = state.asked;
        let place = Place {
            decisions: Arc::clone(self),
            digest,
            number,
        };
        let asking = ask();
        let answer = async move {
            let answer = asking.await;
            if let Ok(answer) = &answer {
                place
                    .decisions
                    .remember(digest, answer.clone(), Instant::now());
            }
            drop(place);
            answer
        };
        let answer = answer.boxed().shared();
        if let Some(weak) = answer.downgrade() {
            let coming = OnItsWay {
                number,
                answer: weak,
            };
            state.on_their_way.insert(digest, coming);
        }
        Found::Coming(answer)
    }

    fn remember(&self, digest: Digest, answer: A, now: Instant) {
        if self.ttl.is_zero() {
            return;
        }
        let mut state = self.state.lock();
        let State {
            known,
            grants,
            refusals,
            ..
        } = &mut *state;
        let queue = if answer.is_refusal() {
            refusals
        } else {
            grants
        };
        while let Some((oldest, since)) = queue.front()
            && (queue.len() >= self.each_max || now.duration_since(*since) >= self.ttl)
        {
            if known.get(oldest).is_some_and(|known| known.since == *since) {
                known.remove(oldest);
            }
            queue.pop_front();
        }
        queue.push_back((digest, now));
        known.insert(digest, Known { answer, since: now });
    }
}

/// A question's place among those on their way; it is given up with the question, however that ends.
struct Place<A: Verdict> {
    decisions: Arc<Decisions<A>>,
    digest: Digest,
    number: u64,
}

impl<A: Verdict> Drop for Place<A> {
    fn drop(&mut self) {
        let mut state = self.decisions.state.lock();
        let own = state.on_their_way.get(&self.digest);
        if own.is_some_and(|own| own.number == self.number) {
            state.on_their_way.remove(&self.digest);
        }
    }
}

impl<A> fmt::Debug for Decisions<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decisions")
            .field("ttl", &self.ttl)
            .field("each_max", &self.each_max)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
impl<A> Decisions<A> {
    pub(super) fn known(&self) -> usize {
        self.state.lock().known.len()
    }

    pub(super) fn on_their_way(&self) -> usize {
        self.state.lock().on_their_way.len()
    }
}
