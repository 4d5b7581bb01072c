//! Authentications that failed: how often one address may fail, and what the audit log is told of all of them.
//!
//! 1. Only a wrong secret counts: a request without one is answered at once, and one whose key is switched off or has
//!    ended names its key.
//! 2. An address that sent too many wrong ones within a minute is told to wait, and what it presents is not looked up.
//!    The exception is a secret of the form that the gateway itself makes: it has 192 random bits and a checksum, which
//!    nobody guesses, and so a client is not locked out by its neighbours behind one address. What an operator chose can
//!    be guessed, and is not let through.
//! 3. An IPv6 client has 2⁶⁴ addresses to itself, and counts as one.
//! 4. The audit log gets one row a minute for each address and kind of failure, with their number, and not one for each:
//!    otherwise whoever sends wrong keys decides how large it becomes.
//!
//! Both tables are bounded. Addresses beyond the bound share one window, and rows beyond it become one row.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use http::HeaderMap;
use parking_lot::Mutex;

use super::credential;
use crate::error::{ErrorKind, RequestError};
use crate::secret_hash;

const WINDOW: Duration = Duration::from_secs(60);
const ADDRESSES_MAX: usize = 16_384;
const ROWS_MAX: usize = 256;
/// Refusals of known callers that get a row of their own, in each minute.
const ROWS_AT_ONCE_MAX: usize = 64;

/// Where somebody failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Surface {
    /// What the gateway answers to clients.
    Gateway,
    Admin,
}

impl Surface {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Admin => "admin",
        }
    }
}

/// Who was refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Refused {
    /// Nobody knows who; only from where.
    Address(IpAddr),
    /// A process of this host.
    Local,
    /// A known caller of the admin API, and what they asked for.
    Caller { actor: String, endpoint: String },
    /// Those that there was no room for.
    Others,
}

/// Refusals that are alike.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Refusal {
    pub surface: Surface,
    pub who: Refused,
    /// The code of the error.
    pub code: &'static str,
}

/// The failures of one process.
#[derive(Debug, Default)]
pub struct AuthFailures {
    /// Somebody sent a wrong secret a short while ago. Until then no request asks further.
    loud: AtomicBool,
    windows: Mutex<Windows>,
    rows: Mutex<Rows>,
}

#[derive(Debug, Default)]
struct Windows {
    by_address: HashMap<IpAddr, Window>,
    /// Of those that there was no room for.
    others: Option<Window>,
}

/// Wrong secrets since the first of them.
#[derive(Debug, Clone, Copy)]
struct Window {
    began: Instant,
    failures: u32,
}

#[derive(Debug, Default)]
struct Rows {
    counts: HashMap<Refusal, u64>,
    at_once: usize,
}

