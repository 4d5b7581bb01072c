//! `lowest_cost`: by what the request is estimated to cost, its prompt and the output it allows. Without a price last.

use super::{fitness::Fit, trace::place};

pub(super) fn order(fits: &mut [Fit<'_>]) {
    fits.sort_by_key(|fit| {
        let cost = fit.cost_nanos;
        (cost.is_none(), cost, fit.tie())
    });
}

/// Why `fits[index]` stands there.
pub(super) fn reason(fits: &[Fit<'_>], index: usize) -> String {
    let place = place(index);
    match fits[index].cost_nanos {
        Some(_) => format!("{place} by estimated cost"),
        None => format!("{place}: it has no price to compare"),
    }
}
