//! Where an account stands with its limits per minute, as the answer's headers say it.

use std::{fmt, time::Duration};

use http::{HeaderName, HeaderValue};

/// Where a request stands with the tightest of the limits that it counts against.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// `None`: no account has a limit of requests per minute.
    pub requests: Option<RateStatus>,
    /// The same for tokens.
    pub tokens: Option<RateStatus>,
}

/// Where an account stands with one limit per minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateStatus {
    pub limit: u64,
    pub remaining: u64,
    /// How long until the whole limit is free again, if nothing more is asked.
    pub reset: Duration,
}

impl Standing {
    /// The `x-ratelimit-…` headers, as OpenAI names and writes them.
    pub fn headers(self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let requests = self.requests.map(|rate| {
            rate.headers([
                HeaderName::from_static("x-ratelimit-limit-requests"),
                HeaderName::from_static("x-ratelimit-remaining-requests"),
                HeaderName::from_static("x-ratelimit-reset-requests"),
            ])
        });
        let tokens = self.tokens.map(|rate| {
            rate.headers([
                HeaderName::from_static("x-ratelimit-limit-tokens"),
                HeaderName::from_static("x-ratelimit-remaining-tokens"),
                HeaderName::from_static("x-ratelimit-reset-tokens"),
            ])
        });
        requests.into_iter().chain(tokens).flatten()
    }
}

impl RateStatus {
    fn headers(self, [limit, remaining, reset]: [HeaderName; 3]) -> [(HeaderName, HeaderValue); 3] {
        let until = DurationText(self.reset).to_string();
        [
            (limit, HeaderValue::from(self.limit)),
            (remaining, HeaderValue::from(self.remaining)),
            (
                reset,
                HeaderValue::try_from(until).expect("digits and unit letters are a header value"),
            ),
        ]
    }
}

/// A duration as OpenAI's headers write it: `12ms`, `6s`, `1m3s`; never shorter than it is.
pub(super) struct DurationText(pub(super) Duration);

impl fmt::Display for DurationText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < Duration::from_secs(1) {
            return write!(f, "{}ms", self.0.as_micros().div_ceil(1000));
        }
        let secs = self.0.as_millis().div_ceil(1000);
        match (secs / 3600, secs / 60 % 60, secs % 60) {
            (0, 0, secs) => write!(f, "{secs}s"),
            (0, mins, secs) => write!(f, "{mins}m{secs}s"),
            (hours, mins, secs) => write!(f, "{hours}h{mins}m{secs}s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headers_are_openais() {
        let check = |reset, expected: &str| {
            let rate = RateStatus {
                limit: 60,
                remaining: 7,
                reset,
            };
            let written = |standing: Standing| -> Vec<String> {
                standing
                    .headers()
                    .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
                    .collect()
            };
            let of = |what: &str| {
                vec![
                    format!("x-ratelimit-limit-{what}: 60"),
                    format!("x-ratelimit-remaining-{what}: 7"),
                    format!("x-ratelimit-reset-{what}: {expected}"),
                ]
            };
            let (requests, tokens) = (Some(rate), Some(rate));
            assert_eq!(
                written(Standing {
                    requests,
                    tokens: None
                }),
                of("requests")
            );
            assert_eq!(
                written(Standing {
                    requests: None,
                    tokens
                }),
                of("tokens")
            );
            assert_eq!(
                written(Standing { requests, tokens }),
                [of("requests"), of("tokens")].concat()
            );
        };
        check(Duration::ZERO, "0ms");
        check(Duration::from_micros(11_001), "12ms");
        check(Duration::from_millis(999), "999ms");
        check(Duration::from_secs(6), "6s");
        check(Duration::from_millis(6001), "7s");
        check(Duration::from_secs(63), "1m3s");
        check(Duration::from_secs(360), "6m0s");
        check(Duration::from_secs(3600), "1h0m0s");
    }
}
