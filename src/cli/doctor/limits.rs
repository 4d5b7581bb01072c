//! What the operating system allows the gateway: open files, and memory.

use std::{fs, path::PathBuf};

use ferrogate_tui::format;
use nix::sys::resource::{Resource, getrlimit};

use super::check::Check;

const OPEN_FILES_FAIL: u64 = 1_024;
const OPEN_FILES_WARN: u64 = 8_192;
const MEMORY_BYTES_WARN: u64 = 256 << 20;
const MEMORY_PERCENT_WARN: u64 = 90;

/// The limits of the process `pid`, or of a gateway that would be started here.
pub(super) fn check(pid: Option<u32>) -> Vec<Check> {
    vec![open_files(pid), memory(pid)]
}

fn open_files(pid: Option<u32>) -> Check {
    const NAME: &str = "open files";
    let limit = match pid {
        Some(pid) => fs::read_to_string(format!("/proc/{pid}/limits"))
            .ok()
            .and_then(|limits| soft_limit(&limits)),
        // The gateway raises the soft limit to the hard one when it starts.
        None => getrlimit(Resource::RLIMIT_NOFILE)
            .ok()
            .map(|(_, hard)| hard),
    };
    let Some(limit) = limit else {
        return Check::skipped(NAME, "the limit cannot be read");
    };
    judge_open_files(NAME, limit, pid.is_some())
}

fn judge_open_files(name: &str, limit: u64, running: bool) -> Check {
    let whose = if running {
        "the running gateway"
    } else {
        "a gateway that is started here"
    };
    let found = format!("{whose} may have {} open", format::grouped(limit));
    let remedy = "each client and each provider takes one: set `LimitNOFILE=65536` in the service, or `ulimit -n`";
    match limit {
        ..OPEN_FILES_FAIL => Check::fail(name, found, remedy),
        OPEN_FILES_FAIL..OPEN_FILES_WARN => Check::warn(name, found, remedy),
        _ => Check::ok(name, found),
    }
}

/// `Max open files  1024  1048576  files`.
fn soft_limit(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

/// The memory that the control group has, version 2.
fn memory(pid: Option<u32>) -> Check {
    const NAME: &str = "memory";
    let whose = pid.map_or_else(|| "self".to_owned(), |pid| pid.to_string());
    let group = fs::read_to_string(format!("/proc/{whose}/cgroup"))
        .ok()
        .and_then(|text| group_of(&text));
    let Some(group) = group else {
        return Check::skipped(NAME, "there is no control group of version 2 to ask");
    };
    let number = |name: &str| -> Option<u64> {
        let text = fs::read_to_string(group.join(name)).ok()?;
        text.trim().parse().ok()
    };
    let killed = fs::read_to_string(group.join("memory.events"))
        .ok()
        .and_then(|events| kills(&events));
    judge_memory(
        NAME,
        &Memory {
            limit: number("memory.max"),
            used: number("memory.current"),
            killed: killed.unwrap_or_default(),
        },
    )
}

#[derive(Debug, Default)]
struct Memory {
    /// `None`: as much as there is.
    limit: Option<u64>,
    used: Option<u64>,
    /// How often the kernel ended a process of the group for want of memory.
    killed: u64,
}

fn judge_memory(name: &str, memory: &Memory) -> Check {
    let used = memory.used.unwrap_or_default();
    let found = match memory.limit {
        Some(limit) => format!("{} of {}", format::bytes(used), format::bytes(limit)),
        None => "the control group has no limit".to_owned(),
    };
    let remedy = "raise `MemoryMax=` of the service or the container's limit, or lower `[cache] max_bytes` and \
                  `[storage] state_memory_max_bytes`";
    if memory.killed > 0 {
        let times = memory.killed;
        return Check::warn(
            name,
            format!("{found}; the kernel ended {times} processes of the group for want of memory"),
            remedy,
        );
    }
    match memory.limit {
        Some(limit) if limit < MEMORY_BYTES_WARN || used > limit / 100 * MEMORY_PERCENT_WARN => {
            Check::warn(name, found, remedy)
        }
        _ => Check::ok(name, found),
    }
}

/// `0::/system.slice/ferrogate.service`.
fn group_of(text: &str) -> Option<PathBuf> {
    let path = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let group = PathBuf::from("/sys/fs/cgroup").join(path);
    group.is_dir().then_some(group)
}

/// `oom_kill 3`.
fn kills(events: &str) -> Option<u64> {
    let count = events
        .lines()
        .find_map(|line| line.strip_prefix("oom_kill "))?;
    count.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::check::State;
    use super::*;

    #[test]
    fn limits_are_read_as_the_kernel_writes_them() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max processes             1                    2                    processes \n\
                      Max open files            1024                 1048576              files     \n";
        assert_eq!(soft_limit(limits), Some(1024));
        assert_eq!(
            soft_limit("Max open files   unlimited  unlimited files"),
            Some(u64::MAX)
        );
        assert_eq!(soft_limit(""), None);
        assert_eq!(
            kills("low 0\noom 4\noom_kill 3\noom_group_kill 0\n"),
            Some(3)
        );
        assert_eq!(kills("low 0\n"), None);
        assert_eq!(group_of("1:name=systemd:/x\n"), None);
    }

    #[test]
    fn little_is_told_before_it_is_too_little() {
        let open = |limit: u64| judge_open_files("x", limit, true).state;
        assert_eq!(open(256), State::Fail);
        assert_eq!(open(1_024), State::Warn);
        assert_eq!(open(65_536), State::Ok);
        let check = |memory: Memory, expected: State| {
            assert_eq!(judge_memory("x", &memory).state, expected, "{memory:?}");
        };
        check(Memory::default(), State::Ok);
        let of = |limit: u64, used: u64, killed: u64| Memory {
            limit: Some(limit),
            used: Some(used),
            killed,
        };
        check(of(1 << 30, 100 << 20, 0), State::Ok);
        check(of(128 << 20, 1 << 20, 0), State::Warn);
        check(of(1 << 30, 1 << 30, 0), State::Warn);
        check(of(1 << 30, 0, 2), State::Warn);
    }

    #[test]
    fn our_own_limits_can_be_asked_for() {
        assert_eq!(check(None).len(), 2);
        let own = check(Some(std::process::id()));
        assert!(own[0].found.contains("the running gateway"), "{own:?}");
    }
}