impl AuthFailures {
    /// Before a secret is looked up. `max_per_minute` 0: never refused.
    ///
    /// # Errors
    /// `too_many_failed_authentications`, with the time until the address may try again.
    pub fn admit(
        &self,
        address: Option<IpAddr>,
        (headers, query): (&HeaderMap, Option<&str>),
        max_per_minute: u32,
    ) -> Result<(), RequestError> {
        let Some(wait) = self.blocked(address, max_per_minute) else {
            return Ok(());
        };
        match credential::presented(headers, query) {
            Ok(secret) if !is_generated(secret) => Err(too_many(wait)),
            // What is wrong without a secret is said as ever: there is nothing to look up.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Nobody has sent a wrong secret lately.
    pub fn is_quiet(&self) -> bool {
        !self.loud.load(Ordering::Relaxed)
    }

    /// How long an address has still to wait, where it has failed too often. What only another service could know is
    /// not asked for it.
    pub fn blocked(&self, address: Option<IpAddr>, max_per_minute: u32) -> Option<Duration> {
        if max_per_minute == 0 || !self.loud.load(Ordering::Relaxed) {
            return None;
        }
        self.blocked_at(address?, max_per_minute, Instant::now())
    }

    fn blocked_at(&self, address: IpAddr, max_per_minute: u32, now: Instant) -> Option<Duration> {
        let windows = self.windows.lock();
        let window = match windows.by_address.get(&counted_as(address)) {
            Some(window) => Some(*window),
            None => windows.others.filter(|_| windows.is_full()),
        };
        let wait = window
            .filter(|window| window.failures >= max_per_minute)
            .map(|window| (window.began + WINDOW).saturating_duration_since(now));
        wait.filter(|wait| !wait.is_zero())
    }

    /// Notes that somebody was not let in. Without an address it was a process of this host.
    pub fn failed(&self, surface: Surface, address: Option<IpAddr>, error: &RequestError) {
        if !is_failed_authentication(error.kind) {
            return;
        }
        if let (Some(address), ErrorKind::InvalidApiKey) = (address, error.kind) {
            let mut windows = self.windows.lock();
            windows.count(counted_as(address), Instant::now());
            self.loud.store(true, Ordering::Relaxed);
        }
        let refusal = Refusal {
            surface,
            who: address.map_or(Refused::Local, |address| {
                Refused::Address(counted_as(address))
            }),
            code: error.kind.code(),
        };
        self.rows.lock().count(refusal);
    }

    /// Notes that a known caller may not do something. True: it is the first of its kind in this minute, and is to be
    /// told to the audit log now; those after it will be a number.
    pub fn forbidden(&self, refusal: Refusal) -> bool {
        let mut rows = self.rows.lock();
        if !rows.counts.contains_key(&refusal)
            && rows.at_once < ROWS_AT_ONCE_MAX
            && rows.counts.len() < ROWS_MAX
        {
            rows.at_once += 1;
            rows.counts.insert(refusal, 0);
            return true;
        }
        rows.count(refusal);
        false
    }

    /// What was counted since the last time, in a fixed order; call it once a minute.
    pub fn take(&self) -> Vec<(Refusal, u64)> {
        self.calm_down(Instant::now());
        let rows = std::mem::take(&mut *self.rows.lock());
        let mut counts: Vec<_> = rows.counts.into_iter().collect();
        counts.retain(|(_, count)| *count > 0);
        counts.sort_unstable();
        counts
    }
}

impl AuthFailures {
    /// Forgets what is over.
    fn calm_down(&self, now: Instant) {
        let mut windows = self.windows.lock();
        windows.by_address.retain(|_, window| !window.is_over(now));
        windows.others = windows.others.filter(|window| !window.is_over(now));
        if windows.by_address.is_empty() {
            self.loud.store(false, Ordering::Relaxed);
        }
    }
}

impl Windows {
    fn is_full(&self) -> bool {
        self.by_address.len() >= ADDRESSES_MAX
    }

    fn count(&mut self, address: IpAddr, now: Instant) {
        if let Some(window) = self.by_address.get_mut(&address) {
            window.count(now);
            return;
        }
        if self.is_full() {
            self.by_address.retain(|_, window| !window.is_over(now));
        }
        let new = Window {
            began: now,
            failures: 0,
        };
        if self.is_full() {
            self.others.get_or_insert(new).count(now);
        } else {
            self.by_address.entry(address).or_insert(new).count(now);
        }
    }
}

impl Window {
    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.began) >= WINDOW
    }

    fn count(&mut self, now: Instant) {
        if self.is_over(now) {
            *self = Self {
                began: now,
                failures: 0,
            };
        }
        self.failures = self.failures.saturating_add(1);
    }
}

impl Rows {
    fn count(&mut self, refusal: Refusal) {
        let has_room = self.counts.len() < ROWS_MAX || self.counts.contains_key(&refusal);
        let row = match has_room {
            true => refusal,
            false => Refusal {
                who: Refused::Others,
                ..refusal
            },
        };
        *self.counts.entry(row).or_default() += 1;
    }
}

/// Nobody is let in; what went wrong beside it is not the caller's.
fn is_failed_authentication(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::MissingApiKey
            | ErrorKind::InvalidApiKey
            | ErrorKind::ApiKeyInUrl
            | ErrorKind::ApiKeyDisabled
            | ErrorKind::ApiKeyExpired
            | ErrorKind::TenantDisabled
            | ErrorKind::TooManyFailedAuthentications
    )
}

/// Whether it has the form, and the checksum, of the secrets that the gateway makes.
fn is_generated(presented: &[u8]) -> bool {
    std::str::from_utf8(presented).is_ok_and(secret_hash::is_generated)
}

fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

