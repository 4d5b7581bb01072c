//! Deny rules: which requests are refused although their key could make them.
//!
//! 1. The first enabled rule in declared order that a request meets refuses it; without one it goes on.
//! 2. A rule is met when all of its lists are, and its condition. An empty list is met by everything; one that is not
//!    empty is not met by a request that has nothing there, such as a key without an organization.
//! 3. What cannot be known counts against the request: a cost that nobody can estimate is above every bound.
//!
//! A request looks at the rules that could be meant for it and at no others, so that a thousand of them cost about as
//! much as ten: see [`index`]. What it costs, tokens and money, has to be estimated only where
//! [`Policies::needs_estimate`] says so.

mod dry_run;
mod index;
mod rule;
#[cfg(test)]
mod tests;

pub(super) use dry_run::DryRun;

use std::sync::Arc;

use ferrogate_api::TenantContext;

use self::{
    index::Index,
    rule::{Moment, Rule, Zones},
};
use crate::config;

/// Every enabled policy of one configuration, in declared order. Immutable; a reload builds another.
#[derive(Debug, Default)]
pub struct Policies {
    rules: Vec<Rule>,
    index: Index,
    needs_estimate: bool,
}

/// A request, together with the provider that would answer it.
///
/// Tools are asked about in the same way: the model is then `mcp_tool:<server>-<tool>`, the provider `mcp:<server>`.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    pub key_id: &'a str,
    pub tenant: &'a TenantContext,
    /// The logical model.
    pub model: &'a str,
    pub provider: &'a str,
    /// Input and output together. Anything where [`Policies::needs_estimate`] is false, and so the cost.
    pub estimated_tokens: u64,
    /// In nano-units; `None` where there is no price.
    pub estimated_cost_nanos: Option<i64>,
    pub stream: bool,
    pub at_unix_ms: i64,
}

impl Policies {
    /// Leaves out the policies that are switched off.
    pub fn build(policies: &[Arc<config::Policy>]) -> Self {
        let mut zones = Zones::default();
        let mut built = Self::default();
        for policy in policies.iter().filter(|policy| policy.enabled) {
            let number = built.rules.len();
            let narrowest = built.index.add(number, policy);
            let rule = Rule::new(policy, narrowest, &mut zones);
            built.needs_estimate |= rule.needs_estimate();
            built.rules.push(rule);
        }
        built
    }

    /// The policy that refuses this request, if one does.
    pub fn refuses(&self, subject: &Subject<'_>) -> Option<&Arc<config::Policy>> {
        self.rule_against(subject)
            .map(|number| self.rules[number].policy())
    }

    /// Whether a rule asks how many tokens a request is, or what it costs.
    pub fn needs_estimate(&self) -> bool {
        self.needs_estimate
    }

    /// Whether there is nothing to ask.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Starts to count what these policies would have refused.
    pub fn dry_run(&self) -> DryRun<'_> {
        DryRun::new(self)
    }

    fn rule_against(&self, subject: &Subject<'_>) -> Option<usize> {
        let mut moment = Moment::new(subject.at_unix_ms);
        self.index
            .candidates(subject)
            .find(|number| self.rules[*number].is_met(subject, &mut moment))
    }
}
