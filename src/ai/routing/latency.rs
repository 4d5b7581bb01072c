//! `lowest_latency`: by the observed time to the first content; those of which half or more of the recent attempts failed
//! come after the others.
//!
//! Nothing is probed, so one that gets no requests is not measured, and a measurement of long ago is none. Such a
//! candidate comes after the measured ones, but first in one of so many requests: what was slow gets another chance, and
//! what was never tried gets its first.

use super::{draw::Draw, fitness::Fit, trace::place};

/// One of so many requests tries a candidate that was not measured lately.
const EXPLORED_ONE_OF: u64 = 8;

pub(super) fn order(fits: &mut [Fit<'_>], draw: &Draw) {
    fits.sort_by_key(|fit| {
        let latency = fit.standing.latency_us;
        (fit.standing.failing, latency.is_none(), latency, fit.tie())
    });
    let unmeasured = fits.iter().position(|fit| {
        fit.standing.latency_us.is_none() && !fit.standing.failing && fit.held_back.is_none()
    });
    // At place 0 there is nothing measured to leave for it.
    if let Some(index) = unmeasured.filter(|index| *index > 0 && draw.is_one_of(EXPLORED_ONE_OF)) {
        fits[index].explored = true;
        fits[..=index].rotate_right(1);
    }
}

/// Why `fits[index]` stands there.
pub(super) fn reason(fits: &[Fit<'_>], index: usize) -> String {
    let place = place(index);
    let fit = &fits[index];
    match fit.standing.latency_us {
        _ if fit.explored => {
            format!("{place}: one of {EXPLORED_ONE_OF} requests tries what was not measured lately")
        }
        _ if fit.standing.failing => format!("{place}: half or more of its recent attempts failed"),
        Some(us) => format!("{place} by latency, {} ms of late", us / 1000),
        None => format!("{place}: its latency was not measured lately"),
    }
}
