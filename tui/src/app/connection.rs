//! The state of the connection to the gateway.
//!
//! ```text
//! connecting ──opened──▶ live ──3 s without an event──▶ stale ──event──▶ live
//!     ▲  │                 └───────────lost──────────────┴──▶ offline
//!     │  └──failed──▶ offline                                   │
//!     └──────────────────── back-off is over, or `r` ───────────┘
//! ```
//! It never gives up: waits double from half a second up to 30 s, with full jitter, so that many consoles do not
//! come back to a restarted gateway in step.

use crate::app::{Cmd, Failure};

const BACKOFF_BASE_MS: u64 = 500;
const BACKOFF_MAX_MS: u64 = 30_000;
const BACKOFF_MIN_MS: u64 = 50;
/// The gateway sends something every second: this is three missed.
const STALE_AFTER_MS: i64 = 3_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    Connecting,
    Live,
    /// Connected, but silent.
    Stale,
    Offline {
        failure: Failure,
        wait_ms: u64,
        retry_at_unix_ms: i64,
    },
}

#[derive(Debug)]
pub struct Connection {
    pub phase: Phase,
    /// Failed tries since the last time it was live.
    pub attempt: u32,
    pub round_trip_us: Option<u64>,
    /// When the gateway was last heard of; what is on the screen is this old.
    pub heard_unix_ms: Option<i64>,
    /// The last failure of this outage, kept for the screen while the next try runs.
    pub failure: Option<Failure>,
    generation: u64,
    jitter: u64,
}

impl Connection {
    pub fn new(jitter_seed: u64) -> Self {
        Self {
            phase: Phase::Connecting,
            attempt: 0,
            round_trip_us: None,
            heard_unix_ms: None,
            failure: None,
            generation: 0,
            jitter: jitter_seed | 1,
        }
    }

    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// An answer of that generation still counts.
    pub fn is_current(&self, generation: u64) -> bool {
        self.generation == generation
    }

    pub fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Live | Phase::Stale)
    }

    /// The figures on the screen are those of now.
    pub fn is_live(&self) -> bool {
        self.phase == Phase::Live
    }

    pub fn connect(&mut self) -> Cmd {
        self.generation += 1;
        self.phase = Phase::Connecting;
        Cmd::Connect {
            generation: self.generation,
        }
    }

    /// Takes up the call of a wait that is over, or of the operator who does not want to wait.
    pub fn retry_now(&mut self) -> Option<Cmd> {
        matches!(self.phase, Phase::Offline { .. }).then(|| self.connect())
    }

    pub fn opened(&mut self, now_unix_ms: i64, round_trip_us: u64) {
        self.attempt = 0;
        self.failure = None;
        self.round_trip_us = Some(round_trip_us);
        self.heard(now_unix_ms);
    }

    pub fn heard(&mut self, now_unix_ms: i64) {
        self.heard_unix_ms = Some(now_unix_ms);
        self.phase = Phase::Live;
    }

    pub fn lost(&mut self, now_unix_ms: i64, failure: Failure) -> Cmd {
        let wait_ms = self.next_wait_ms();
        self.attempt = self.attempt.saturating_add(1);
        self.round_trip_us = None;
        self.failure = Some(failure.clone());
        let wait = i64::try_from(wait_ms).unwrap_or_default();
        self.phase = Phase::Offline {
            failure,
            wait_ms,
            retry_at_unix_ms: now_unix_ms + wait,
        };
        Cmd::Wait {
            generation: self.generation,
            wait_ms,
        }
    }

    pub fn tick(&mut self, now_unix_ms: i64) {
        let silent = |heard| now_unix_ms - heard > STALE_AFTER_MS;
        if self.is_live() && self.heard_unix_ms.is_some_and(silent) {
            self.phase = Phase::Stale;
        }
    }

    /// Full jitter: anything from nothing to the doubled wait.
    fn next_wait_ms(&mut self) -> u64 {
        let wait_max = BACKOFF_BASE_MS
            .saturating_mul(1 << self.attempt.min(16))
            .min(BACKOFF_MAX_MS);
        // xorshift64: jitter wants to differ, not to be unpredictable.
        self.jitter ^= self.jitter << 13;
        self.jitter ^= self.jitter >> 7;
        self.jitter ^= self.jitter << 17;
        (self.jitter % wait_max).max(BACKOFF_MIN_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure() -> Failure {
        Failure {
            message: "connection refused".to_owned(),
            hint: "",
        }
    }

    #[test]
    fn waits_grow_with_jitter_and_never_beyond_the_cap() {
        let mut connection = Connection::new(42);
        let mut longest = 0;
        for attempt in 0..200 {
            connection.connect();
            let Cmd::Wait { wait_ms, .. } = connection.lost(0, failure()) else {
                panic!("a lost connection must wait");
            };
            let cap = (500u64 << attempt.min(20)).min(30_000);
            assert!(
                wait_ms <= cap.max(50),
                "attempt {attempt} waits {wait_ms} ms"
            );
            longest = longest.max(wait_ms);
        }
        assert!(longest > 20_000, "the waits never grew: {longest} ms");
    }

    #[test]
    fn silence_makes_it_stale_and_a_word_makes_it_live_again() {
        let mut connection = Connection::new(1);
        connection.connect();
        connection.opened(1_000, 12_000);
        connection.tick(4_000);
        assert_eq!(connection.phase, Phase::Live);
        connection.tick(4_001);
        assert_eq!(connection.phase, Phase::Stale);
        connection.heard(9_000);
        assert_eq!(connection.phase, Phase::Live);
    }

    #[test]
    fn retrying_by_hand_makes_the_running_wait_worthless() {
        let mut connection = Connection::new(1);
        connection.connect();
        connection.lost(0, failure());
        let waiting = connection.generation();
        assert!(connection.retry_now().is_some());
        assert!(!connection.is_current(waiting));
        assert!(
            connection.retry_now().is_none(),
            "one try at a time is enough"
        );
    }
}
