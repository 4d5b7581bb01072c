//! A node: its ledger, its counters, and the runtime they live in.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

use ferrogate_api::{AccountKind, AccountRef, BudgetUnit};
use parking_lot::Mutex;
use tokio::runtime::Runtime;

use super::{
    super::{
        BalanceKey, OwnBalances, Setup, SharedAccount, SharedAsk, SharedBudget, SharedCounters,
        SharedHold, SharedRefusal,
    },
    server::{RedisServer, eventually},
};
use crate::config::{Cluster, CounterBackend, Secret, StateBackend};
use crate::outbound::Dns;
use crate::tasks::Tasks;

/// What a node's own accounts would say. It outlives its node.
#[derive(Default)]
pub(super) struct Ledger {
    settled: Mutex<HashMap<BalanceKey, i64>>,
    asking: AtomicBool,
}

impl Ledger {
    pub(super) fn add(&self, key: &BalanceKey, amount: i64) {
        *self.settled.lock().entry(key.clone()).or_default() += amount;
    }

    /// Whether the ledger is still being read.
    pub(super) fn set_asking(&self, asking: bool) {
        self.asking.store(asking, Ordering::SeqCst);
    }
}

impl OwnBalances for Ledger {
    fn all(&self) -> Option<Vec<(BalanceKey, i64)>> {
        let settled = self.settled.lock();
        let all = settled.iter().map(|(key, value)| (key.clone(), *value));
        (!self.asking.load(Ordering::SeqCst)).then(|| all.collect())
    }

    fn settled(&self, keys: &[BalanceKey]) -> Vec<Option<i64>> {
        let settled = self.settled.lock();
        let value = |key| settled.get(key).copied().unwrap_or_default();
        let known = !self.asking.load(Ordering::SeqCst);
        keys.iter().map(|key| known.then(|| value(key))).collect()
    }
}

pub(super) struct Node {
    runtime: Option<Runtime>,
    pub(super) tasks: Tasks,
    pub(super) ledger: Arc<Ledger>,
    pub(super) counters: Arc<SharedCounters>,
}

/// How a node is set up.
#[derive(Clone)]
pub(super) struct Options {
    pub(super) heartbeat: Duration,
    pub(super) timeout: Duration,
    pub(super) orphans_charged: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(2),
            timeout: Duration::from_secs(10),
            orphans_charged: false,
        }
    }
}

impl Options {
    /// Heartbeats so rare that nothing is put right by one of them.
    pub(super) fn slow() -> Self {
        Self {
            heartbeat: Duration::from_secs(600),
            ..Self::default()
        }
    }

    /// Heartbeats so fast that a test need not wait long for a death.
    pub(super) fn quick() -> Self {
        Self {
            heartbeat: Duration::from_millis(400),
            ..Self::default()
        }
    }
}

impl Node {
    /// A node that admits.
    pub(super) async fn start(server: &RedisServer, id: &str, options: Options) -> Self {
        let node = Self::begin(&server.url(), id, options, Arc::default());
        node.opens().await;
        node
    }

    pub(super) fn begin(url: &str, id: &str, options: Options, ledger: Arc<Ledger>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let guard = runtime.enter();
        let tasks = Tasks::default();
        let own: Arc<dyn OwnBalances> = Arc::<Ledger>::clone(&ledger);
        let setup = Setup {
            options: &cluster(url, id, &options),
            tasks: &tasks,
            dns: Dns::new(Duration::from_secs(60), tasks.clone()),
            own,
            orphans_charged: options.orphans_charged,
        };
        let counters = Arc::new(SharedCounters::start(setup).unwrap());
        drop(guard);
        Self {
            runtime: Some(runtime),
            tasks,
            ledger,
            counters,
        }
    }

    pub(super) async fn opens(&self) {
        eventually("the node admits", || async {
            self.counters.status().open.then_some(())
        })
        .await;
    }

    /// What `ask` comes to once the counters can be reached.
    pub(super) async fn admit(&self, ask: &SharedAsk<'_>) -> Result<SharedHold, SharedRefusal> {
        eventually("the counters answer", || async {
            match self.counters.admit(ask).await {
                Err(SharedRefusal::Unavailable(_)) => None,
                answer => Some(answer),
            }
        })
        .await
    }

    /// The request has used `used`: charged in the node's ledger, then settled.
    pub(super) fn settle(&self, hold: SharedHold, key: &BalanceKey, used: i64) {
        self.ledger.add(key, used);
        hold.settle(u64::try_from(used).unwrap(), Vec::new());
    }

    /// Vanishes the way a killed process does.
    pub(super) fn vanish(mut self) -> Arc<Ledger> {
        self.runtime.take().unwrap().shutdown_background();
        Arc::clone(&self.ledger)
    }

    /// Stands still until the answer is dropped, as a process does that gets no time.
    pub(super) fn stand_still(&self) -> mpsc::Sender<()> {
        let (go_on, wait) = mpsc::channel::<()>();
        let (begun, still) = mpsc::channel();
        self.runtime.as_ref().unwrap().spawn(async move {
            begun.send(()).unwrap();
            wait.recv().ok();
        });
        still.recv().unwrap();
        go_on
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn cluster(url: &str, id: &str, options: &Options) -> Cluster {
    Cluster {
        enabled: true,
        cluster_id: "test".into(),
        node_id: id.into(),
        node_region: None,
        node_zone: None,
        state_backend: StateBackend::Local,
        file_state_path: None,
        counter_backend: CounterBackend::Redis,
        redis_url: Some(Secret::new(url)),
        redis_connections: 4,
        counter_timeout: options.timeout,
        heartbeat_interval: options.heartbeat,
        config_poll_interval: Duration::from_secs(5),
    }
}

pub(super) fn account(kind: AccountKind, id: &str) -> AccountRef {
    AccountRef {
        kind,
        id: id.into(),
    }
}

pub(super) fn organization() -> AccountRef {
    account(AccountKind::Organization, "acme:1")
}

/// A balance that never ends.
pub(super) fn total_of(account: &AccountRef) -> BalanceKey {
    BalanceKey {
        account: account.clone(),
        unit: BudgetUnit::Tokens,
        start_unix_ms: 0,
        end_unix_ms: i64::MAX,
    }
}

/// `amount` of a budget of `limit`, on an account without other limits.
pub(super) fn budget(account: &AccountRef, limit: i64, amount: i64) -> SharedAccount<'_> {
    SharedAccount {
        account,
        requests_per_minute: None,
        tokens_per_minute: None,
        concurrency: None,
        budgets: vec![SharedBudget {
            unit: BudgetUnit::Tokens,
            start_unix_ms: 0,
            end_unix_ms: i64::MAX,
            limit,
            amount,
        }],
    }
}

pub(super) fn ask(accounts: Vec<SharedAccount<'_>>) -> SharedAsk<'_> {
    SharedAsk {
        accounts,
        tokens: 10,
    }
}
