//! A pool of upstream servers: round robin over the healthy ones, with health learned from traffic alone.
//!
//! ```text
//!            health_failures_max in a row            health_cooldown has passed
//! in rotation ─────────────────────────▶ out ────────────────────────────▶ probing (one request)
//!      ▲                                  ▲                                   │
//!      └────────────── success ───────────┼────────────── failure ────────────┤
//!      └──────────────────────────────────┼─────────────── success ───────────┘
//! ```
//! When every server is out, the one that failed longest ago is tried all the same: our opinion may be stale, and a
//! refusal would help nobody. Only a pool that the operator switched off gives nothing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::HeaderValue;
use tokio::time::Instant;

use crate::config::{Upstream, UpstreamUrl};

/// The servers of one `[[upstreams]]` entry and what traffic says about them.
#[derive(Debug)]
pub struct Pool {
    pub name: Arc<str>,
    pub connect_timeout: Duration,
    pub read_timeout: Duration,
    pub write_timeout: Duration,
    pub idle_timeout: Duration,
    failures_max: u32,
    cooldown_ms: u64,
    enabled: bool,
    servers: Box<[Server]>,
    next: AtomicUsize,
    /// Times below are milliseconds since then.
    origin: Instant,
}

/// One server of a pool.
#[derive(Debug)]
pub struct Server {
    pub url: UpstreamUrl,
    /// What `Host` says: the name, and the port where it is not the scheme's own.
    pub authority: HeaderValue,
    failures: AtomicU32,
    /// When it may be probed again; 0 while it is in the rotation.
    out_until_ms: AtomicU64,
    failed_at_ms: AtomicU64,
    probing: AtomicBool,
}

impl Server {
    /// Whether it is out of the rotation.
    pub fn is_out(&self) -> bool {
        self.out_until_ms.load(Ordering::Relaxed) != 0
    }
}

impl Pool {
    /// `None` when a host is no header value; the configuration refuses such a host.
    pub(super) fn new(upstream: &Upstream) -> Option<Self> {
        let servers = upstream.urls.iter().map(server).collect::<Option<_>>()?;
        Some(Self {
            name: Arc::clone(&upstream.name),
            connect_timeout: upstream.connect_timeout,
            read_timeout: upstream.read_timeout,
            write_timeout: upstream.write_timeout,
            idle_timeout: upstream.idle_timeout,
            failures_max: upstream.health_failures_max,
            cooldown_ms: millis(upstream.health_cooldown),
            enabled: upstream.enabled,
            servers,
            next: AtomicUsize::new(0),
            origin: Instant::now(),
        })
    }

    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// The server for a request's first attempt; `None` only when the pool is switched off.
    pub fn pick(self: &Arc<Self>) -> Option<Pick> {
        self.pick_untried(&[])
    }

    /// The server for a further attempt, passing over those already `tried` (see [`Pick::index`]).
    pub fn pick_untried(self: &Arc<Self>, tried: &[usize]) -> Option<Pick> {
        if !self.enabled {
            return None;
        }
        let count = self.servers.len();
        let first = self.next.fetch_add(1, Ordering::Relaxed) % count.max(1);
        let candidates = (first..count).chain(0..first);
        let mut last_resort: Option<(u64, usize)> = None;
        for index in candidates.filter(|index| !tried.contains(index)) {
            let server = &self.servers[index];
            match server.out_until_ms.load(Ordering::Relaxed) {
                0 => return Some(self.picked(index, false)),
                until if self.now_ms() >= until && !server.probing.swap(true, Ordering::AcqRel) => {
                    return Some(self.picked(index, true));
                }
                _ => {}
            }
            let failed_at = server.failed_at_ms.load(Ordering::Relaxed);
            if last_resort.is_none_or(|(earliest, _)| failed_at < earliest) {
                last_resort = Some((failed_at, index));
            }
        }
        last_resort.map(|(_, index)| self.picked(index, false))
    }

    fn picked(self: &Arc<Self>, index: usize, probe: bool) -> Pick {
        Pick {
            pool: Arc::clone(self),
            index,
            probe,
        }
    }

    /// At least 1, since 0 means "in the rotation".
    fn now_ms(&self) -> u64 {
        millis(self.origin.elapsed()).saturating_add(1)
    }
}

/// One request's use of one server. Report how it went; dropped without a report (the client left) it says nothing
/// about the server and frees the probe for the next request.
#[derive(Debug)]
pub struct Pick {
    pool: Arc<Pool>,
    index: usize,
    probe: bool,
}

impl Pick {
    pub fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    pub fn server(&self) -> &Server {
        &self.pool.servers[self.index]
    }

    /// The server's place in its pool.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The server answered.
    pub fn succeeded(self) {
        let server = self.server();
        // Read first: in the usual case nothing is written, and no cache line is taken from the other cores.
        if server.failures.load(Ordering::Relaxed) != 0 {
            server.failures.store(0, Ordering::Relaxed);
        }
        if server.is_out() {
            server.out_until_ms.store(0, Ordering::Relaxed);
            tracing::info!(pool = %self.pool.name, server.host = %server.url.host, "an upstream server is back");
        }
    }

