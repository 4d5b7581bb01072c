//! Which alerts fire.

use std::{collections::HashSet, sync::Arc};

use parking_lot::Mutex;
use prometheus::IntGaugeVec;

use super::registrar::Registrar;

/// One gauge for each rule that is watched, so that its labels are as bounded as the rules are.
#[derive(Debug)]
pub(super) struct AlertMetrics {
    firing: IntGaugeVec,
    known: Mutex<HashSet<Arc<str>>>,
}

impl AlertMetrics {
    pub(super) fn new(all: &Registrar<'_>) -> Self {
        Self {
            firing: all.gauges(
                "ferrogate_alerts_firing",
                "1 while the alert fires, else 0; for each rule of `[[alerts]]` that is on.",
                &["alert"],
            ),
            known: Mutex::default(),
        }
    }

    /// Takes over how all rules stand; those that are not named any more leave.
    pub(super) fn set(&self, rules: &[(Arc<str>, bool)]) {
        let mut known = self.known.lock();
        let named: HashSet<&Arc<str>> = rules.iter().map(|(rule, _)| rule).collect();
        known.retain(|name| {
            let stays = named.contains(name);
            if !stays && let Err(error) = self.firing.remove_label_values(&[&**name]) {
                tracing::debug!(%error, alert = &**name, "a metric was gone already");
            }
            stays
        });
        for (name, is_firing) in rules {
            known.insert(Arc::clone(name));
            let gauge = self.firing.with_label_values(&[&**name]);
            gauge.set(i64::from(*is_firing));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Metrics;

    #[test]
    fn every_rule_has_its_line_for_as_long_as_it_is_there() {
        let metrics = Metrics::new();
        metrics.set_alerts(&[("one".into(), true), ("two".into(), false)]);
        let text = metrics.encode();
        assert!(
            text.contains("ferrogate_alerts_firing{alert=\"one\"} 1\n"),
            "{text}"
        );
        assert!(
            text.contains("ferrogate_alerts_firing{alert=\"two\"} 0\n"),
            "{text}"
        );
        metrics.set_alerts(&[("two".into(), true)]);
        let text = metrics.encode();
        assert!(!text.contains("\"one\""), "{text}");
        assert!(
            text.contains("ferrogate_alerts_firing{alert=\"two\"} 1\n"),
            "{text}"
        );
    }
}
