//! The metrics of requests, resolved once for each set of labels.
//!
//! Finding a metric by its labels costs more than counting does, and one request touches nine. So the resolved
//! handles are kept together under the request's labels, and a request looks up once, without allocating.

use std::{collections::HashSet, fmt, sync::Arc};

use ferrogate_api::RequestLog;
use hashbrown::{Equivalent, HashMap};
use parking_lot::RwLock;
use prometheus::{Histogram, IntCounter};

use super::metrics::{RequestFamilies, seconds};

/// The label of every name that no configuration has.
const OTHER: &str = "other";

pub(super) struct SeriesTable {
    families: RequestFamilies,
    resolved: RwLock<Resolved>,
}

#[derive(Default)]
struct Resolved {
    models: HashSet<Arc<str>>,
    providers: HashSet<Arc<str>>,
    /// Bounded as its keys are: by the endpoints, the names that were ever registered, and the statuses there are.
    series: HashMap<Labels<Arc<str>>, Series>,
}

/// The labels that tell requests apart. The name of a model that was not asked for is empty.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Labels<S> {
    endpoint: S,
    model: S,
    provider: S,
    status: u16,
}

/// What one kind of request counts into.
struct Series {
    requests: IntCounter,
    duration: Histogram,
    ttft: Histogram,
    input: IntCounter,
    output: IntCounter,
    cache_read: IntCounter,
    cache_write: IntCounter,
    reasoning: IntCounter,
    cost_nanos: IntCounter,
}

impl SeriesTable {
    pub(super) fn new(families: RequestFamilies) -> Self {
        Self {
            families,
            resolved: RwLock::default(),
        }
    }

    pub(super) fn register_names<'a>(
        &self,
        models: impl IntoIterator<Item = &'a str>,
        providers: impl IntoIterator<Item = &'a str>,
    ) {
        let mut resolved = self.resolved.write();
        resolved.models = models.into_iter().map(Arc::from).collect();
        resolved.providers = providers.into_iter().map(Arc::from).collect();
    }

    pub(super) fn record(&self, log: &RequestLog) {
        let labels = Labels::of(log);
        let resolved = self.resolved.read();
        if let Some(series) = resolved.find(&labels) {
            series.record(log);
            return;
        }
        drop(resolved);
        let mut resolved = self.resolved.write();
        let bounded = resolved.bounded(labels);
        resolved
            .series
            .entry(bounded.to_owned())
            .or_insert_with(|| Series::resolve(&self.families, &bounded))
            .record(log);
    }

    /// The label for `provider`.
    pub(super) fn provider_label<'a>(&self, provider: &'a str) -> &'a str {
        self.resolved.read().provider(provider)
    }
}

impl fmt::Debug for SeriesTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeriesTable").finish_non_exhaustive()
    }
}

impl Resolved {
    fn find(&self, labels: &Labels<&str>) -> Option<&Series> {
        self.series
            .get(labels)
            .or_else(|| self.series.get(&self.bounded(*labels)))
    }

    fn bounded<'a>(&self, labels: Labels<&'a str>) -> Labels<&'a str> {
        let model = labels.model;
        let known = model.is_empty() || self.models.contains(model);
        Labels {
            model: if known { model } else { OTHER },
            provider: self.provider(labels.provider),
            ..labels
        }
    }

    fn provider<'a>(&self, name: &'a str) -> &'a str {
        let known = name.is_empty() || self.providers.contains(name);
        if known { name } else { OTHER }
    }
}

impl<'a> Labels<&'a str> {
    fn of(log: &'a RequestLog) -> Self {
        Self {
            endpoint: &log.endpoint,
            model: log.model.as_deref().unwrap_or_default(),
            provider: log.provider.as_deref().unwrap_or_default(),
            status: log.status,
        }
    }

    fn to_owned(self) -> Labels<Arc<str>> {
        Labels {
            endpoint: self.endpoint.into(),
            model: self.model.into(),
            provider: self.provider.into(),
            status: self.status,
        }
    }
}

impl Equivalent<Labels<Arc<str>>> for Labels<&str> {
    fn equivalent(&self, key: &Labels<Arc<str>>) -> bool {
        self.status == key.status
            && self.model == &*key.model
            && self.provider == &*key.provider
            && self.endpoint == &*key.endpoint
    }
}

