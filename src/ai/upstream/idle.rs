//! Connections to providers that wait for their next request.
//!
//! Pingora's own pool watches every idle connection from a task that it spawns anew after each request, which costs
//! more than the rest of sending one. Here a connection is a value in a list: whether it still lives is asked when it
//! is taken, and a sweep closes those that have waited too long.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use parking_lot::Mutex;
use pingora::protocols::Stream;
use tokio::io::AsyncReadExt;

/// Idle HTTP/1.1 connections, by the peer they lead to.
#[derive(Debug)]
pub(super) struct IdleConnections {
    by_peer: Mutex<HashMap<u64, Vec<Idle>>>,
    /// For each peer; the longest idle one makes room.
    max_per_peer: usize,
    timeout: Duration,
}

#[derive(Debug)]
struct Idle {
    stream: Stream,
    since: Instant,
}

impl IdleConnections {
    pub(super) fn new(max_per_peer: usize, timeout: Duration) -> Self {
        Self {
            by_peer: Mutex::default(),
            max_per_peer,
            timeout,
        }
    }

    /// The connection to `peer` that was used last, if one is alive: the others may then grow old and be closed.
    pub(super) fn take(&self, peer: u64) -> Option<Stream> {
        loop {
            let mut idle = self.by_peer.lock().get_mut(&peer)?.pop()?;
            if idle.since.elapsed() < self.timeout && is_alive(&mut idle.stream) {
                return Some(idle.stream);
            }
        }
    }

    /// Keeps a connection whose last answer has been read to its end.
    pub(super) fn put(&self, peer: u64, stream: Stream) {
        let idle = Idle {
            stream,
            since: Instant::now(),
        };
        let mut by_peer = self.by_peer.lock();
        let list = by_peer.entry(peer).or_default();
        // Dropped after the lock is released: closing is a system call.
        let _oldest = (list.len() >= self.max_per_peer).then(|| list.remove(0));
        list.push(idle);
        drop(by_peer);
    }

    /// Closes connections that have waited too long or were closed by their provider.
    pub(super) fn sweep(&self) {
        let mut closed = Vec::new();
        self.by_peer.lock().retain(|_, list| {
            let alive =
                |idle: &mut Idle| idle.since.elapsed() < self.timeout && is_alive(&mut idle.stream);
            closed.extend(list.extract_if(.., |idle| !alive(idle)));
            !list.is_empty()
        });
        drop(closed);
    }
}

/// Nothing may come on an idle connection: neither its end nor data, which would answer a question nobody asked.
fn is_alive(stream: &mut Stream) -> bool {
    stream.read(&mut [0]).now_or_never().is_none()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    fn pool() -> IdleConnections {
        IdleConnections::new(2, Duration::from_secs(60))
    }

    fn pair() -> (Stream, DuplexStream) {
        let (near, far) = duplex(64);
        (Box::new(near), far)
    }

    #[tokio::test]
    async fn the_connection_used_last_is_taken_first_and_only_for_its_peer() {
        let pool = pool();
        let (first, _far_of_first) = pair();
        let (second, mut far_of_second) = pair();
        pool.put(1, first);
        pool.put(1, second);
        assert!(pool.take(2).is_none());
        let mut taken = pool.take(1).unwrap();
        taken.write_all(b"x").await.unwrap();
        assert_eq!(far_of_second.read_u8().await.unwrap(), b'x');
        assert!(pool.take(1).is_some());
        assert!(pool.take(1).is_none());
    }

    #[tokio::test]
    async fn a_closed_connection_and_one_that_speaks_unasked_are_not_given_out() {
        let pool = pool();
        let (closed, far) = pair();
        drop(far);
        let (chatty, mut far) = pair();
        far.write_all(b"hello?").await.unwrap();
        pool.put(1, closed);
        pool.put(1, chatty);
        assert!(pool.take(1).is_none());
    }

    #[tokio::test]
    async fn the_longest_idle_makes_room_and_a_sweep_closes_the_dead() {
        let pool = pool();
        let mut fars = Vec::new();
        for _ in 0..3 {
            let (near, far) = pair();
            pool.put(1, near);
            fars.push(far);
        }
        assert_eq!(
            fars[0].read(&mut [0]).await.unwrap(),
            0,
            "the oldest was closed"
        );
        fars.pop();
        pool.sweep();
        assert_eq!(pool.by_peer.lock()[&1].len(), 1);
        let none_may_wait = IdleConnections::new(2, Duration::ZERO);
        let (near, _far) = pair();
        none_may_wait.put(1, near);
        none_may_wait.sweep();
        assert!(none_may_wait.by_peer.lock().is_empty());
    }
}
