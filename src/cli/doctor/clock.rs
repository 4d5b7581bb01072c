//! Whether the clock can be relied on: budgets begin anew, keys expire and days of logs end by it.

use std::{
    fs,
    path::Path,
    time::{Instant, UNIX_EPOCH},
};

use ferrogate_tui::format;

use super::check::Check;
use crate::clock::Clock;

/// Nothing was ever written with this program before.
const EARLIEST_UNIX_MS: i64 = 1_735_689_600_000;
/// What a file system may round to, and some.
const FILES_AHEAD_MS_MAX: i64 = 5_000;
const SKEW_MS_WARN: i64 = 2_000;
/// By so much tokens and signatures of others are no longer valid.
const SKEW_MS_FAIL: i64 = 120_000;
/// systemd's own time service leaves this file when it has set the clock.
const SYNCHRONIZED: &str = "/run/systemd/timesync/synchronized";

const NAME: &str = "clock";

/// Looks at the clock by what lies in the data directory.
pub(super) fn check(clock: &Clock, data: &Path) -> Vec<Check> {
    let now = clock.unix_ms();
    if now < EARLIEST_UNIX_MS {
        return vec![Check::fail(
            NAME,
            format!("it says {}, which is long over", format::date(now)),
            "set it, and keep it set: `timedatectl set-ntp true`",
        )];
    }
    vec![against_files(now, newest_unix_ms(data)), keeping()]
}

/// What others say the time is: by so much our clock is ahead of theirs.
pub(super) fn skew(name: &str, ahead_ms: i64) -> Check {
    let by = format::fine_age(ahead_ms.saturating_abs());
    let way = if ahead_ms < 0 { "behind" } else { "ahead of" };
    let found = format!("{by} {way} theirs");
    let remedy =
        "`timedatectl set-ntp true` keeps this machine's clock right; if theirs is wrong, set that";
    match ahead_ms.saturating_abs() {
        ms if ms >= SKEW_MS_FAIL => Check::fail(name, found, remedy),
        ms if ms >= SKEW_MS_WARN => Check::warn(name, found, remedy),
        _ => Check::ok(name, format!("within {} s of theirs", SKEW_MS_WARN / 1000)),
    }
}

fn against_files(now: i64, newest: Option<i64>) -> Check {
    match newest {
        Some(newest) if newest - now > FILES_AHEAD_MS_MAX => Check::fail(
            NAME,
            format!(
                "it was set back: the newest file of the data directory is from {} later",
                format::age(newest - now)
            ),
            "set it right; what is written in between counts for the wrong time",
        ),
        _ => Check::ok(NAME, "it is not behind what was written last"),
    }
}

/// By the times of the files, not of what stands in them.
fn newest_unix_ms(data: &Path) -> Option<i64> {
    fs::read_dir(data)
        .ok()?
        .filter_map(|entry| {
            let changed = entry.ok()?.metadata().ok()?.modified().ok()?;
            let since = changed.duration_since(UNIX_EPOCH).ok()?;
            i64::try_from(since.as_millis()).ok()
        })
        .max()
}

/// Whether somebody keeps it right. A clock that jumps while we look is being set just now.
fn keeping() -> Check {
    const NAME: &str = "time service";
    if Path::new(SYNCHRONIZED).exists() {
        return Check::ok(NAME, "systemd-timesyncd has set the clock");
    }
    let (clock, began) = (Clock::system(), Instant::now());
    let before = clock.unix_ms();
    std::thread::yield_now();
    let passed = i64::try_from(began.elapsed().as_millis()).unwrap_or_default();
    let jumped = (clock.unix_ms() - before - passed).abs();
    if jumped > SKEW_MS_WARN {
        return Check::warn(
            NAME,
            format!("the clock jumped by {} just now", format::fine_age(jumped)),
            "run the doctor again when it has been set",
        );
    }
    Check::skipped(
        NAME,
        "whether chrony, ntpd or the host keeps the clock right cannot be seen from here",
    )
}

#[cfg(test)]
mod tests {
    use super::super::check::State;
    use super::*;

    #[test]
    fn a_clock_that_was_never_set_or_set_back_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let states = |now: i64| {
            let checks = check(&Clock::manual(now), folder.path());
            (checks[0].state, checks[0].found.clone())
        };
        assert_eq!(states(0).0, State::Fail);
        let now = Clock::system().unix_ms();
        assert_eq!(states(now).0, State::Ok);
        fs::write(folder.path().join("ferrogate.db"), "x").unwrap();
        assert_eq!(states(now).0, State::Ok);
        let (state, found) = states(now - 3_600_000);
        assert_eq!(state, State::Fail);
        assert!(found.contains("set back"), "{found}");
        let missing = check(&Clock::manual(now), Path::new("/nowhere/at/all"));
        assert_eq!(missing[0].state, State::Ok);
    }

    #[test]
    fn a_difference_counts_both_ways() {
        let check = |ahead_ms: i64, expected: State, found: &str| {
            let checked = skew("x", ahead_ms);
            assert_eq!(checked.state, expected, "{ahead_ms}");
            assert_eq!(checked.found, found);
        };
        check(0, State::Ok, "within 2 s of theirs");
        check(-1_999, State::Ok, "within 2 s of theirs");
        check(3_100, State::Warn, "3.1 s ahead of theirs");
        check(-125_000, State::Fail, "2 m 05 s behind theirs");
    }
}