impl Series {
    fn resolve(families: &RequestFamilies, labels: &Labels<&str>) -> Self {
        let Labels {
            endpoint,
            model,
            provider,
            status,
        } = *labels;
        let tokens = |class| {
            families
                .tokens_total
                .with_label_values(&[model, provider, class])
        };
        Self {
            requests: families.requests_total.with_label_values(&[
                endpoint,
                model,
                provider,
                &status.to_string(),
            ]),
            duration: families
                .request_duration_seconds
                .with_label_values(&[endpoint, model]),
            ttft: families
                .time_to_first_token_seconds
                .with_label_values(&[model]),
            input: tokens("input"),
            output: tokens("output"),
            cache_read: tokens("cache_read"),
            cache_write: tokens("cache_write"),
            reasoning: tokens("reasoning"),
            cost_nanos: families
                .cost_nanos_total
                .with_label_values(&[model, provider]),
        }
    }

    fn record(&self, log: &RequestLog) {
        self.requests.inc();
        self.duration.observe(seconds(log.duration_us));
        if let Some(ttft_us) = log.ttft_us {
            self.ttft.observe(seconds(ttft_us));
        }
        add(&self.input, log.tokens.input);
        add(&self.output, log.tokens.output);
        add(&self.cache_read, log.tokens.cache_read);
        add(&self.cache_write, log.tokens.cache_write);
        add(&self.reasoning, log.tokens.reasoning);
        // A negative cost would be a correction, and corrections are not requests.
        let cost_nanos = log.cost_nanos.and_then(|cost| u64::try_from(cost).ok());
        add(&self.cost_nanos, cost_nanos.unwrap_or_default());
    }
}

/// Most requests leave most token classes at zero; a read is cheaper than a shared write.
fn add(counter: &IntCounter, count: u64) {
    if count > 0 {
        counter.inc_by(count);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use ferrogate_api::{Outcome, Tokens, UsageSource};

    use super::super::Metrics;
    use super::*;

    /// A finished request of 2 ms and 7 input tokens.
    pub(in super::super) fn log(model: &str, provider: &str, status: u16) -> RequestLog {
        RequestLog {
            request_id: "id".into(),
            trace_id: "0".repeat(32),
            started_at_unix_ms: 1_767_225_600_000,
            duration_us: 2000,
            ttft_us: Some(1000),
            method: "POST".into(),
            path: "/v1/chat/completions".into(),
            endpoint: "chat.completions".into(),
            status,
            outcome: Outcome::Complete,
            model: Some(model.into()),
            provider: Some(provider.into()),
            attempts: 1,
            tokens: Tokens {
                input: 7,
                output: 3,
                ..Tokens::default()
            },
            usage_source: UsageSource::Provider,
            cost_nanos: Some(11),
            ..RequestLog::default()
        }
    }

    #[test]
    fn names_that_nobody_registered_share_one_label() {
        let metrics = Metrics::new();
        metrics.register_names(["fast"], ["openai"]);
        metrics.record(&log("fast", "openai", 200));
        for number in 0..100 {
            metrics.record(&log(&format!("made-up-{number}"), "openai", 404));
            metrics.upstream_attempt(&format!("made-up-{number}"), None);
        }
        let text = metrics.encode();
        assert!(!text.contains("made-up"), "{text}");
        let other =
            r#"{endpoint="chat.completions",model="other",provider="openai",status="404"} 100"#;
        assert!(text.contains(other), "{text}");
        assert!(
            text.contains(r#"{provider="other",result="ok"} 100"#),
            "{text}"
        );
    }

    #[test]
    fn names_of_a_later_configuration_get_their_own_label() {
        let metrics = Metrics::new();
        metrics.register_names(["old"], ["openai"]);
        metrics.record(&log("new", "openai", 200));
        metrics.register_names(["new"], ["openai"]);
        metrics.record(&log("new", "openai", 200));
        let text = metrics.encode();
        assert!(
            text.contains(r#"ferrogate_cost_nanos_total{model="new",provider="openai"} 11"#),
            "{text}"
        );
        assert!(
            text.contains(r#"ferrogate_cost_nanos_total{model="other",provider="openai"} 11"#),
            "{text}"
        );
    }

    #[test]
    fn a_request_without_a_model_has_an_empty_label() {
        let metrics = Metrics::new();
        let mut plain = log("", "", 200);
        (plain.model, plain.provider) = (None, None);
        metrics.record(&plain);
        assert!(
            metrics
                .encode()
                .contains(r#"model="",provider="",status="200"} 1"#)
        );
    }
}
