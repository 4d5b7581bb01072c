//! The running gateway, as its own admin API tells.

use ferrogate_api::{ConfigView, Page, RetentionJob, Status};
use ferrogate_tui::{
    Target,
    client::{Call, ClientError},
    format,
};
use http::Method;
use serde::de::DeserializeOwned;

use super::check::Check;
use super::clock;
use crate::cli::out::Format;
use crate::cli::session::{Session, explain};
use crate::clock::Clock;

const NAME: &str = "gateway";
/// A run that is late by so much does not come by itself.
const RETENTION_LATE_MS: i64 = 10 * 60_000;
const QUEUE_PERCENT_WARN: u64 = 80;

/// A gateway that answers.
pub(super) struct Running {
    pub(super) session: Session,
    pub(super) status: Status,
    /// On this machine, so that its process can be looked at.
    pub(super) is_here: bool,
}

/// Looks for it at `target`: the gateway where it answers, else what is to be said about that.
pub(super) fn find(target: &Target) -> Result<Running, Check> {
    let session = Session::to(target, Format::Table)
        .map_err(|error| Check::fail(NAME, format!("{error:#}"), "check the address"))?;
    match session.call(Call::new(Method::GET, "status")) {
        Ok(answer) => match serde_json::from_value(answer.json().clone()) {
            Ok(status) => Ok(Running {
                session,
                status,
                is_here: matches!(target, Target::Socket(_)),
            }),
            Err(error) => Err(Check::warn(
                NAME,
                format!("the status at {target} cannot be read: {error}"),
                "use the doctor of the gateway's own version",
            )),
        },
        Err(error) if error.is_nobody_there() => {
            Err(Check::skipped(NAME, format!("none answers at {target}")))
        }
        Err(error @ ClientError::Refused { .. }) => Err(Check::warn(
            NAME,
            format!("it answers at {target}, and not us: {:#}", explain(error)),
            "give the doctor a key with admin.read, or run it as root or as the gateway's user",
        )),
        Err(error) => Err(Check::fail(
            NAME,
            format!("it cannot be asked at {target}: {:#}", explain(error)),
            "look at its log, for example with `journalctl -u ferrogate`",
        )),
    }
}

/// Everything that it tells of itself.
pub(super) fn check(running: &Running, clock: &Clock) -> Vec<Check> {
    let status = &running.status;
    let mut checks = vec![
        alive(status),
        version(&status.version),
        readiness(status),
        writer(status),
        clock::skew("clock of the gateway", clock.unix_ms() - status.now_unix_ms),
    ];
    checks.extend(cluster(status));
    checks.push(match ask::<ConfigView>(running, "config") {
        Ok(view) => in_force(&view),
        Err(check) => check,
    });
    checks.push(match ask::<Page<RetentionJob>>(running, "retention") {
        Ok(jobs) => retention(&jobs.data, status.now_unix_ms),
        Err(check) => check,
    });
    checks
}

fn ask<T: DeserializeOwned>(running: &Running, resource: &str) -> Result<T, Check> {
    let name = format!("gateway's {resource}");
    let answer = running
        .session
        .call(Call::new(Method::GET, resource))
        .map_err(|error| {
            Check::warn(
                name.clone(),
                format!("{:#}", explain(error)),
                "give the doctor a key with admin.read, or use that of the gateway's own version",
            )
        })?;
    serde_json::from_value(answer.json().clone())
        .map_err(|error| Check::skipped(name, format!("the answer cannot be read: {error}")))
}

fn alive(status: &Status) -> Check {
    let up = status.now_unix_ms.saturating_sub(status.started_at_unix_ms);
    Check::ok(
        NAME,
        format!(
            "process {}, up for {}, {} of memory, {} in flight",
            status.process.pid,
            format::age(up),
            format::bytes(status.process.rss_bytes),
            status.in_flight
        ),
    )
}

fn version(running: &str) -> Check {
    const NAME: &str = "version";
    let ours = env!("CARGO_PKG_VERSION");
    if running == ours {
        Check::ok(NAME, format!("{ours}, here and in the running gateway"))
    } else {
        Check::warn(
            NAME,
            format!("the gateway runs {running}, and this is {ours}"),
            "restart the gateway after an upgrade, for example with `systemctl restart ferrogate`",
        )
    }
}

fn readiness(status: &Status) -> Check {
    const NAME: &str = "readiness";
    match (status.ready, status.draining) {
        (true, _) => Check::ok(NAME, "it takes new requests"),
        (false, true) => Check::warn(
            NAME,
            "it is draining, and balancers send it nothing new",
            "`ferrogate drain stop` puts it back into service",
        ),
        (false, false) => Check::fail(
            NAME,
            format!("it is not ready: {}", status.cluster.readiness_reason),
            "look at its log, for example with `journalctl -u ferrogate`",
        ),
    }
}

