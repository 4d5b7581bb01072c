//! Rounds of load: so many connections, each sending its next request when the last one is answered.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use bytes::Bytes;
use futures_util::future::try_join_all;
use hdrhistogram::Histogram;
use parking_lot::Mutex;
use tokio::net::TcpStream;

use super::{
    client::{Answer, Connection},
    dialect::Dialect,
};
use crate::tasks::Tasks;

/// The longest latency the histograms tell apart.
pub(super) const LATENCY_NANOS_MAX: u64 = 60_000_000_000;

/// A round that is not over so long after its time has failed.
const OVERTIME: Duration = Duration::from_secs(30);

/// Where to send what.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    pub(super) dialect: Dialect,
    /// Complete requests, sent in turn: several keys and models.
    pub(super) requests: Arc<[Bytes]>,
}

/// How much load, and what to time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) connections: usize,
    pub(super) duration: Duration,
    pub(super) timed: Timed,
}

/// What a latency is the latency of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timed {
    WholeAnswer,
    FirstContent,
    /// A stream to its last byte. One that has not so many events with content, or no proper end, fails the round.
    WholeStream {
        content_events: usize,
    },
}

/// What a round came to.
#[derive(Debug)]
pub(super) struct Round {
    /// Requests answered with 200, to the last byte. There are no others: one more and the round fails.
    pub(super) answered: u64,
    pub(super) elapsed: Duration,
    /// In nanoseconds.
    latency: Histogram<u64>,
}

impl Round {
    /// One that took a second, with these latencies in microseconds.
    #[cfg(test)]
    pub(super) fn with_latencies_us(latencies: &[u64]) -> Self {
        let mut latency = Histogram::new_with_bounds(100, LATENCY_NANOS_MAX, 3).unwrap();
        for micros in latencies {
            latency.record(micros * 1000).unwrap();
        }
        Self {
            answered: latency.len(),
            elapsed: Duration::from_secs(1),
            latency,
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "no round has 2^52 requests, and figures are printed with few digits"
    )]
    pub(super) fn requests_per_second(&self) -> f64 {
        self.answered as f64 / self.elapsed.as_secs_f64()
    }

    /// Microseconds.
    #[expect(
        clippy::cast_precision_loss,
        reason = "latencies are bounded by a minute"
    )]
    pub(super) fn latency_us(&self, quantile: f64) -> f64 {
        self.latency.value_at_quantile(quantile) as f64 / 1000.0
    }
}

/// Puts `load` on `target` and waits until every connection has its last answer.
///
/// # Errors
/// When a connection breaks, and when anything but a 200 comes back: figures of a failing gateway are worth nothing.
pub(super) async fn run_round(tasks: &Tasks, target: &Target, load: Load) -> anyhow::Result<Round> {
    let connections = try_join_all((0..load.connections).map(|_| connect(target))).await?;
    let latency = Histogram::new_with_bounds(100, LATENCY_NANOS_MAX, 3);
    let latency = Arc::new(Mutex::new(latency.expect("the bounds are in order")));
    let begun = Instant::now();
    // Spread over all requests, so that a round asks with as many keys as it can.
    let requests_each = target.requests.len().div_ceil(load.connections.max(1));
    let workers: Vec<_> = (0..)
        .zip(connections)
        .map(|(index, connection)| {
            let worker = Worker {
                connection,
                requests: target.requests.clone(),
                next_request: index * requests_each,
                latency: latency.clone(),
                timed: load.timed,
            };
            tasks.spawn("bench-worker", worker.run(begun + load.duration))
        })
        .collect();
    let all = async {
        for worker in workers {
            worker.await.context("a worker panicked")??;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(load.duration + OVERTIME, all)
        .await
        .context("a round did not end in time")??;
    let elapsed = begun.elapsed();
    let latency = latency.lock().clone();
    Ok(Round {
        answered: latency.len(),
        elapsed,
        latency,
    })
}

/// Opens `count` streams at once and returns when each has shown its first content. They last until they are dropped.
///
/// # Errors
/// When one of them does not become a stream.
pub(super) async fn hold_streams(
    target: &Target,
    count: usize,
) -> anyhow::Result<Vec<Connection<TcpStream>>> {
    let open = try_join_all((0..count).map(|index| async move {
        let mut connection = connect(target).await?;
        let request = &target.requests[index % target.requests.len()];
        let answer = connection.open_stream(request).await?;
        accept(answer, &connection)?;
        if answer.first_content.is_none() {
            bail!("a stream ended without content");
        }
        Ok(connection)
    }));
    tokio::time::timeout(OVERTIME, open)
        .await
        .context("the streams did not all begin in time")?
}

pub(super) async fn connect(target: &Target) -> anyhow::Result<Connection<TcpStream>> {
    let stream = TcpStream::connect(target.address)
        .await
        .with_context(|| format!("no connection to {}", target.address))?;
    stream.set_nodelay(true)?;
    Ok(Connection::new(stream, target.dialect))
}

struct Worker {
    connection: Connection<TcpStream>,
    requests: Arc<[Bytes]>,
    next_request: usize,
    /// All workers share one thread, so that this lock is never contended.
    latency: Arc<Mutex<Histogram<u64>>>,
    timed: Timed,
}

impl Worker {
    async fn run(mut self, until: Instant) -> anyhow::Result<()> {
        let mut begun = Instant::now();
        // One request at least: of an empty round there is nothing to say.
        loop {
            let request = &self.requests[self.next_request % self.requests.len()];
            self.next_request += 1;
            let answer = self.connection.exchange(request).await?;
            accept(answer, &self.connection)?;
            let ended = Instant::now();
            let timed = match self.timed {
                Timed::WholeAnswer | Timed::WholeStream { .. } => ended,
                Timed::FirstContent => answer
                    .first_content
                    .context("a stream ended without content")?,
            };
            let nanos = u64::try_from((timed - begun).as_nanos()).unwrap_or(u64::MAX);
            self.latency.lock().saturating_record(nanos);
            begun = self.checked(ended)?;
            if begun >= until {
                return Ok(());
            }
        }
    }

    /// When the next request may go: at once, or once the stream that `ended` was looked through.
    fn checked(&self, ended: Instant) -> anyhow::Result<Instant> {
        let Timed::WholeStream { content_events } = self.timed else {
            return Ok(ended);
        };
        let checked = self.connection.check_stream(content_events);
        checked.map_err(anyhow::Error::msg)?;
        Ok(Instant::now())
    }
}

/// Nothing but a 200 will do.
pub(super) fn accept(answer: Answer, connection: &Connection<TcpStream>) -> anyhow::Result<()> {
    if answer.status == 200 {
        return Ok(());
    }
    let body = String::from_utf8_lossy(connection.body());
    let start: String = body.chars().take(500).collect();
    bail!("a request was answered with {}: {start}", answer.status)
}
