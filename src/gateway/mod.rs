//! Everything a request can reach, wired together once per process.

mod alerts;
mod budgets;
mod changes;
mod cluster;
mod documents;
mod drain;
mod first_key;
mod managed;
mod reload;
mod resources;
mod revisions;
mod secrets;
mod snapshot;
mod start;
mod transfer;

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, OnceLock, atomic::AtomicU64},
    time::Duration,
};

use arc_swap::ArcSwap;
use thiserror::Error;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::ai::Ai;
use crate::ai::health::{Health, HealthOptions, HealthSink};
use crate::ai::upstream::{Upstream, UpstreamOptions};
use crate::cache::Cache;
use crate::clock::Clock;
use crate::cluster::counters::CountersError;
use crate::cluster::shared_state::StateSync;
use crate::config::Config;
use crate::error::RequestError;
use crate::governance::{AccountOptions, Accounts, AuthFailures, Tree};
use crate::live::Live;
use crate::metering::Meter;
use crate::metering::watch::Watch;
use crate::observability::{AccessLogger, Metrics};
use crate::outbound::Dns;
use crate::store::{Store, StoreError};
use crate::tasks::Tasks;

/// Most requests that began with a snapshot have ended so long after it was replaced.
const OLD_SNAPSHOT_REST: Duration = Duration::from_secs(1);

pub use alerts::AlertStatus;
use alerts::Alerts;
pub use budgets::{NewAdjustment, Reprice};
pub use changes::{Actor, Change, IfMatch, etag};
pub use cluster::Readiness;
pub use drain::Drain;
pub use managed::{Managed, ManagedSet};
pub use reload::ConfigSource;
use reload::InForce;
pub use resources::{PutMode, PutResource};
use secrets::Secrets;
use snapshot::Fixed;
pub use snapshot::{Snapshot, SnapshotError};

/// The gateway. What a reload replaces is in its [`Snapshot`]; everything else lives as long as the process.
#[derive(Debug)]
pub struct Gateway {
    snapshot: ArcSwap<Snapshot>,
    pub store: Store,
    pub live: Live,
    pub metrics: Arc<Metrics>,
    pub meter: Arc<Meter>,
    pub ai: Ai,
    pub dns: Dns,
    pub drain: Drain,
    pub clock: Clock,
    pub tasks: Tasks,
    pub started_at_unix_ms: i64,
    listening: OnceLock<Listening>,
    alerts: Alerts,
    secrets: Secrets,
    /// The file it was started with.
    config_path: Option<PathBuf>,
    /// How the file in force came to be.
    in_force: parking_lot::Mutex<InForce>,
    /// The newest entry of the history.
    revision: AtomicU64,
    /// The file that nodes share, where they do.
    state_sync: Option<StateSync>,
    /// Changes of the configuration wait for each other.
    changes: Mutex<()>,
}

/// Where the gateway can be reached, with the ports that were really bound.
#[derive(Debug, Clone)]
pub struct Listening {
    pub gateway: SocketAddr,
    pub admin: Option<SocketAddr>,
    pub admin_socket: PathBuf,
}