fn writer(status: &Status) -> Check {
    const NAME: &str = "writer";
    let writer = &status.writer;
    if writer.commit_failures > 0 {
        return Check::fail(
            NAME,
            format!("{} batches could not be committed", writer.commit_failures),
            "look for `cannot commit` in its log; a full disk is the usual reason",
        );
    }
    if writer.queue_used > writer.queue_max / 100 * QUEUE_PERCENT_WARN {
        return Check::warn(
            NAME,
            format!(
                "{} of {} places of its queue are taken",
                format::grouped(writer.queue_used),
                format::grouped(writer.queue_max)
            ),
            "the disk does not keep up: a faster one, or fewer requests with `settle = \"before-last-byte\"`",
        );
    }
    if writer.logs_dropped > 0 {
        return Check::warn(
            NAME,
            format!(
                "{} logs of unmetered requests were dropped since the start",
                format::grouped(writer.logs_dropped)
            ),
            "raise `[storage] queue_max_records`",
        );
    }
    Check::ok(
        NAME,
        format!(
            "{} records written",
            format::grouped(writer.records_written)
        ),
    )
}

fn cluster(status: &Status) -> Option<Check> {
    const NAME: &str = "cluster";
    let cluster = &status.cluster;
    if !cluster.enabled {
        return None;
    }
    let trouble = cluster.last_sync_error.clone().or_else(|| {
        cluster
            .counters
            .as_ref()
            .and_then(|counters| counters.last_error.clone())
    });
    let is_closed = cluster
        .counters
        .as_ref()
        .is_some_and(|counters| !counters.open);
    Some(if is_closed || cluster.stale {
        Check::fail(
            NAME,
            format!(
                "what the nodes share is not up to date: {}",
                trouble.as_deref().unwrap_or(&cluster.readiness_reason)
            ),
            "look at Redis and at the shared file",
        )
    } else {
        Check::ok(
            NAME,
            format!("node {} of {}", cluster.node_id, cluster.cluster_id),
        )
    })
}

fn in_force(view: &ConfigView) -> Check {
    const NAME: &str = "configuration in force";
    if view.persisted {
        Check::ok(
            NAME,
            format!("revision {}, as its file says", view.revision),
        )
    } else {
        Check::warn(
            NAME,
            format!(
                "revision {} was sent through the API, and the gateway's file says something else",
                view.revision
            ),
            "`ferrogate config diff` shows it; put it into the file, or `ferrogate reload` goes back to that",
        )
    }
}

fn retention(jobs: &[RetentionJob], now_unix_ms: i64) -> Check {
    const NAME: &str = "retention";
    let failed = jobs.iter().find(|job| {
        job.last_outcome
            .as_deref()
            .is_some_and(|outcome| outcome != "ok")
    });
    if let Some(job) = failed {
        return Check::warn(
            NAME,
            format!(
                "{}: {}",
                job.name,
                job.last_outcome.as_deref().unwrap_or_default()
            ),
            "look at its log; it is tried again by itself",
        );
    }
    let late = |job: &&RetentionJob| {
        !job.running
            && job
                .next_at_unix_ms
                .is_some_and(|next| now_unix_ms - next > RETENTION_LATE_MS)
    };
    match jobs.iter().find(late) {
        Some(job) => Check::warn(
            NAME,
            format!("{} should have run and has not", job.name),
            "look at the gateway's log",
        ),
        None => Check::ok(NAME, format!("{} jobs, none of them late", jobs.len())),
    }
}

#[cfg(test)]
mod tests {
    use ferrogate_api::RetentionLimits;

    use super::super::check::State;
    use super::*;

    #[test]
    fn a_restart_that_was_forgotten_is_seen() {
        assert_eq!(version(env!("CARGO_PKG_VERSION")).state, State::Ok);
        assert_eq!(version("0.0.1").state, State::Warn);
    }

    #[test]
    fn retention_that_fails_or_does_not_run_is_told() {
        let job = |outcome: Option<&str>, next: Option<i64>, running: bool| RetentionJob {
            name: "audit_events".to_owned(),
            limits: RetentionLimits::default(),
            running,
            last_started_at_unix_ms: None,
            last_duration_ms: None,
            last_outcome: outcome.map(str::to_owned),
            removed: 0,
            removed_total: 0,
            next_at_unix_ms: next,
        };
        let now = 1_787_486_671_204;
        let late = Some(now - RETENTION_LATE_MS - 1);
        let check = |job: RetentionJob, expected: State| {
            let checked = retention(&[job], now);
            assert_eq!(checked.state, expected, "{checked:?}");
        };
        check(job(Some("ok"), Some(now + 1), false), State::Ok);
        check(job(None, None, false), State::Ok);
        check(job(Some("disk full"), Some(now + 1), false), State::Warn);
        check(job(Some("ok"), late, false), State::Warn);
        check(job(Some("ok"), late, true), State::Ok);
    }
}
