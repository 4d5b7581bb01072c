//! One name of the DNS cache: its last answer, and the look-up that may be under way.

use std::{io, net::IpAddr, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{sync::watch, time::Instant};

use super::{FAILURE_TTL, STALE_MAX};

/// ```text
/// nothing ──look up──▶ answer ◀──────────────┐
///    ▲                    │ ttl              │ look-up succeeds, or fails: the answer is
///    │ older than         ▼                  │ kept and not renewed for a moment
///    └──STALE_MAX──── expired ──look up──────┘
/// ```
#[derive(Debug)]
pub(super) struct Host {
    state: Mutex<State>,
    /// Counts the look-ups that have ended.
    ended: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    answer: Option<Answer>,
    failure: Option<Failure>,
    looking: bool,
}

#[derive(Debug)]
struct Answer {
    /// Never empty.
    addresses: Vec<IpAddr>,
    preferred: usize,
    at: Instant,
}

#[derive(Debug)]
struct Failure {
    kind: io::ErrorKind,
    message: String,
    at: Instant,
}

/// What a request for this name does next.
pub(super) enum Next {
    Use(IpAddr),
    /// The caller begins a look-up and does not wait for it.
    UseAndRenew(IpAddr),
    Fail(io::Error),
    /// The caller begins a look-up and waits for it.
    LookUpAndWait(Waiter),
    Wait(Waiter),
}

/// Waits for the look-up that is under way.
pub(super) struct Waiter {
    host: Arc<Host>,
    ended: watch::Receiver<u64>,
}

/// The one look-up that is under way; dropping it unfinished counts as a failure.
pub(super) struct Looking {
    host: Option<Arc<Host>>,
}

impl Default for Host {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            ended: watch::Sender::new(0),
        }
    }
}

impl Host {
    /// When the caller is told to look up, it is the only one until that look-up has ended.
    pub(super) fn next(self: &Arc<Self>, now: Instant, ttl: Duration) -> Next {
        let mut state = self.state.lock();
        let failing = state
            .failure
            .as_ref()
            .filter(|failure| now.duration_since(failure.at) < FAILURE_TTL);
        let usable = state
            .answer
            .as_ref()
            .map(|answer| (answer.preferred(), now.duration_since(answer.at)))
            .filter(|(_, age)| *age < ttl + STALE_MAX);
        match (usable, failing) {
            (Some((address, age)), _) if age < ttl || state.looking => Next::Use(address),
            (Some((address, _)), Some(_)) => Next::Use(address),
            (Some((address, _)), None) => {
                state.looking = true;
                Next::UseAndRenew(address)
            }
            (None, Some(failure)) if !state.looking => Next::Fail(failure.error()),
            (None, _) => {
                // Subscribed under the lock: the end of the look-up cannot slip in between.
                let waiter = Waiter {
                    host: Arc::clone(self),
                    ended: self.ended.subscribe(),
                };
                if std::mem::replace(&mut state.looking, true) {
                    Next::Wait(waiter)
                } else {
                    Next::LookUpAndWait(waiter)
                }
            }
        }
    }

    /// The guard of a look-up that [`Host::next`] has asked for.
    pub(super) fn looking_up(self: &Arc<Self>) -> Looking {
        Looking {
            host: Some(Arc::clone(self)),
        }
    }

    pub(super) fn turn_away_from(&self, failed: IpAddr) {
        if let Some(answer) = &mut self.state.lock().answer
            // Several requests may fail at one address; only the first report turns away from it.
            && answer.preferred() == failed
        {
            answer.preferred = (answer.preferred + 1) % answer.addresses.len();
        }
    }

    /// When this name was last answered; `None` sorts first.
    pub(super) fn asked_at(&self) -> Option<Instant> {
        self.state.lock().answer.as_ref().map(|answer| answer.at)
    }

    fn end_look_up(&self, answer: io::Result<Vec<IpAddr>>, now: Instant) {
        let mut state = self.state.lock();
        state.looking = false;
        match answer {
            Ok(addresses) => {
                state.failure = None;
                state.renew(addresses, now);
            }
            Err(error) => {
                state.failure = Some(Failure {
                    kind: error.kind(),
                    message: error.to_string(),
                    at: now,
                });
            }
        }
        drop(state);
        self.ended.send_modify(|count| *count += 1);
    }
}

impl State {
    /// Stays with the address in use while the name still has it: connections to it can be used again.
    fn renew(&mut self, addresses: Vec<IpAddr>, at: Instant) {
        let in_use = self.answer.as_ref().map(Answer::preferred);
        let preferred = addresses
            .iter()
            .position(|address| Some(*address) == in_use)
            .unwrap_or_default();
        self.answer = Some(Answer {
            addresses,
            preferred,
            at,
        });
    }
}

impl Answer {
    fn preferred(&self) -> IpAddr {
        self.addresses[self.preferred]
    }
}

impl Failure {
    fn error(&self) -> io::Error {
        io::Error::new(self.kind, self.message.clone())
    }
}

impl Waiter {
    pub(super) async fn wait(mut self) -> io::Result<IpAddr> {
        self.ended
            .changed()
            .await
            .expect("the sender lives in the host that this waiter holds");
        let state = self.host.state.lock();
        match (&state.failure, &state.answer) {
            (Some(failure), _) => Err(failure.error()),
            (None, Some(answer)) => Ok(answer.preferred()),
            (None, None) => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

impl Looking {
    pub(super) fn finish(mut self, answer: io::Result<Vec<IpAddr>>, now: Instant) {
        if let Some(host) = self.host.take() {
            host.end_look_up(answer, now);
        }
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        if let Some(host) = self.host.take() {
            let aborted = io::Error::new(io::ErrorKind::Interrupted, "the look-up was aborted");
            host.end_look_up(Err(aborted), Instant::now());
        }
    }
}
