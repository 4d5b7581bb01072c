//! Which requests get a line in the log. The database has a row for every one of them in any case.

use std::sync::atomic::{AtomicU64, Ordering};

use ferrogate_api::{Outcome, RequestLog};
use parking_lot::Mutex;
use tracing::{Level, event, warn};

use crate::clock::Clock;
use crate::config::{AccessLog, Telemetry};

/// The target of access log lines, for `RUST_LOG`.
const TARGET: &str = "ferrogate::access";

/// Writes access log lines by the rules of `[telemetry]`.
#[derive(Debug)]
pub struct AccessLogger {
    policy: AccessLog,
    sample_rate: u64,
    errors_per_second_max: u64,
    clock: Clock,
    /// Good requests seen, for sampling.
    seen: AtomicU64,
    errors: Mutex<ErrorWindow>,
}

/// The error lines of the second that is going on.
#[derive(Debug, Default)]
struct ErrorWindow {
    second: i64,
    lines: u64,
    suppressed: u64,
}

impl AccessLogger {
    pub fn new(telemetry: &Telemetry, clock: Clock) -> Self {
        Self {
            policy: telemetry.access_log,
            sample_rate: telemetry.access_log_sample_rate.get(),
            errors_per_second_max: telemetry.access_log_error_rate_limit_per_sec.get(),
            clock,
            seen: AtomicU64::new(0),
            errors: Mutex::default(),
        }
    }

    /// Writes a line for a request that ended, if it is to have one.
    pub fn log(&self, request: &RequestLog) {
        if self.wants(request) {
            write_line(request);
        }
    }

    fn wants(&self, request: &RequestLog) -> bool {
        let failed = request.status >= 400 || request.outcome != Outcome::Complete;
        match (self.policy, failed) {
            (AccessLog::Off, _) | (AccessLog::Error, false) => false,
            (AccessLog::All, false) => true,
            (AccessLog::Sampled, false) => self
                .seen
                .fetch_add(1, Ordering::Relaxed)
                .is_multiple_of(self.sample_rate),
            (AccessLog::Error | AccessLog::Sampled | AccessLog::All, true) => self.error_has_room(),
        }
    }

    /// Keeps a flood of refusals from flooding the log; what it left out is said once the second is over.
    fn error_has_room(&self) -> bool {
        let second = self.clock.unix_ms().div_euclid(1000);
        let mut errors = self.errors.lock();
        let mut suppressed = 0;
        if errors.second != second {
            suppressed = errors.suppressed;
            *errors = ErrorWindow {
                second,
                ..ErrorWindow::default()
            };
        }
        let has_room = errors.lines < self.errors_per_second_max;
        if has_room {
            errors.lines += 1;
        } else {
            errors.suppressed += 1;
        }
        drop(errors);
        if suppressed > 0 {
            warn!(
                target: TARGET,
                suppressed, "error lines were left out of the access log; the request logs have all of them"
            );
        }
        has_room
    }
}

/// One line; failures that are not the client's stand out as warnings.
fn write_line(request: &RequestLog) {
    macro_rules! line {
        ($level:expr) => {
            event!(
                target: TARGET,
                $level,
                request.id = %request.request_id,
                trace.id = %request.trace_id,
                method = %request.method,
                path = %request.path,
                endpoint = %request.endpoint,
                status = request.status,
                outcome = request.outcome.as_str(),
                error.code = request.error_code.as_deref(),
                key.id = request.api_key_id.as_deref(),
                model = request.model.as_deref(),
                provider = request.provider.as_deref(),
                attempts = request.attempts,
                duration_us = request.duration_us,
                ttft_us = request.ttft_us,
                tokens.input = request.tokens.input,
                tokens.output = request.tokens.output,
                client.address = request.client_address.as_deref(),
                "request"
            )
        };
    }
    let ours = match request.outcome {
        Outcome::Complete | Outcome::Refused | Outcome::ClientGone => request.status >= 500,
        Outcome::UpstreamError
        | Outcome::UpstreamCut
        | Outcome::Stalled
        | Outcome::TimeLimit
        | Outcome::Killed
        | Outcome::Orphaned => true,
    };
    if ours {
        line!(Level::WARN);
    } else {
        line!(Level::INFO);
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::super::series::tests::log;
    use super::*;
    use crate::config::LogFormat;

    fn logger(policy: AccessLog, clock: &Clock) -> AccessLogger {
        let telemetry = Telemetry {
            access_log: policy,
            access_log_sample_rate: NonZeroU64::new(10).unwrap(),
            access_log_error_rate_limit_per_sec: NonZeroU64::new(5).unwrap(),
            log_format: LogFormat::Text,
            log_bodies: false,
            log_body_max_bytes: 0,
        };
        AccessLogger::new(&telemetry, clock.clone())
    }

    fn broken() -> RequestLog {
        RequestLog {
            outcome: Outcome::UpstreamCut,
            ..log("fast", "openai", 200)
        }
    }

    #[test]
    fn the_policy_decides_which_requests_get_a_line() {
        let check = |policy, good, bad| {
            let logger = logger(policy, &Clock::manual(0));
            let lines =
                |request: &RequestLog, times| (0..times).filter(|_| logger.wants(request)).count();
            assert_eq!(lines(&log("fast", "openai", 200), 100), good, "{policy:?}");
            assert_eq!(lines(&log("fast", "openai", 404), 2), bad, "{policy:?}");
            assert_eq!(lines(&broken(), 2), bad, "{policy:?}");
        };
        check(AccessLog::Off, 0, 0);
        check(AccessLog::Error, 0, 2);
        check(AccessLog::Sampled, 10, 2);
        check(AccessLog::All, 100, 2);
    }

    #[test]
    fn error_lines_are_limited_each_second_and_good_ones_are_not() {
        let clock = Clock::manual(0);
        let logger = logger(AccessLog::All, &clock);
        for _ in 0..3 {
            let lines = (0..50).filter(|_| logger.wants(&broken())).count();
            assert_eq!(lines, 5);
            assert!(logger.wants(&log("fast", "openai", 200)));
            clock.advance_ms(1000);
        }
    }
}
