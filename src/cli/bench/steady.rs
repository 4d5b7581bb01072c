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
use tokio::net::TcpStream;

use super::{
    client::Connection,
    load::{Target, accept, connect},
};
use crate::tasks::Tasks;

/// Enough that one slow request does not hold up all others.
const CONNECTIONS: u16 = 8;

/// Far below what a gateway can do: 1,000 requests a second over all connections.
const INTERVAL: Duration = Duration::from_millis(8);

/// A window that is not over so long after its time has failed.
const OVERTIME: Duration = Duration::from_secs(30);

/// What a window of steady load came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Window {
    /// Requests answered with 200, to the last byte. There are no others.
    pub(super) answered: u64,
    pub(super) slowest: Duration,
}

/// Keeps the load up for `duration`, and waits for what is under way then.
///
/// # Errors
/// When a connection breaks, and when anything but a 200 comes back.
pub(super) async fn run_window(
    tasks: &Tasks,
    target: &Target,
    duration: Duration,
) -> anyhow::Result<Window> {
    let connections = try_join_all((0..CONNECTIONS).map(|_| connect(target))).await?;
    let begun = Instant::now();
    let end = begun + duration;
    let requests_each = target.requests.len().div_ceil(usize::from(CONNECTIONS));
    let workers = (0..CONNECTIONS)
        .zip(connections)
        .map(|(index, connection)| {
            let worker = Worker {
                connection,
                requests: Arc::clone(&target.requests),
                next_request: usize::from(index) * requests_each,
                // One after the other, not all at once.
                due: begun + INTERVAL * u32::from(index) / u32::from(CONNECTIONS),
            };
            tasks.spawn("bench-worker", worker.run(end))
        });
    let workers: Vec<_> = workers.collect();
    let all = async {
        let mut window = Window::default();
        for worker in workers {
            window.add(worker.await.context("a worker panicked")??);
        }
        anyhow::Ok(window)
    };
    tokio::time::timeout(duration + OVERTIME, all)
        .await
        .context("a window of steady load did not end in time")?
}

impl Window {
    fn add(&mut self, other: Self) {
        self.answered += other.answered;
        self.slowest = self.slowest.max(other.slowest);
    }
}

struct Worker {
    connection: Connection<TcpStream>,
    requests: Arc<[Bytes]>,
    next_request: usize,
    /// When the next request is to be sent.
    due: Instant,
}

impl Worker {
    async fn run(mut self, end: Instant) -> anyhow::Result<Window> {
        let mut window = Window::default();
        while self.due < end {
            let waits_since = self.begin().await;
            let request = &self.requests[self.next_request % self.requests.len()];
            self.next_request += 1;
            let answer = self.connection.exchange(request).await?;
            accept(answer, &self.connection)?;
            window.add(Window {
                answered: 1,
                slowest: waits_since.elapsed(),
            });
            self.due += INTERVAL;
        }
        Ok(window)
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
        let window = run_window(&Tasks::default(), &target, duration).await;
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