/// What an address that failed too often is told.
pub fn too_many(wait: Duration) -> RequestError {
    RequestError::new(
        ErrorKind::TooManyFailedAuthentications,
        "Too many wrong API keys came from this address. Wait as long as `retry-after` says, and check which program \
         sends them; see `[limits] auth_failures_per_minute_max`.",
    )
    .with_retry_after(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "192.0.2.1";

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    fn presenting(secret: &str) -> HeaderMap {
        HeaderMap::from_iter([(
            http::HeaderName::from_static("x-api-key"),
            secret.parse().unwrap(),
        )])
    }

    fn wrong_key() -> RequestError {
        RequestError::new(ErrorKind::InvalidApiKey, "no such key")
    }

    #[test]
    fn an_address_waits_after_too_many_wrong_secrets_and_a_generated_one_passes() {
        let failures = AuthFailures::default();
        let admit =
            |address, secret: &str, max| failures.admit(address, (&presenting(secret), None), max);
        for _ in 0..3 {
            assert_eq!(admit(ip(HERE), "guess", 3), Ok(()));
            failures.failed(Surface::Admin, ip(HERE), &wrong_key());
        }
        let refused = admit(ip(HERE), "guess", 3).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::TooManyFailedAuthentications);
        assert!(refused.retry_after.unwrap() <= WINDOW);
        assert_eq!(admit(ip(HERE), &secret_hash::generate(), 3), Ok(()));
        assert!(admit(ip(HERE), "fg_live_guess", 3).is_err());
        assert_eq!(
            failures.admit(ip(HERE), (&HeaderMap::new(), None), 3),
            Ok(())
        );
        // Others are not held to it, and neither is anybody where there is no limit.
        assert_eq!(admit(ip("192.0.2.2"), "guess", 3), Ok(()));
        assert_eq!(admit(None, "guess", 3), Ok(()));
        assert_eq!(admit(ip(HERE), "guess", 0), Ok(()));
        assert_eq!(admit(ip(HERE), "guess", 4), Ok(()));
        let later = Instant::now() + WINDOW;
        assert_eq!(failures.blocked_at(ip(HERE).unwrap(), 3, later), None);
        failures.calm_down(later);
        assert!(!failures.loud.load(Ordering::Relaxed));
    }

    #[test]
    fn only_wrong_secrets_count_and_one_network_counts_as_one() {
        let failures = AuthFailures::default();
        let check = |address: &str, blocked: bool| {
            let wait = failures.blocked(ip(address), 1);
            assert_eq!(wait.is_some(), blocked, "{address}");
        };
        let missing = RequestError::new(ErrorKind::MissingApiKey, "none");
        failures.failed(Surface::Gateway, ip(HERE), &missing);
        check(HERE, false);
        failures.failed(Surface::Gateway, ip("2001:db8:1:2::1"), &wrong_key());
        check("2001:db8:1:2:ffff::9", true);
        check("2001:db8:1:3::1", false);
        failures.failed(Surface::Gateway, ip("::ffff:192.0.2.1"), &wrong_key());
        check(HERE, true);
    }

    #[test]
    fn more_addresses_than_there_is_room_for_share_one_window() {
        let mut windows = Windows::default();
        let now = Instant::now();
        for number in 0..u32::try_from(ADDRESSES_MAX).unwrap() {
            windows.count(IpAddr::V4(number.into()), now);
        }
        windows.count(ip("198.51.100.1").unwrap(), now);
        windows.count(ip("198.51.100.2").unwrap(), now);
        assert_eq!(windows.by_address.len(), ADDRESSES_MAX);
        assert_eq!(windows.others.unwrap().failures, 2);
        // They leave when their minute is over.
        windows.count(ip("198.51.100.3").unwrap(), now + WINDOW);
        assert_eq!(windows.by_address.len(), 1);
    }

    #[test]
    fn refusals_are_told_as_numbers_and_the_first_of_a_known_caller_at_once() {
        let failures = AuthFailures::default();
        for _ in 0..5 {
            failures.failed(Surface::Gateway, ip(HERE), &wrong_key());
        }
        failures.failed(Surface::Admin, None, &wrong_key());
        let forbidden = |endpoint: &str| {
            failures.forbidden(Refusal {
                surface: Surface::Admin,
                who: Refused::Caller {
                    actor: "reader".to_owned(),
                    endpoint: endpoint.to_owned(),
                },
                code: "scope_denied",
            })
        };
        assert!(forbidden("DELETE /a"));
        assert!(!forbidden("DELETE /a"));
        assert!(!forbidden("DELETE /a"));
        assert!(forbidden("DELETE /b"));
        let counts: Vec<u64> = failures
            .take()
            .into_iter()
            .map(|(_, count)| count)
            .collect();
        assert_eq!(
            counts,
            [5, 1, 2],
            "the gateway's, the admin API's, and nothing for what was told"
        );
        assert_eq!(failures.take(), []);
        assert!(forbidden("DELETE /a"), "a new minute");
    }

    #[test]
    fn the_number_of_rows_is_bounded() {
        let failures = AuthFailures::default();
        for number in 0..2 * u32::try_from(ROWS_MAX).unwrap() {
            let address = IpAddr::V4(number.into());
            failures.failed(Surface::Gateway, Some(address), &wrong_key());
        }
        let rows = failures.take();
        assert_eq!(rows.len(), ROWS_MAX + 1);
        let others = rows.iter().find(|(row, _)| row.who == Refused::Others);
        assert_eq!(others.unwrap().1, u64::try_from(ROWS_MAX).unwrap());
    }
}
