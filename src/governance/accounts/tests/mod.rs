mod budgets;
mod model;
mod opening;
mod periods;
mod permits;
mod rates;
mod threads;
mod thresholds;

use ferrogate_api::{AccountKind, AccountRef, BudgetPeriod, BudgetUnit, TenantContext};
use jiff::tz::TimeZone;

use super::*;
use crate::config::{AccountLimits, Budget, TenantKind};
use crate::error::ErrorKind;

/// 2026-01-01T00:00:00Z
const NOW_MS: i64 = 1_767_225_600_000;
const HOUR_MS: i64 = 3_600_000;

/// Accounts with one configuration, whose keys all belong to all of its tenants.
struct World {
    accounts: Accounts,
    tree: Tree,
    crossed: Arc<Mutex<Vec<ThresholdCrossed>>>,
}

impl World {
    /// A configuration in force: the ledger knew nothing of its budgets.
    fn new(declared: &[(&str, AccountLimits)], now_unix_ms: i64) -> Self {
        let mut world = Self::unopened(declared, now_unix_ms);
        world.reload(declared, now_unix_ms);
        world
    }

    fn unopened(declared: &[(&str, AccountLimits)], now_unix_ms: i64) -> Self {
        let crossed = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&crossed);
        let options = Options {
            thresholds_percent: vec![100, 50, 80],
            sink: ThresholdSink::new(move |threshold| heard.lock().push(threshold)),
        };
        let accounts = Accounts::new(options, now_unix_ms);
        Self {
            tree: compile(&accounts, declared),
            accounts,
            crossed,
        }
    }

    fn reload(&mut self, declared: &[(&str, AccountLimits)], now_unix_ms: i64) {
        self.tree = compile(&self.accounts, declared);
        if let Some(keys) = self.accounts.open(&self.tree, now_unix_ms, |keys| keys) {
            let balances: Vec<_> = keys.into_iter().map(|key| (key, 0)).collect();
            self.accounts.opened(&balances);
        }
    }

    fn admit(&self, key: &str, ask: Ask, now_unix_ms: i64) -> Result<Permit, Box<Refusal>> {
        let path = self.tree.path(key).unwrap();
        self.accounts.admit(path, ask, now_unix_ms, |_| ())
    }

    /// Admits and settles to exactly what was asked for.
    fn spend(&self, key: &str, ask: Ask, now_unix_ms: i64) -> Result<(), Box<Refusal>> {
        let mut permit = self.admit(key, ask, now_unix_ms)?;
        let used = Used {
            tokens: ask.tokens,
            cost_nanos: ask.cost_nanos,
        };
        permit.settle(used, now_unix_ms, |_| ());
        Ok(())
    }

    fn view(&self, account: &str, now_unix_ms: i64) -> AccountView {
        let account = self.tree.account(&account.parse().unwrap()).unwrap();
        self.accounts.view(account, now_unix_ms)
    }

    /// Used and held of the account's first budget.
    fn budget(&self, account: &str, now_unix_ms: i64) -> (i64, i64) {
        let status = self.view(account, now_unix_ms).budgets.remove(0).status;
        (status.used, status.held)
    }

    /// What no request may change that was not let in.
    fn everything(&self, now_unix_ms: i64) -> Vec<AccountView> {
        let mut views = self.accounts.views(self.tree.accounts(), now_unix_ms);
        views.sort_by(|one, other| one.account.cmp(&other.account));
        views
    }

    fn crossed_percents(&self) -> Vec<u8> {
        let crossed = std::mem::take(&mut *self.crossed.lock());
        crossed.iter().map(|crossed| crossed.percent).collect()
    }
}

fn compile(accounts: &Accounts, declared: &[(&str, AccountLimits)]) -> Tree {
    let declared: Vec<(AccountRef, &AccountLimits)> = declared
        .iter()
        .map(|(id, limits)| (id.parse().unwrap(), limits))
        .collect();
    let tenants: Vec<Arc<Tenant>> = declared
        .iter()
        .filter_map(|(id, limits)| Some(Arc::new(tenant(id, limits)?)))
        .collect();
    let id_of = |kind| {
        let found = declared.iter().find(|(id, _)| id.kind == kind);
        found.map(|(id, _)| Arc::clone(&id.id))
    };
    let context = TenantContext {
        organization_id: id_of(AccountKind::Organization),
        team_id: id_of(AccountKind::Team),
        project_id: id_of(AccountKind::Project),
        user_id: id_of(AccountKind::User),
    };
    let keys = declared
        .iter()
        .filter(|(id, _)| id.kind == AccountKind::Key)
        .map(|(id, limits)| KeyAccount {
            id: &id.id,
            tenants: &context,
            limits,
        });
    accounts.compile(keys, &tenants, &Tree::default())
}

fn tenant(id: &AccountRef, limits: &AccountLimits) -> Option<Tenant> {
    let kind = match id.kind {
        AccountKind::Key => return None,
        AccountKind::User => TenantKind::User,
        AccountKind::Project => TenantKind::Project,
        AccountKind::Team => TenantKind::Team,
        AccountKind::Organization => TenantKind::Organization,
    };
    Some(Tenant {
        kind,
        id: Arc::clone(&id.id),
        name: id.id.to_string(),
        parent: None,
        enabled: true,
        limits: limits.clone(),
    })
}

fn no_limits() -> AccountLimits {
    AccountLimits::default()
}

fn requests(limit: u64) -> AccountLimits {
    AccountLimits {
        requests_per_minute: Some(limit),
        ..no_limits()
    }
}

fn tokens_per_minute(limit: u64) -> AccountLimits {
    AccountLimits {
        tokens_per_minute: Some(limit),
        ..no_limits()
    }
}

fn concurrency(limit: u64) -> AccountLimits {
    AccountLimits {
        concurrency: Some(limit),
        ..no_limits()
    }
}

fn budgets(budgets: &[Budget]) -> AccountLimits {
    AccountLimits {
        budgets: budgets.to_vec(),
        ..no_limits()
    }
}

fn token_budget(amount: i64, period: BudgetPeriod) -> Budget {
    Budget {
        id: format!("{}-tokens", period.as_str()).into(),
        unit: BudgetUnit::Tokens,
        amount,
        period,
        time_zone: TimeZone::UTC,
        time_zone_name: "UTC".into(),
    }
}

fn money_budget(amount: i64, period: BudgetPeriod) -> Budget {
    Budget {
        id: format!("{}-money", period.as_str()).into(),
        unit: BudgetUnit::Money,
        ..token_budget(amount, period)
    }
}

fn in_zone(budget: Budget, name: &str) -> Budget {
    Budget {
        time_zone: TimeZone::get(name).unwrap(),
        time_zone_name: name.into(),
        ..budget
    }
}

fn ask(tokens: u64) -> Ask {
    Ask {
        tokens,
        cost_nanos: Some(0),
        charges: true,
    }
}

fn used(tokens: u64) -> Used {
    Used {
        tokens,
        cost_nanos: Some(0),
    }
}

fn at(time: &str) -> i64 {
    let zoned: jiff::Zoned = time.parse().unwrap();
    zoned.timestamp().as_millisecond()
}
