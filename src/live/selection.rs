//! Which requests, and which events, somebody wants to see, and may.

use std::{fmt, sync::Arc};

use ferrogate_api::{
    AccountKind, AccountRef, Event, LogLevel, RequestLog, StatusFilter, TenantContext, Topic,
};

use super::verdict::Verdict;

/// What somebody may see who does not see everything: what belongs to the tenants of an admin key.
#[derive(Clone)]
pub struct Sight {
    pub tenant: Arc<dyn Fn(&TenantContext) -> bool + Send + Sync>,
    pub account: Arc<dyn Fn(&AccountRef) -> bool + Send + Sync>,
}

impl fmt::Debug for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sight")
    }
}

/// Which requests. All that is given must hold.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    pub key: Option<String>,
    pub model: Option<String>,
    pub provider: Option<String>,
    pub endpoint: Option<String>,
    pub organization: Option<String>,
    pub team: Option<String>,
    pub project: Option<String>,
    pub user: Option<String>,
    /// `None`: everything.
    pub sight: Option<Sight>,
}

/// What a selection goes by.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'f> {
    pub key: Option<&'f str>,
    pub model: Option<&'f str>,
    pub provider: Option<&'f str>,
    pub endpoint: &'f str,
    pub tenant: Option<&'f TenantContext>,
}

impl<'f> Facts<'f> {
    pub(super) fn of(log: &'f RequestLog) -> Self {
        Self {
            key: log.api_key_id.as_deref(),
            model: log.model.as_deref(),
            provider: log.provider.as_deref(),
            endpoint: &log.endpoint,
            tenant: log.tenant.as_deref(),
        }
    }
}

impl Selection {
    /// Whether nothing is left out.
    pub fn is_everything(&self) -> bool {
        self.sight.is_none()
            && [&self.key, &self.model, &self.provider, &self.endpoint]
                .into_iter()
                .chain(self.tenants().map(|(_, wanted)| wanted))
                .all(Option::is_none)
    }

    pub fn takes(&self, facts: Facts<'_>) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| found == Some(wanted))
        };
        is(&self.key, facts.key)
            && is(&self.model, facts.model)
            && is(&self.provider, facts.provider)
            && is(&self.endpoint, Some(facts.endpoint))
            && self.tenants().all(|(kind, wanted)| {
                let found = facts.tenant.and_then(|tenant| tenant.get(kind));
                is(wanted, found.map(|id| &**id))
            })
            && self.sees(facts.tenant)
    }

    fn sees(&self, tenant: Option<&TenantContext>) -> bool {
        match (&self.sight, tenant) {
            (None, _) => true,
            (Some(sight), Some(tenant)) => (sight.tenant)(tenant),
            // It belongs to nobody, or it is not known yet to whom.
            (Some(_), None) => false,
        }
    }

    /// An account is one of those that are asked for, where some are.
    fn takes_account(&self, account: &AccountRef) -> bool {
        let key = [(AccountKind::Key, &self.key)];
        let mut asked = key
            .into_iter()
            .chain(self.tenants())
            .filter_map(|(kind, wanted)| Some((kind, wanted.as_deref()?)))
            .peekable();
        let is_asked_for = asked.peek().is_none()
            || asked.any(|(kind, id)| kind == account.kind && *id == *account.id);
        let sight = self.sight.as_ref();
        is_asked_for && sight.is_none_or(|sight| (sight.account)(account))
    }

    fn tenants(&self) -> impl Iterator<Item = (AccountKind, &Option<String>)> {
        [
            (AccountKind::Organization, &self.organization),
            (AccountKind::Team, &self.team),
            (AccountKind::Project, &self.project),
            (AccountKind::User, &self.user),
        ]
        .into_iter()
    }
}

/// A set of topics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Topics(u8);

impl Topics {
    /// What is always kept for those who come back: it is rare, and missing it is missed.
    pub(super) const RARE: Self =
        Self::of(&[Topic::Health, Topic::Alerts, Topic::Audit, Topic::Config]);
    /// What readers get who ask for nothing.
    pub const USUAL: Self = Self::of(&[Topic::Requests, Topic::Alerts]);

    pub const fn of(topics: &[Topic]) -> Self {
        let mut set = 0;
        let mut rest = topics;
        while let [topic, after @ ..] = rest {
            set |= bit(*topic);
            rest = after;
        }
        Self(set)
    }

    pub fn contains(self, topic: Topic) -> bool {
        self.0 & bit(topic) != 0
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn bits(self) -> u8 {
        self.0
    }

    pub(super) fn from_bits(bits: u8) -> Self {
        Self(bits)
    }
}

const fn bit(topic: Topic) -> u8 {
    match topic {
        Topic::Requests => 1,
        Topic::Health => 2,
        Topic::Alerts => 4,
        Topic::Audit => 8,
        Topic::Logs => 16,
        Topic::Config => 32,
    }
}

/// Which events one reader wants.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub topics: Topics,
    pub selection: Selection,
    /// Of the requests that ended.
    pub status: Option<StatusFilter>,
    /// Of the requests that ended, those that failed.
    pub errors_only: bool,
    /// Log lines at least this grave.
    pub level: LogLevel,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            topics: Topics::USUAL,
            selection: Selection::default(),
            status: None,
            errors_only: false,
            level: LogLevel::default(),
        }
    }
}

impl Wanted {
    pub(super) fn wants(&self, event: &Event) -> bool {
        if event
            .topic()
            .is_some_and(|topic| !self.topics.contains(topic))
        {
            return false;
        }
        let provider = self.selection.provider.as_deref();
        match event {
            Event::Finished(log) => self.wants_finished(log),
            Event::BudgetThreshold(reached) => self.selection.takes_account(&reached.account),
            // Rules belong to the operator.
            Event::Alert(_) => self.selection.sight.is_none(),
            Event::BreakerChanged(change) => provider.is_none_or(|name| name == &*change.provider),
            Event::CredentialChanged(change) => {
                provider.is_none_or(|name| name == &*change.provider)
            }
            Event::Log(line) => line.level >= self.level,
            Event::Second(_)
            | Event::InFlight(_)
            | Event::Audit(_)
            | Event::ConfigRevision(_)
            | Event::Skipped(_) => true,
        }
    }

    fn wants_finished(&self, log: &RequestLog) -> bool {
        self.status.is_none_or(|status| status.matches(log.status))
            && (!self.errors_only || Verdict::of(log) != Verdict::Good)
            && self.selection.takes(Facts::of(log))
    }
}
