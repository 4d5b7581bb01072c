//! Host names to addresses, from a cache that requests hardly ever wait for.
//!
//! - A fresh answer is given at once; one that has expired is given at once too, while a single look-up renews it in
//!   the background, until it is older than [`STALE_MAX`].
//! - Only the first requests to a name wait, all of them for the same look-up, and never for another name's.
//! - A failed look-up is remembered for [`FAILURE_TTL`], so that a dead resolver is not asked by every request.
//!
//! Of several addresses the first is used until somebody reports that it failed.

mod host;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::time::{Instant, timeout};

use self::host::{Host, Next};
use crate::tasks::Tasks;

/// How long an expired answer is still given when it cannot be renewed.
const STALE_MAX: Duration = Duration::from_secs(600);
/// How long a failure is remembered.
const FAILURE_TTL: Duration = Duration::from_secs(1);
/// The system's resolver may try for half a minute; no request waits that long.
const LOOKUP_TIME_LIMIT: Duration = Duration::from_secs(5);
/// Names kept. They come from the configuration, so this is a bound that only many reloads can reach.
const HOSTS_MAX: usize = 1024;

type Lookup = dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync;

/// The cache. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Dns(Arc<Inner>);

struct Inner {
    ttl: Duration,
    tasks: Tasks,
    lookup: Box<Lookup>,
    hosts: Mutex<HashMap<Box<str>, Arc<Host>>>,
}

impl Dns {
    /// A cache that asks the system's resolver again when an answer is older than `ttl`.
    pub fn new(ttl: Duration, tasks: Tasks) -> Self {
        Self::with_lookup(ttl, tasks, Box::new(|host| Box::pin(ask_system(host))))
    }

    fn with_lookup(ttl: Duration, tasks: Tasks, lookup: Box<Lookup>) -> Self {
        Self(Arc::new(Inner {
            ttl,
            tasks,
            lookup,
            hosts: Mutex::default(),
        }))
    }

    /// An address of `host`: a name, or an IP address with or without brackets.
    ///
    /// # Errors
    /// The resolver's, now or a moment ago.
    pub async fn resolve(&self, host: &str, port: u16) -> io::Result<SocketAddr> {
        if let Some(literal) = literal(host) {
            return Ok(SocketAddr::new(literal, port));
        }
        let known = self.host(host);
        let address = match known.next(Instant::now(), self.0.ttl) {
            Next::Use(address) => address,
            Next::UseAndRenew(address) => {
                self.look_up(host, &known);
                address
            }
            Next::Fail(error) => return Err(error),
            Next::LookUpAndWait(waiter) => {
                self.look_up(host, &known);
                waiter.wait().await?
            }
            Next::Wait(waiter) => waiter.wait().await?,
        };
        Ok(SocketAddr::new(address, port))
    }

    /// Says that nobody could be reached at `address`; the next request gets another one, if there is one.
    pub fn report_failure(&self, host: &str, address: SocketAddr) {
        let known = self.0.hosts.lock().get(host).cloned();
        if let Some(known) = known {
            known.turn_away_from(address.ip());
        }
    }

    fn host(&self, name: &str) -> Arc<Host> {
        let mut hosts = self.0.hosts.lock();
        if let Some(host) = hosts.get(name) {
            return Arc::clone(host);
        }
        if hosts.len() >= HOSTS_MAX {
            forget_oldest(&mut hosts);
        }
        let host = Arc::new(Host::default());
        hosts.insert(name.into(), Arc::clone(&host));
        host
    }

    /// Asks in a task of its own, so that it goes on when the request that began it is cancelled.
    fn look_up(&self, name: &str, host: &Arc<Host>) {
        let looking = host.looking_up();
        let (inner, name) = (Arc::clone(&self.0), name.to_owned());
        self.0.tasks.spawn("dns-lookup", async move {
            let answer = timeout(LOOKUP_TIME_LIMIT, (inner.lookup)(name.clone()))
                .await
                .unwrap_or_else(|_| Err(timed_out(&name)))
                .and_then(|addresses| not_empty(addresses, &name));
            looking.finish(answer, Instant::now());
        });
    }
}

impl fmt::Debug for Dns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dns")
            .field("ttl", &self.0.ttl)
            .finish_non_exhaustive()
    }
}

fn literal(host: &str) -> Option<IpAddr> {
    let inner = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    inner.unwrap_or(host).parse().ok()
}

async fn ask_system(host: String) -> io::Result<Vec<IpAddr>> {
    let found = tokio::net::lookup_host((host, 0)).await?;
    let mut addresses = Vec::new();
    for address in found.map(|address| address.ip()) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

fn not_empty(addresses: Vec<IpAddr>, name: &str) -> io::Result<Vec<IpAddr>> {
    if addresses.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("`{name}` has no address"),
        ));
    }
    Ok(addresses)
}

fn timed_out(name: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        format!("the resolver did not answer for `{name}` in time"),
    )
}

fn forget_oldest(hosts: &mut HashMap<Box<str>, Arc<Host>>) {
    let oldest = hosts
        .iter()
        .min_by_key(|(_, host)| host.asked_at())
        .map(|(name, _)| name.clone());
    if let Some(name) = oldest {
        hosts.remove(&name);
    }
}
