//! How long it takes to find out whether a request may run: its policies, all limits and budgets of its key and its
//! tenants, and the settlement behind it, timed in this process without HTTP, provider and disk.

use std::{
    sync::{Arc, Barrier},
    time::Instant,
};

use anyhow::{Context, bail};
use ferrogate_api::TenantContext;
use hdrhistogram::Histogram;

use super::{population::Declared, setup::model_name};
use crate::clock::Clock;
use crate::config::{
    self, ApiKey, Config, ConfigIssue, Policy, Tenant, TenantIndex, effective_context,
    managed::{self, Known, ManagedNames},
};
use crate::governance::{
    AccountOptions, Accounts, Ask, KeyAccount, Path, Policies, Subject, ThresholdSink, Tree, Used,
};
use crate::store::ResourceKind;
use crate::tasks;

/// What one request is taken to use, and a little less than what it asks for.
const ASK: Ask = Ask {
    tokens: 4_110,
    cost_nanos: Some(2_500_000),
    charges: true,
};
const USED: Used = Used {
    tokens: 40,
    cost_nanos: Some(20_000),
};

/// The longest time that is told apart.
const NANOS_MAX: u64 = 1_000_000_000;

/// The rules and accounts of the whole population, as a gateway has them in memory.
#[derive(Debug)]
pub(super) struct Governance {
    policies: Policies,
    accounts: Accounts,
    /// One for each key.
    askers: Vec<Asker>,
    clock: Clock,
    /// Accounts are given up once nobody refers to them.
    _tree: Tree,
}

/// A key, and whom its requests are charged to.
#[derive(Debug)]
struct Asker {
    key_id: Arc<str>,
    tenant: TenantContext,
    path: Path,
    model: String,
}

/// One pass over all keys on one thread, and one on each of several at once.
#[derive(Debug)]
pub(super) struct Admissions {
    pub(super) alone: Timings,
    pub(super) contended: Timings,
    pub(super) threads: usize,
}

/// How long admissions took.
#[derive(Debug, Clone)]
pub(super) struct Timings(Histogram<u64>);

/// What the documents of a population say.
#[derive(Debug, Default)]
struct Resources {
    tenants: Vec<Arc<Tenant>>,
    api_keys: Vec<Arc<ApiKey>>,
    policies: Vec<Arc<Policy>>,
}

impl Governance {
    /// Compiles `declared` beside what the configuration says. Nothing was spent before.
    ///
    /// # Errors
    /// When a document is none.
    pub(super) fn of(config: &str, declared: &[Declared]) -> anyhow::Result<Self> {
        let loaded = config::parse(config, "ferrogate.toml", &|_| None)
            .context("the configuration of the benchmark is none")?;
        let resources = Resources::read(&loaded.config, declared)?;
        let clock = Clock::system();
        let now = clock.unix_ms();
        let options = AccountOptions {
            thresholds_percent: loaded.config.governance.budget_thresholds_percent.clone(),
            sink: ThresholdSink::new(|_| ()),
        };
        let accounts = Accounts::new(options, now);
        let tenants = TenantIndex::new(&resources.tenants);
        let context = |key: &Arc<ApiKey>| effective_context(key, &tenants);
        let contexts: Vec<_> = resources.api_keys.iter().map(context).collect();
        let keys = resources.api_keys.iter().zip(&contexts);
        let keys = keys.map(|(key, tenants)| KeyAccount {
            id: &key.id,
            tenants,
            limits: &key.limits,
        });
        let tree = accounts.compile(keys, &resources.tenants, &Tree::default());
        let unknown = accounts.open(&tree, now, |keys| keys).unwrap_or_default();
        let balances: Vec<_> = unknown.into_iter().map(|key| (key, 0)).collect();
        accounts.opened(&balances);
        let models = (0..4).map(model_name).cycle();
        let keys = resources.api_keys.iter().zip(contexts).zip(models);
        let askers = keys.map(|((key, tenant), model)| {
            let path = tree.path(&key.id).context("a key has no account")?;
            Ok(Asker {
                key_id: Arc::clone(&key.id),
                tenant,
                path: Arc::clone(path),
                model,
            })
        });
        Ok(Self {
            policies: Policies::build(&resources.policies),
            accounts,
            askers: askers.collect::<anyhow::Result<_>>()?,
            clock,
            _tree: tree,
        })
    }

    /// Admits and settles one request of each key, and then of each key on every thread.
    ///
    /// # Errors
    /// When one is refused, or there is no thread to be had.
    pub(super) fn time(self: &Arc<Self>) -> anyhow::Result<Admissions> {
        let threads = std::thread::available_parallelism()?.get();
        let alone = self.pass(0)?;
        let start = Arc::new(Barrier::new(threads));
        let pass = |index: usize| {
            let (governance, start) = (Arc::clone(self), Arc::clone(&start));
            let first = index * governance.askers.len() / threads;
            tasks::thread("bench-admission", move || {
                start.wait();
                governance.pass(first)
            })
        };
        let passes: Vec<_> = (0..threads).map(pass).collect::<Result<_, _>>()?;
        let mut contended = Timings::nothing()?;
        for pass in passes {
            let Ok(timings) = pass.join() else {
                bail!("an admission panicked");
            };
            contended.0.add(timings?.0)?;
        }
        Ok(Admissions {
            alone,
            contended,
            threads,
        })
    }

