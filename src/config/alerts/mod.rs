//! `[[alerts]]`: what the gateway watches of itself, and whom it tells.
//!
//! A rule compares one figure with one threshold. Which figure it may be narrowed for, and whether it has a window, is
//! the metric's to say: a key that would be ignored is refused.

mod quantity;
mod webhook;

use std::{sync::Arc, time::Duration};

use ferrogate_api::{AccountRef, AlertMetric, AlertSeverity};

pub use self::{
    quantity::Quantity,
    webhook::{Webhook, WebhookAddress, WebhookSecret},
};

use super::{names::Names, policies, reader::Section, references::References, values::one_of};

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// `name`: unique.
    pub name: Arc<str>,
    /// `enabled`; default true.
    pub enabled: bool,
    /// `metric`.
    pub metric: AlertMetric,
    /// `above` or `below`.
    pub bound: AlertBound,
    /// `window_secs`; default 300. Only of metrics that have a window.
    pub window: Duration,
    /// `for_secs`: how long it has to hold before anybody is told; default 0.
    pub lasting: Duration,
    /// What it is narrowed to.
    pub scope: AlertScope,
    /// `severity`; default `warning`.
    pub severity: AlertSeverity,
    /// `webhook_url` or `webhook_url_env`, with what belongs to it.
    pub webhook: Option<Webhook>,
    /// `message`, for whoever is told.
    pub message: Option<String>,
}

/// On which side of its threshold a figure is a bad one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertBound {
    Above(Quantity),
    Below(Quantity),
}

/// `model`, `provider`, `api_key` and `account`: what a figure is taken of. Nothing: of everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct AlertScope {
    pub model: Option<Arc<str>>,
    pub provider: Option<Arc<str>>,
    pub api_key: Option<Arc<str>>,
    pub account: Option<AccountRef>,
}

impl Alert {
    pub(super) const LATER: &'static [&'static str] = &[];

    pub(super) fn read(
        section: &mut Section<'_, '_>,
        names: &mut Names,
        references: References<'_>,
    ) -> Option<Self> {
        let name = names.claim(section, "name");
        let enabled = section.flag("enabled", true);
        let metric = section.required("metric", |word| {
            one_of(word, &words(AlertMetric::ALL, AlertMetric::as_str))
        });
        let bound = AlertBound::read(section);
        let window = section.seconds("window_secs", 300, 10..=86_400);
        let lasting = section.seconds("for_secs", 0, 0..=86_400);
        let scope = AlertScope {
            model: references.model(section, "model"),
            provider: references.provider(section, "provider"),
            api_key: references.api_key(section, "api_key"),
            account: section.parsed("account", |text| {
                text.parse()
                    .map_err(|_| "must be such as `organization:acme` or `key:dev`".to_owned())
            }),
        };
        let severities = words(AlertSeverity::ALL, AlertSeverity::as_str);
        let severity = section.choice("severity", AlertSeverity::default(), &severities);
        let webhook = Webhook::read(section);
        let message = section.parsed("message", policies::message);
        let metric = metric?;
        refuse_idle(section, metric);
        Some(Self {
            name: name?,
            enabled,
            metric,
            bound: bound?,
            window,
            lasting,
            scope,
            severity,
            webhook,
            message,
        })
    }
}

impl AlertBound {
    fn read(section: &mut Section<'_, '_>) -> Option<Self> {
        let [above, below] = ["above", "below"].map(|key| {
            let text = section.decimal_text(key)?;
            section.accept(&text.place, Quantity::parse(&text.value))
        });
        match (section.has("above"), section.has("below")) {
            (true, false) => above.map(Self::Above),
            (false, true) => below.map(Self::Below),
            (true, true) => {
                let place = section.place_of("below");
                section.error(&place, "stands beside `above`; a rule has one of them");
                None
            }
            (false, false) => {
                let place = section.place();
                section.absence(&place, "needs `above` or `below`");
                None
            }
        }
    }

    /// The threshold, whichever side is bad.
    pub fn threshold(self) -> Quantity {
        match self {
            Self::Above(threshold) | Self::Below(threshold) => threshold,
        }
    }

    /// The key of the configuration.
    pub fn word(self) -> &'static str {
        match self {
            Self::Above(_) => "above",
            Self::Below(_) => "below",
        }
    }

    /// Whether this figure is a bad one.
    pub fn is_met_by(self, value: Quantity) -> bool {
        match self {
            Self::Above(threshold) => value > threshold,
            Self::Below(threshold) => value < threshold,
        }
    }
}

/// What the configuration calls them.
fn words<T: Copy>(all: &[T], word: fn(T) -> &'static str) -> Vec<(&'static str, T)> {
    all.iter().map(|one| (word(*one), *one)).collect()
}

/// The keys that narrow a metric.
fn filters(metric: AlertMetric) -> &'static [&'static str] {
    match metric {
        AlertMetric::BudgetUsedPercent => &["account"],
        AlertMetric::ProviderCircuitOpen | AlertMetric::ProviderCredentialRefused => &["provider"],
        _ if metric.is_of_requests() => &["model", "provider", "api_key"],
        _ => &[],
    }
}

/// A key that would be ignored is refused.
fn refuse_idle(section: &mut Section<'_, '_>, metric: AlertMetric) {
    for key in ["model", "provider", "api_key", "account"] {
        if section.has(key) && !filters(metric).contains(&key) {
            let place = section.place_of(key);
            section.error(&place, format!("has no meaning for `{}`", metric.as_str()));
        }
    }
    if section.has("window_secs") && !metric.has_window() {
        let place = section.place_of("window_secs");
        let message = format!(
            "has no meaning for `{}`, which is looked at as it stands",
            metric.as_str()
        );
        section.error(&place, message);
    }
}
