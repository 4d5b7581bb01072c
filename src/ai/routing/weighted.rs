//! `weighted`: every candidate gets its share of the requests. A fallback's priority is then 0 unless the file says
//! otherwise, so that the shares spread over all; priorities that it does say make tiers, as they do under `priority`.

use super::{draw::Draw, fitness::Fit, priority};

pub(super) fn order(fits: &mut [Fit<'_>], draw: &mut Draw) {
    priority::order(fits, draw);
}

/// Draws an order: each next one with a chance of its weight among those that are left. So the traffic of one that fails
/// spreads over the others by their weights too.
pub(super) fn shuffle(fits: &mut [Fit<'_>], draw: &mut Draw) {
    let mut rest = fits;
    while rest.len() > 1 {
        let mut point = draw.below(total(rest.iter()));
        let drawn = rest.iter().position(|fit| {
            let weight = u64::from(fit.candidate.weight);
            let within = point < weight;
            point = point.saturating_sub(weight);
            within
        });
        let drawn = drawn.unwrap_or_default();
        // Not a swap: those that were not drawn keep their order.
        if let Some(skipped) = rest.get_mut(..=drawn) {
            skipped.rotate_right(1);
        }
        let (_, others) = rest.split_at_mut(1);
        rest = others;
    }
}

/// At least 1, so that there is something to draw below.
pub(super) fn total<'f, 'c: 'f>(fits: impl Iterator<Item = &'f Fit<'c>>) -> u64 {
    fits.map(|fit| u64::from(fit.candidate.weight))
        .sum::<u64>()
        .max(1)
}