/// Why the gateway could not be put together.
#[derive(Debug, Error)]
pub enum BuildError {
    #[error("the database could not be used")]
    Store(#[from] StoreError),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error("the balances of budgets could not be read: {0}")]
    Balances(#[from] RequestError),
    #[error("the counters that nodes share cannot be set up")]
    Counters(#[from] CountersError),
    #[error("the first admin key could not be written to {path}")]
    FirstKey {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

impl Gateway {
    /// Opens the databases, makes the first admin key if there is none, and compiles the configuration.
    ///
    /// # Errors
    /// [`BuildError`]; nothing is left running then.
    pub async fn build(config: Config, clock: Clock, tasks: Tasks) -> Result<Self, BuildError> {
        let store = Store::open_with_backups(&config.storage, &config.backup, clock.clone())?;
        let now = clock.unix_ms();
        let state_sync = cluster::open_state(&config, &clock, &store).await?;
        first_key::ensure(&config, &store, now).await?;
        let config = Arc::new(config);
        let rows = store.resources().await?;
        if let Some(sync) = &state_sync {
            cluster::publish(sync, &rows).await;
        }
        let managed = ManagedSet::read(&config, rows).map_err(SnapshotError::Unusable)?;
        let metrics = Arc::new(Metrics::new());
        let live = Live::new(clock.clone(), &config.admin);
        let told = live.clone();
        store.on_audit(move |event| told.audit(event));
        let accounts = Accounts::new(
            AccountOptions {
                thresholds_percent: config.governance.budget_thresholds_percent.clone(),
                sink: budgets::threshold_sink(&live, &metrics, &clock),
            },
            now,
        );
        let dns = Dns::new(config.reliability.dns_ttl, tasks.clone());
        let secrets = Secrets::new(&config.secrets);
        let fixed = Fixed::of(None, Arc::clone(&config), &managed, &secrets, dns.clone())?;
        let snapshot = Snapshot::build(fixed, managed, (&accounts, &Tree::default()))?;
        register_names(&metrics, &snapshot.config);
        let meter = Arc::new(Meter {
            store: store.clone(),
            live: live.clone(),
            metrics: Arc::clone(&metrics),
            access_log: AccessLogger::new(&config.telemetry, clock.clone()),
            clock: clock.clone(),
            settle: config.storage.settle,
            watch: Watch::new(clock.clone()),
        });
        let limits = config.reliability.clone();
        let options = UpstreamOptions {
            connect_timeout: limits.provider_connect_timeout,
            idle_connections_max: limits.provider_idle_connections_max,
            idle_timeout: limits.provider_idle_timeout,
        };
        let cache = Cache::new(&config.cache, clock.clone(), Some(store.clone()));
        cache.restore().await;
        let ai = Ai {
            upstream: Arc::new(Upstream::new(dns.clone(), options)),
            accounts,
            auth_failures: AuthFailures::default(),
            cache,
            shared: None,
            health: Health::new(HealthOptions::from(&limits))
                .telling(HealthSink::live(&live, &clock)),
            store: store.clone(),
            limits: ArcSwap::from_pointee(limits),
            metrics: Arc::clone(&metrics),
            clock: clock.clone(),
            tasks: tasks.clone(),
            cut: CancellationToken::new(),
        };
        let alerts = Alerts::new(dns.clone(), clock.clone());
        let mut gateway = Self {
            snapshot: ArcSwap::from_pointee(snapshot),
            store,
            live,
            metrics,
            meter,
            ai,
            dns,
            drain: Drain::default(),
            started_at_unix_ms: clock.unix_ms(),
            clock,
            tasks,
            listening: OnceLock::new(),
            alerts,
            secrets,
            config_path: config.path.clone(),
            in_force: parking_lot::Mutex::new(InForce {
                since_unix_ms: now,
                persisted: true,
            }),
            revision: AtomicU64::new(0),
            state_sync,
            changes: Mutex::default(),
        };
        gateway.open_balances(&gateway.snapshot().tree).await?;
        gateway.load_raises().await?;
        gateway.note_start().await?;
        // Once it is known what this node has spent: the others count on it.
        gateway.ai.shared = cluster::start_counters(&gateway, &config)?;
        Ok(gateway)
    }

    /// What requests are answered by right now. A request keeps the one it started with.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// What requests are answered by from now on.
    fn swap(&self, candidate: Snapshot) {
        register_names(&self.metrics, &candidate.config);
        self.store.configure_backups(&candidate.config.backup);
        let old = self.snapshot.swap(Arc::new(candidate));
        let stop = self.tasks.clone();
        // With thousands of keys it takes a moment to let it go: not by the request that happens to be its last.
        self.tasks.spawn("old-snapshot", async move {
            tokio::select! {
                () = tokio::time::sleep(OLD_SNAPSHOT_REST) => {}
                () = stop.stopping() => {}
            }
            tokio::task::spawn_blocking(move || drop(old)).await.ok();
        });
    }

    /// Notes where the process listens; called once, before the first request.
    pub fn set_listening(&self, listening: Listening) {
        self.listening.get_or_init(|| listening);
    }

    pub fn listening(&self) -> Option<&Listening> {
        self.listening.get()
    }
}

/// Metrics know every model and provider by name, and all others as one.
fn register_names(metrics: &Metrics, config: &Config) {
    metrics.register_names(
        config.models.iter().map(|model| &*model.name),
        config.providers.iter().map(|provider| &*provider.name),
    );
}
