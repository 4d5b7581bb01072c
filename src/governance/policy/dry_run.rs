//! What policies would have refused, counted over requests that were.
//!
//! A request is judged by what its log says of it: the provider that answered, and the estimates it was admitted with.
//! Where the log has no estimate, what was used stands in for it. A rule about a provider therefore counts requests
//! that another provider of the same model might have answered.

use ferrogate_api::{Outcome, PolicyDryRun, PolicyDryRunCount, RequestLog, TenantContext};

use super::{Policies, Subject};

/// How many requests are named for each policy.
pub(super) const SAMPLES_MAX: usize = 10;

/// A count that is under way: logs can be brought page by page.
#[derive(Debug)]
pub struct DryRun<'p> {
    policies: &'p Policies,
    examined: u64,
    already_refused: u64,
    /// One for each rule.
    counts: Vec<Count>,
}

#[derive(Debug, Default, Clone)]
struct Count {
    refused: u64,
    samples: Vec<String>,
}

impl<'p> DryRun<'p> {
    pub(super) fn new(policies: &'p Policies) -> Self {
        Self {
            policies,
            examined: 0,
            already_refused: 0,
            counts: vec![Count::default(); policies.rules.len()],
        }
    }

    /// Counts these requests in. Those that policies have no say in are passed over: without a model, or without a key.
    pub fn examine<'l>(&mut self, logs: impl IntoIterator<Item = &'l RequestLog>) {
        for log in logs {
            let (Some(key_id), Some(model)) = (&log.api_key_id, &log.model) else {
                continue;
            };
            self.examined += 1;
            if log.outcome == Outcome::Refused {
                self.already_refused += 1;
            } else if let Some(number) = self.rule_against(log, key_id, model) {
                let count = &mut self.counts[number];
                count.refused += 1;
                if count.samples.len() < SAMPLES_MAX {
                    count.samples.push(log.request_id.clone());
                }
            }
        }
    }

    /// What came of it.
    pub fn report(self) -> PolicyDryRun {
        PolicyDryRun {
            examined: self.examined,
            already_refused: self.already_refused,
            refused: self.counts.iter().map(|count| count.refused).sum(),
            by_policy: self
                .policies
                .rules
                .iter()
                .zip(self.counts)
                .map(|(rule, count)| PolicyDryRunCount {
                    name: rule.policy().name.clone(),
                    refused: count.refused,
                    sample_request_ids: count.samples,
                })
                .collect(),
        }
    }

    fn rule_against(&self, log: &RequestLog, key_id: &str, model: &str) -> Option<usize> {
        let nobody = TenantContext::default();
        let was_estimated = log.estimated_tokens.is_some();
        self.policies.rule_against(&Subject {
            key_id,
            tenant: log.tenant.as_deref().unwrap_or(&nobody),
            model,
            provider: log.provider.as_deref().unwrap_or_default(),
            estimated_tokens: log.estimated_tokens.unwrap_or(log.tokens.total()),
            estimated_cost_nanos: if was_estimated {
                log.estimated_cost_nanos
            } else {
                log.cost_nanos
            },
            stream: log.stream,
            at_unix_ms: log.started_at_unix_ms,
        })
    }
}
