//! A steady load: so many requests a second, whatever becomes of the ones before.
//!
//! A request that has to wait for the one before it on its connection has waited since it was due, so that a pause of
//! the gateway is seen in everything that fell into it. What the load's own timer is late by is nobody's latency.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use bytes::Bytes;
use futures_util::future::try_join_all;
use hdrhistogram::Histogram;
use parking_lot::Mutex;
use tokio::net::TcpStream;

use super::{
    client::Connection,
    load::{LATENCY_NANOS_MAX, Target, accept, connect},
};
use crate::tasks::Tasks;

/// How fast requests follow each other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Enough of them that one slow request does not hold up all others.
    connections: u16,
    /// Between two requests of one connection.
    interval: Duration,
}

impl Pace {
    /// Far below what a gateway can do: 1,000 requests a second over all connections.
    pub(super) const EASY: Self = Self {
        connections: 8,
        interval: Duration::from_millis(8),
    };

    /// 2,000 requests a second.
    pub(super) const BUSY: Self = Self {
        connections: 32,
        interval: Duration::from_millis(16),
    };
}

/// A window that is not over so long after its time has failed.
const OVERTIME: Duration = Duration::from_secs(30);

/// What a window of steady load came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Window {
    /// Requests answered with 200, to the last byte. There are no others.
    pub(super) answered: u64,
    pub(super) slowest: Duration,
    /// The 99th percentile.
    pub(super) p99: Duration,
}

/// Keeps the load up for `duration`, and waits for what is under way then.
///
/// # Errors
/// When a connection breaks, and when anything but a 200 comes back.
pub(super) async fn run_window(
    tasks: &Tasks,
    target: &Target,
    pace: Pace,
    duration: Duration,
) -> anyhow::Result<Window> {
    let connections = try_join_all((0..pace.connections).map(|_| connect(target))).await?;
    let latency = Histogram::new_with_bounds(100, LATENCY_NANOS_MAX, 3);
    let latency = Arc::new(Mutex::new(latency.expect("the bounds are in order")));
    let begun = Instant::now();
    let end = begun + duration;
    let requests_each = target
        .requests
        .len()
        .div_ceil(usize::from(pace.connections));
    let workers = (0..pace.connections)
        .zip(connections)
        .map(|(index, connection)| {
            let worker = Worker {
                connection,
                requests: Arc::clone(&target.requests),
                next_request: usize::from(index) * requests_each,
                interval: pace.interval,
                // One after the other, not all at once.
                due: begun + pace.interval * u32::from(index) / u32::from(pace.connections),
                latency: Arc::clone(&latency),
            };
            tasks.spawn("bench-worker", worker.run(end))
        });
    let workers: Vec<_> = workers.collect();
    let all = async {
        let mut slowest = Duration::ZERO;
        for worker in workers {
            slowest = slowest.max(worker.await.context("a worker panicked")??);
        }
        anyhow::Ok(slowest)
    };
    let slowest = tokio::time::timeout(duration + OVERTIME, all)
        .await
        .context("a window of steady load did not end in time")??;
    let latency = latency.lock();
    Ok(Window {
        answered: latency.len(),
        slowest,
        p99: Duration::from_nanos(latency.value_at_quantile(0.99)),
    })
}

struct Worker {
    connection: Connection<TcpStream>,
    requests: Arc<[Bytes]>,
    next_request: usize,
    interval: Duration,
    /// When the next request is to be sent.
    due: Instant,
    /// All workers share one thread, so that this lock is never contended.
    latency: Arc<Mutex<Histogram<u64>>>,
}

impl Worker {
    /// Gives how long the slowest took.
    async fn run(mut self, end: Instant) -> anyhow::Result<Duration> {
        let mut slowest = Duration::ZERO;
        while self.due < end {
            let waits_since = self.begin().await;
            let request = &self.requests[self.next_request % self.requests.len()];
            self.next_request += 1;
            let answer = self.connection.exchange(request).await?;
            accept(answer, &self.connection)?;
            let took = waits_since.elapsed();
            slowest = slowest.max(took);
            let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
            self.latency.lock().saturating_record(nanos);
            self.due += self.interval;
        }
        Ok(slowest)
    }

    /// Waits until the next request is due, and says from when on it is to be timed.
    async fn begin(&self) -> Instant {
        if self.due <= Instant::now() {
            return self.due;
        }
        tokio::time::sleep_until(self.due.into()).await;
        Instant::now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::bench::{
        dialect::{Ask, Dialect},
        pairs::{Ends, Pair},
        setup::Setup,
    };
    use crate::simulator::{Options, Simulator};

    /// A window straight at a simulated provider that answers as its flags say.
    async fn window(model: &str, duration: Duration) -> anyhow::Result<Window> {
        let simulator = Simulator::bind("127.0.0.1:0".parse().unwrap(), Options::default())?;
        let address = simulator.address();
        let tasks = Tasks::default();
        drop(tasks.spawn("simulator", simulator.serve(tasks.clone())));
        let ends = Ends {
            provider: address,
            gateway: address,
        };
        let sides = Pair::PASSING.sides(Ask::Short, &Setup::new()?, ends);
        let target = Target {
            requests: [Dialect::Chat.request(model, "any", Ask::Short)].into(),
            ..sides.direct
        };
        let window = run_window(&Tasks::default(), &target, Pace::EASY, duration).await;
        tasks.drain().await;
        window
    }

    #[tokio::test]
    async fn requests_go_out_at_their_pace() {
        let window = window("gpt-4o-mini", Duration::from_millis(64))
            .await
            .unwrap();
        assert_eq!(window.answered, 64);
        assert!(window.slowest > Duration::ZERO);
        assert!(window.p99 > Duration::ZERO && window.p99 <= window.slowest * 11 / 10);
    }

    #[tokio::test]
    async fn a_request_waits_from_when_it_was_due() {
        // Each takes longer than the pace allows, so that the last of three has waited for two others.
        let slow = window("gpt-4o-mini+ttft_ms=40", Duration::from_millis(20));
        let window = slow.await.unwrap();
        assert_eq!(window.answered, 3 * 4 + 2 * 4);
        assert!(
            window.slowest >= Duration::from_millis(3 * 40 - 2 * 8),
            "{window:?}"
        );
    }

    #[tokio::test]
    async fn a_refusal_fails_the_window() {
        let refused = window("gpt-4o-mini+fault=429", Duration::from_millis(8)).await;
        assert!(refused.unwrap_err().to_string().contains("429"));
    }
}
