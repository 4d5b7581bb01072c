//! `[backup]`: copies of the databases, made while the gateway runs.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::reader::Section;

/// Where backups go, when they are made, and how many stay.
#[derive(Debug, Clone)]
pub struct Backup {
    /// `path`: the folder that holds them; default `backups` in the data directory.
    pub path: PathBuf,
    /// `interval_hours`: how often one is made; default 0, only by hand.
    pub interval: Duration,
    /// `keep`: how many of the newest stay after one was made; default 7.
    pub keep: u32,
    /// `include_request_logs` where nobody says otherwise; default false.
    pub include_request_logs: bool,
    /// `pages_per_step`: how many pages are copied between two batches; default 128, half a mebibyte.
    pub pages_per_step: u16,
    /// `step_interval_ms`: how long requests have the writer for themselves between two steps; default 5.
    pub step_interval: Duration,
}

impl Backup {
    pub(super) const LATER: &'static [&'static str] = &[];

    /// What holds where nobody says otherwise.
    pub fn of(data_directory: &Path) -> Self {
        Self {
            path: data_directory.join("backups"),
            interval: Duration::ZERO,
            keep: 7,
            include_request_logs: false,
            pages_per_step: 128,
            step_interval: Duration::from_millis(5),
        }
    }

    pub(super) fn read(section: &mut Section<'_, '_>, data_directory: &Path) -> Self {
        let path = section.parsed("path", |text| match text {
            "" => Err("must not be empty".to_owned()),
            path => Ok(PathBuf::from(path)),
        });
        let unless_said = Self::of(data_directory);
        let hours: u64 = section.number("interval_hours", 0, 0..=8_760);
        Self {
            path: path.unwrap_or(unless_said.path),
            interval: Duration::from_secs(hours * 3600),
            keep: section.number("keep", unless_said.keep, 1..=10_000),
            include_request_logs: section
                .flag("include_request_logs", unless_said.include_request_logs),
            pages_per_step: section.number(
                "pages_per_step",
                unless_said.pages_per_step,
                1..=16_384,
            ),
            step_interval: section.millis("step_interval_ms", 5, 0..=1_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::parse;

    #[test]
    fn backups_lie_in_the_data_directory_unless_they_are_told_to_lie_elsewhere() {
        let check = |text: &str, expected: Result<&str, &str>| {
            let read = parse(text, "test.toml", &|_| None);
            let path = match &read {
                Ok(loaded) => Ok(loaded.config.backup.path.as_path()),
                Err(errors) => Err(errors.to_string()),
            };
            match expected {
                Ok(expected) => assert_eq!(path, Ok(Path::new(expected)), "{text}"),
                Err(part) => assert!(path.unwrap_err().contains(part), "{text}"),
            }
        };
        check("[storage]\npath = \"/data\"", Ok("/data/backups"));
        check(
            "[storage]\npath = \"/data\"\n[backup]\npath = \"/mnt/backups\"",
            Ok("/mnt/backups"),
        );
        check("[backup]\npath = \"\"", Err("must not be empty"));
        check("[backup]\nkeep = 0", Err("keep"));
        check("[backup]\ninterval_hours = 9000", Err("interval_hours"));
    }

    #[test]
    fn without_a_section_backups_are_made_by_hand() {
        let backup = parse("", "test.toml", &|_| None).unwrap().config.backup;
        assert!(backup.interval.is_zero());
        assert_eq!((backup.keep, backup.pages_per_step), (7, 128));
        assert!(!backup.include_request_logs);
    }
}
