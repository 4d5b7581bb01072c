//! A window over the last seconds, minutes or hours: a ring of short pieces, of which the oldest is used again.

use std::time::Duration;

use ferrogate_api::RequestLog;
use hdrhistogram::Histogram;

use super::Times;
use crate::clock::millis;
use crate::live::Verdict;

/// A window moves on by a thirtieth of itself, and by a second at least.
const PIECES: i64 = 30;
const PIECE_MS_MIN: i64 = 1000;
/// Longer times count as an hour.
const TIME_MS_MAX: u64 = 3_600_000;
/// Two digits: percentiles are right to one per cent.
const DIGITS: u8 = 2;

pub(super) struct Window {
    piece_ms: i64,
    window_ms: i64,
    since_unix_ms: i64,
    ring: Vec<Piece>,
}

/// The requests of one piece of time.
#[derive(Default)]
struct Piece {
    /// Which piece it is, counted from the epoch on.
    number: i64,
    requests: u64,
    errors: u64,
    rate_limited: u64,
    tokens: u64,
    cost_nanos: u64,
    /// In milliseconds.
    times: Option<Histogram<u32>>,
}

/// What a window holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// How much of the window it could see.
    pub covered_ms: u64,
    /// Whether that is all of it.
    pub is_whole: bool,
    pub requests: u64,
    /// Ended with a status of 500 or more, or broke after it.
    pub errors: u64,
    /// Were answered with 429.
    pub rate_limited: u64,
    pub tokens: u64,
    pub cost_nanos: u64,
    /// Of the times that are kept; nothing where there are none.
    pub p95_ms: Option<u64>,
}

impl Window {
    pub(super) fn new(window: Duration, now_unix_ms: i64) -> Self {
        let window_ms = millis(window);
        let piece_ms = (window_ms / PIECES).max(PIECE_MS_MIN);
        let pieces = usize::try_from((window_ms / piece_ms).max(1)).unwrap_or(1);
        Self {
            piece_ms,
            window_ms,
            since_unix_ms: now_unix_ms,
            ring: std::iter::repeat_with(Piece::default)
                .take(pieces)
                .collect(),
        }
    }

    pub(super) fn record(&mut self, log: &RequestLog, times: Times, now_unix_ms: i64) {
        self.set_back(now_unix_ms);
        let piece = self.piece(now_unix_ms);
        piece.requests += 1;
        match Verdict::of(log) {
            Verdict::ServerError => piece.errors += 1,
            Verdict::RateLimited => piece.rate_limited += 1,
            Verdict::ClientError | Verdict::Good => {}
        }
        piece.tokens = piece.tokens.saturating_add(log.tokens.total());
        let cost = log.cost_nanos.and_then(|cost| u64::try_from(cost).ok());
        piece.cost_nanos = piece.cost_nanos.saturating_add(cost.unwrap_or_default());
        let time_us = match times {
            Times::None => None,
            Times::Latency => Some(log.duration_us),
            Times::FirstContent => log.ttft_us,
        };
        if let Some(time_us) = time_us {
            let times = piece.times.get_or_insert_with(histogram);
            let recorded = times.record(time_us.div_ceil(1000).min(TIME_MS_MAX));
            debug_assert!(recorded.is_ok(), "{recorded:?}");
        }
    }

    pub(super) fn sums(&mut self, now_unix_ms: i64) -> Sums {
        self.set_back(now_unix_ms);
        let oldest = self.number(now_unix_ms) - self.pieces() + 1;
        let seen_from = self.since_unix_ms.max(oldest * self.piece_ms);
        let mut sums = Sums {
            covered_ms: u64::try_from(now_unix_ms - seen_from).unwrap_or_default(),
            is_whole: now_unix_ms - self.since_unix_ms >= self.window_ms,
            ..Sums::default()
        };
        let mut times = histogram();
        for piece in self.ring.iter().filter(|piece| piece.number >= oldest) {
            sums.requests += piece.requests;
            sums.errors += piece.errors;
            sums.rate_limited += piece.rate_limited;
            sums.tokens = sums.tokens.saturating_add(piece.tokens);
            sums.cost_nanos = sums.cost_nanos.saturating_add(piece.cost_nanos);
            if let Some(held) = &piece.times {
                // It grows as far as the other has grown.
                let added = times.add(held);
                debug_assert!(added.is_ok(), "{added:?}");
            }
        }
        sums.p95_ms = (!times.is_empty()).then(|| times.value_at_quantile(0.95));
        sums
    }

    /// After the clock was set back, what was counted lies in the future: it begins anew.
    fn set_back(&mut self, now_unix_ms: i64) {
        if now_unix_ms < self.since_unix_ms {
            self.since_unix_ms = now_unix_ms;
            self.ring
                .iter_mut()
                .for_each(|piece| *piece = Piece::default());
        }
    }

    /// The piece of this moment, empty if it is a new one.
    fn piece(&mut self, now_unix_ms: i64) -> &mut Piece {
        let number = self.number(now_unix_ms);
        let place = usize::try_from(number.rem_euclid(self.pieces())).unwrap_or_default();
        let piece = &mut self.ring[place];
        if piece.number != number {
            *piece = Piece {
                number,
                ..Piece::default()
            };
        }
        piece
    }

    fn number(&self, unix_ms: i64) -> i64 {
        unix_ms.div_euclid(self.piece_ms)
    }

    fn pieces(&self) -> i64 {
        i64::try_from(self.ring.len()).unwrap_or(i64::MAX)
    }
}

/// It grows with the longest time.
fn histogram() -> Histogram<u32> {
    Histogram::new(DIGITS).expect("two digits are what a histogram takes")
}
