//! `priority`: the smallest number first. Equals share by weight, the model's own candidate included, so that two
//! candidates of the same priority are two places for the same traffic and not a main and a spare one.

use super::{draw::Draw, fitness::Fit, trace::place, weighted};

pub(super) fn order(fits: &mut [Fit<'_>], draw: &mut Draw) {
    fits.sort_by_key(|fit| fit.candidate.priority);
    for tier in fits.chunk_by_mut(|a, b| a.candidate.priority == b.candidate.priority) {
        weighted::shuffle(tier, draw);
    }
}

/// Why `fits[index]` stands there.
pub(super) fn reason(fits: &[Fit<'_>], index: usize) -> String {
    let candidate = fits[index].candidate;
    let priority = candidate.priority;
    let place = place(index);
    let total = weighted::total(fits.iter().filter(|fit| fit.candidate.priority == priority));
    if total == u64::from(candidate.weight) {
        return format!("{place} by priority {priority}");
    }
    let weight = candidate.weight;
    format!("{place} by priority {priority}, drawn with weight {weight} of {total}")
}
