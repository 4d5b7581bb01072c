//! Whether the disk has room, and is one that SQLite can live on.

use std::path::{Path, PathBuf};

use ferrogate_tui::format;
use rustix::fs::{StatFs, StatVfs, statfs, statvfs};

use super::check::Check;

const FREE_BYTES_WARN: u64 = 2 << 30;
const FREE_BYTES_FAIL: u64 = 256 << 20;
const FREE_PERCENT_WARN: u64 = 10;
const FREE_PERCENT_FAIL: u64 = 2;

/// File systems whose locks and shared memory cannot be relied on, which the write-ahead log needs.
const NETWORK: [(u64, &str); 6] = [
    (0x6969, "NFS"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB"),
    (0x517b, "SMB"),
    (0x0102_1997, "9p"),
    (0x00c3_6400, "Ceph"),
];

/// Looks at the file system of `directory`, or of the nearest folder above it that is there.
pub(super) fn check(directory: &Path) -> Vec<Check> {
    let there = nearest(directory);
    let space = match statvfs(&there) {
        Ok(space) => [room(&there, &space), inodes(&space)].to_vec(),
        Err(error) => vec![Check::skipped(
            "disk space",
            format!("{} cannot be asked: {error}", there.display()),
        )],
    };
    let kind = statfs(&there)
        .ok()
        .map(|system| file_system(&there, &system));
    space.into_iter().chain(kind).collect()
}

fn nearest(directory: &Path) -> PathBuf {
    directory
        .ancestors()
        .find(|path| path.exists())
        .map_or_else(|| PathBuf::from("."), Path::to_owned)
}

fn room(path: &Path, space: &StatVfs) -> Check {
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    let all = space.f_blocks.saturating_mul(space.f_frsize);
    let found = format!(
        "{} of {} are free ({}) at {}",
        format::bytes(free),
        format::bytes(all),
        format::percent(free, all),
        path.display()
    );
    judge(
        "disk space",
        found,
        Share { free, all },
        (FREE_BYTES_WARN, FREE_BYTES_FAIL),
    )
}

fn inodes(space: &StatVfs) -> Check {
    const NAME: &str = "inodes";
    // Some file systems make them as they need them, and say zero.
    if space.f_files == 0 {
        return Check::ok(NAME, "the file system has no limit");
    }
    let (free, all) = (space.f_favail, space.f_files);
    let found = format!("{} are free", format::percent(free, all));
    judge(NAME, found, Share { free, all }, (10_000, 100))
}

/// How much is left of what.
struct Share {
    free: u64,
    all: u64,
}

/// Little in percent is plenty on a large disk, so that both have to be little.
fn judge(name: &str, found: String, share: Share, (warn, fail): (u64, u64)) -> Check {
    let percent = |percent: u64| share.free < share.all / 100 * percent;
    let remedy = "make room: `ferrogate retention` shows what stays for how long, `[storage] \
                  request_log_retention_days` shortens it, and old backups can go";
    if share.free < fail && percent(FREE_PERCENT_WARN) || share.free == 0 {
        Check::fail(name, found, remedy)
    } else if (share.free < warn && percent(FREE_PERCENT_WARN)) || percent(FREE_PERCENT_FAIL) {
        Check::warn(name, found, remedy)
    } else {
        Check::ok(name, found)
    }
}

fn file_system(path: &Path, system: &StatFs) -> Check {
    const NAME: &str = "file system";
    // Sign and width differ between architectures; only these 32 bits tell the kind.
    let magic = u64::try_from(i128::from(system.f_type) & 0xffff_ffff).unwrap_or_default();
    match NETWORK.iter().find(|(known, _)| *known == magic) {
        Some((_, name)) => Check::fail(
            NAME,
            format!(
                "{} is on {name}, where SQLite's write-ahead log cannot be relied on",
                path.display()
            ),
            "put `[storage] path` on a local disk",
        ),
        None => Check::ok(NAME, format!("{} is on a local disk", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::State;
    use super::*;

    #[test]
    fn little_room_is_little_in_bytes_and_in_percent() {
        const GIB: u64 = 1 << 30;
        let check = |free: u64, all: u64, expected: State| {
            let limits = (FREE_BYTES_WARN, FREE_BYTES_FAIL);
            let checked = judge("x", String::new(), Share { free, all }, limits);
            assert_eq!(checked.state, expected, "{free} of {all}");
        };
        check(50 * GIB, 100 * GIB, State::Ok);
        check(GIB, 4 * GIB, State::Ok);
        check(GIB, 100 * GIB, State::Warn);
        check(10 * GIB, 1000 * GIB, State::Warn);
        check(100 << 20, 100 * GIB, State::Fail);
        check(0, 100, State::Fail);
    }

    #[test]
    fn a_folder_that_is_not_there_yet_is_judged_by_the_one_above() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("a/b");
        assert_eq!(nearest(&missing), folder.path());
        let checks = check(&missing);
        let names: Vec<&str> = checks.iter().map(|check| &*check.name).collect();
        assert_eq!(names, ["disk space", "inodes", "file system"]);
        assert_eq!(nearest(Path::new("no/such/thing")), Path::new("."));
    }
}
