//! How an account stands with its limits per minute, and whether one more request fits under them.

use std::time::Duration;

use super::{standing::RateStatus, state::SlotState, tree::Account, window::Window};

/// A limit per minute that the request does not fit under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RateDenial {
    pub(super) rated: Rated,
    pub(super) ask: u64,
    pub(super) status: RateStatus,
    /// `None`: however long it waits, it never fits.
    pub(super) wait: Option<Duration>,
}

/// What a limit per minute counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rated {
    Requests,
    Tokens,
}

/// Why `ask` more does not fit now, if it does not. The windows are advanced.
pub(super) fn rate_denial(
    slot: &SlotState,
    account: &Account,
    (rated, ask): (Rated, u64),
    at_ms: i64,
) -> Option<RateDenial> {
    let (limit, window) = rate(slot, account, rated)?;
    let fits = window.map_or(ask <= limit, |window| window.fits(ask, limit));
    if fits {
        return None;
    }
    let wait = window.map_or(Duration::ZERO, |window| {
        window.until_fits(ask, limit, at_ms)
    });
    Some(RateDenial {
        rated,
        ask,
        status: status(slot, account, rated, at_ms)?,
        wait: (ask <= limit).then_some(wait),
    })
}

pub(super) fn status(
    slot: &SlotState,
    account: &Account,
    rated: Rated,
    at_ms: i64,
) -> Option<RateStatus> {
    let (limit, window) = rate(slot, account, rated)?;
    Some(RateStatus {
        limit,
        remaining: limit.saturating_sub(window.map_or(0, Window::total)),
        reset: window.map_or(Duration::ZERO, |window| window.until_empty(at_ms)),
    })
}

fn rate<'s>(
    slot: &'s SlotState,
    account: &Account,
    rated: Rated,
) -> Option<(u64, Option<&'s Window>)> {
    let (limit, window) = match rated {
        Rated::Requests => (account.limits.requests_per_minute, &slot.requests),
        Rated::Tokens => (account.limits.tokens_per_minute, &slot.tokens),
    };
    Some((limit?, window.as_deref()))
}