    /// The server could not be reached, broke the connection or did not answer in time.
    pub fn failed(self) {
        let server = self.server();
        let now = self.pool.now_ms();
        server.failed_at_ms.store(now, Ordering::Relaxed);
        let failures = server
            .failures
            .fetch_add(1, Ordering::Relaxed)
            .saturating_add(1);
        if failures < self.pool.failures_max {
            return;
        }
        let until = now.saturating_add(self.pool.cooldown_ms);
        if server.out_until_ms.swap(until, Ordering::Relaxed) == 0 {
            tracing::warn!(
                pool = %self.pool.name, server.host = %server.url.host, server.port = server.url.port, failures,
                "an upstream server is out of the rotation"
            );
        }
    }
}

impl Drop for Pick {
    fn drop(&mut self) {
        if self.probe {
            self.server().probing.store(false, Ordering::Release);
        }
    }
}

fn server(url: &UpstreamUrl) -> Option<Server> {
    let host = if url.host.contains(':') {
        format!("[{}]", url.host)
    } else {
        url.host.clone()
    };
    let own_port = if url.tls { 443 } else { 80 };
    let authority = if url.port == own_port {
        host
    } else {
        format!("{host}:{}", url.port)
    };
    Some(Server {
        url: url.clone(),
        authority: HeaderValue::try_from(authority).ok()?,
        failures: AtomicU32::new(0),
        out_until_ms: AtomicU64::new(0),
        failed_at_ms: AtomicU64::new(0),
        probing: AtomicBool::new(false),
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COOLDOWN: Duration = Duration::from_secs(10);

    fn pool(hosts: &[&str], enabled: bool) -> Arc<Pool> {
        let url = |host: &&str| UpstreamUrl {
            tls: false,
            host: (*host).to_owned(),
            port: 8080,
            base_path: String::new(),
        };
        let upstream = Upstream {
            name: "pool".into(),
            urls: hosts.iter().map(url).collect(),
            connect_timeout: COOLDOWN,
            read_timeout: COOLDOWN,
            write_timeout: COOLDOWN,
            idle_timeout: COOLDOWN,
            health_failures_max: 2,
            health_cooldown: COOLDOWN,
            enabled,
        };
        Arc::new(Pool::new(&upstream).unwrap())
    }

    fn hosts(pool: &Arc<Pool>, count: usize) -> String {
        let pick = |_| pool.pick().unwrap().server().url.host.clone();
        (0..count).map(pick).collect()
    }

    fn fail(pool: &Arc<Pool>, host: &str, times: usize) {
        for _ in 0..times {
            let others: Vec<_> = (0..pool.servers().len())
                .filter(|index| pool.servers()[*index].url.host != host)
                .collect();
            pool.pick_untried(&others).unwrap().failed();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn requests_go_round_and_pass_over_a_server_that_keeps_failing() {
        let pool = pool(&["a", "b", "c"], true);
        assert_eq!(hosts(&pool, 6), "abcabc");
        fail(&pool, "b", 1);
        assert!(hosts(&pool, 3).contains('b'), "one failure is not enough");
        fail(&pool, "b", 1);
        assert!(!hosts(&pool, 9).contains('b'));
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_between_two_failures_keeps_a_server_in() {
        let pool = pool(&["a"], true);
        pool.pick().unwrap().failed();
        pool.pick().unwrap().succeeded();
        pool.pick().unwrap().failed();
        assert!(!pool.servers()[0].is_out());
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_cooldown_one_request_at_a_time_probes() {
        let pool = pool(&["a", "b"], true);
        fail(&pool, "b", 2);
        tokio::time::advance(COOLDOWN).await;
        let picks: Vec<_> = (0..4).map(|_| pool.pick().unwrap()).collect();
        let probes = picks.iter().filter(|pick| pick.index() == 1).count();
        assert_eq!(
            probes, 1,
            "the others must not follow before the probe has reported"
        );

        // The client of the probe leaves: the next request probes instead.
        drop(picks);
        let probe = pool.pick_untried(&[0]).unwrap();
        probe.failed();
        assert!(
            !hosts(&pool, 4).contains('b'),
            "a failed probe starts the cooldown again"
        );

        tokio::time::advance(COOLDOWN).await;
        pool.pick_untried(&[0]).unwrap().succeeded();
        assert!(hosts(&pool, 4).contains('b'));
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_are_out_the_one_that_failed_longest_ago_is_tried() {
        let pool = pool(&["a", "b"], true);
        fail(&pool, "b", 2);
        tokio::time::advance(Duration::from_secs(1)).await;
        fail(&pool, "a", 2);
        assert_eq!(hosts(&pool, 3), "bbb");
        assert!(
            pool.pick_untried(&[0, 1]).is_none(),
            "nothing is left to try"
        );
    }

    #[test]
    fn a_pool_that_is_switched_off_gives_nothing() {
        assert!(pool(&["a"], false).pick().is_none());
    }

    #[test]
    fn the_authority_names_the_port_only_where_it_must() {
        for (tls, host, port, expected) in [
            (false, "a.example", 80, "a.example"),
            (true, "a.example", 443, "a.example"),
            (true, "a.example", 80, "a.example:80"),
            (false, "::1", 9000, "[::1]:9000"),
        ] {
            let url = UpstreamUrl {
                tls,
                host: host.into(),
                port,
                base_path: String::new(),
            };
            assert_eq!(server(&url).unwrap().authority, expected);
        }
    }
}