    /// One request of each key, beginning with key number `first`.
    fn pass(&self, first: usize) -> anyhow::Result<Timings> {
        let mut timings = Timings::nothing()?;
        let (before, after) = self.askers.split_at(first);
        for asker in after.iter().chain(before) {
            let begun = Instant::now();
            self.admit(asker)?;
            let nanos = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
            timings.0.saturating_record(nanos);
        }
        Ok(timings)
    }

    fn admit(&self, asker: &Asker) -> anyhow::Result<()> {
        let now = self.clock.unix_ms();
        let subject = Subject {
            key_id: &asker.key_id,
            tenant: &asker.tenant,
            model: &asker.model,
            provider: "mock",
            estimated_tokens: ASK.tokens,
            estimated_cost_nanos: ASK.cost_nanos,
            stream: false,
            at_unix_ms: now,
        };
        if let Some(policy) = self.policies.refuses(&subject) {
            bail!("{} refuses a request of the benchmark", policy.name);
        }
        let admitted = self.accounts.admit(&asker.path, ASK, now, |_| ());
        let mut permit = admitted.map_err(|refusal| refusal.error)?;
        permit.settle(USED, self.clock.unix_ms(), |_| ());
        Ok(())
    }
}

impl Resources {
    fn read(config: &Config, declared: &[Declared]) -> anyhow::Result<Self> {
        let known = Known::of(config, ManagedNames::default());
        let mut resources = Self::default();
        for Declared { kind, id, document } in declared {
            let refused = |issues: Vec<ConfigIssue>| {
                let issues: Vec<_> = issues.iter().map(ToString::to_string).collect();
                anyhow::anyhow!("{id} cannot be read: {}", issues.join("; "))
            };
            match kind {
                ResourceKind::Tenant => {
                    let tenant = managed::read_tenant(document).map_err(refused)?;
                    resources.tenants.push(Arc::new(tenant));
                }
                ResourceKind::ApiKey => {
                    let key = managed::read_api_key(document, &known).map_err(refused)?;
                    resources.api_keys.push(Arc::new(key));
                }
                ResourceKind::Policy => {
                    let policy = managed::read_policy(document, &known).map_err(refused)?;
                    resources.policies.push(Arc::new(policy));
                }
                ResourceKind::GatewayConfig
                | ResourceKind::Provider
                | ResourceKind::Model
                | ResourceKind::Upstream
                | ResourceKind::Route
                | ResourceKind::McpServer
                | ResourceKind::Alert => bail!("{id} has no part in an admission"),
            }
        }
        Ok(resources)
    }
}

impl Timings {
    fn nothing() -> anyhow::Result<Self> {
        let nothing = Histogram::new_with_bounds(10, NANOS_MAX, 3);
        Ok(Self(nothing.context("the bounds are not in order")?))
    }

    /// Of these microseconds each.
    #[cfg(test)]
    pub(super) fn of_micros(micros: &[u64]) -> Self {
        let mut timings = Self::nothing().unwrap();
        for micros in micros {
            timings.0.record(micros * 1000).unwrap();
        }
        timings
    }

    /// Microseconds; of 1.0 the slowest.
    #[expect(
        clippy::cast_precision_loss,
        reason = "an admission takes less than 2^52 ns"
    )]
    pub(super) fn micros(&self, quantile: f64) -> f64 {
        self.0.value_at_quantile(quantile) as f64 / 1000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::bench::{
        population::{Population, TENANTS},
        setup,
    };

    /// Enough that every tenant has one.
    const KEYS: usize = 1_000;

    fn governance(declared: &[Declared]) -> anyhow::Result<Arc<Governance>> {
        let config = setup::frame("127.0.0.1:9".parse().unwrap(), std::path::Path::new("data"));
        Governance::of(&config, declared).map(Arc::new)
    }

    #[test]
    fn the_whole_population_is_admitted_and_charged_on_every_level() {
        let declared = Population::of(KEYS).unwrap().declared();
        let governance = governance(&declared).unwrap();
        let levels = |asker: &Asker| asker.path.len();
        assert_eq!(governance.askers.len(), KEYS);
        assert!(governance.askers.iter().all(|asker| levels(asker) == 5));
        let admissions = governance.time().unwrap();
        let passes = u64::try_from(admissions.threads).unwrap();
        assert_eq!(admissions.alone.0.len(), u64::try_from(KEYS).unwrap());
        assert_eq!(
            admissions.contended.0.len(),
            passes * u64::try_from(KEYS).unwrap()
        );
        let balances = governance.accounts.balances();
        assert_eq!(balances.len(), 2 * (KEYS + TENANTS));
        assert!(
            balances
                .iter()
                .all(|(_, used, held)| *used > 0 && *held == 0)
        );
    }

    #[test]
    fn a_refused_request_is_no_figure() {
        let mut declared = Population::of(KEYS).unwrap().declared();
        let last = declared.len() - 1;
        declared[last].document =
            serde_json::json!({"name": "all", "effect": "deny", "message": "no"});
        let refused = governance(&declared).unwrap().time();
        assert!(refused.unwrap_err().to_string().contains("refuses"));
    }
}
