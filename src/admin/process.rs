//! The operating system's view of this process, from `/proc/self`. What cannot be read is zero.

use std::fs;

use ferrogate_api::ProcessStatus;
use nix::sys::{
    resource::{Usage, UsageWho, getrusage},
    time::{TimeVal, TimeValLike as _},
};

/// A few reads of kernel memory, tens of microseconds in all; no disk is involved.
pub(super) fn status() -> ProcessStatus {
    let report = fs::read_to_string("/proc/self/status").unwrap_or_default();
    ProcessStatus {
        pid: std::process::id(),
        rss_bytes: field(&report, "VmRSS:").saturating_mul(1024),
        threads: field(&report, "Threads:"),
        open_fds: open_fds(),
        cpu_ms: getrusage(UsageWho::RUSAGE_SELF).map_or(0, |usage| cpu_ms(&usage)),
    }
}

/// The number after `name` in the lines of `/proc/self/status`.
fn field(report: &str, name: &str) -> u64 {
    report
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_ascii_whitespace().next()?.parse().ok())
        .unwrap_or_default()
}

/// Without the one that is open to count them.
fn open_fds() -> u64 {
    let entries = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    u64::try_from(entries).unwrap_or_default().saturating_sub(1)
}

fn cpu_ms(usage: &Usage) -> u64 {
    let ms = |time: TimeVal| u64::try_from(time.num_milliseconds()).unwrap_or_default();
    ms(usage.user_time()) + ms(usage.system_time())
}
