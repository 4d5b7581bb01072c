//! `[telemetry]`: the access log and the log's format.

use std::num::NonZeroU64;

use super::reader::Section;

/// What is logged about requests.
#[derive(Debug, Clone)]
pub struct Telemetry {
    /// `access_log`; default `error`.
    pub access_log: AccessLog,
    /// `access_log_sample_rate`: with `sampled`, one in so many requests; default 100.
    pub access_log_sample_rate: NonZeroU64,
    /// `access_log_error_rate_limit_per_sec`: error lines a second; default 100.
    pub access_log_error_rate_limit_per_sec: NonZeroU64,
    /// `log_format`; default `text`.
    pub log_format: LogFormat,
    /// `log_bodies`: keep what was asked and answered beside the request log, for keys that allow it; default false.
    pub log_bodies: bool,
    /// `log_body_max_bytes` of one body; the rest is cut off. Default 16384.
    pub log_body_max_bytes: usize,
}

/// Which requests get a line in the log. The database has every one of them in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessLog {
    Off,
    /// Those answered with 400 or more, or broken.
    Error,
    /// Errors, and one in `access_log_sample_rate` of the rest.
    Sampled,
    All,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

impl Telemetry {
    pub(super) const LATER: &'static [&'static str] = &["service_name", "otlp_endpoint"];

    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        Self {
            access_log: section.choice("access_log", AccessLog::Error, &AccessLog::WORDS),
            access_log_sample_rate: at_least_one(section, "access_log_sample_rate", 100),
            access_log_error_rate_limit_per_sec: at_least_one(
                section,
                "access_log_error_rate_limit_per_sec",
                100,
            ),
            log_format: section.choice("log_format", LogFormat::Text, &LogFormat::WORDS),
            log_bodies: section.flag("log_bodies", false),
            log_body_max_bytes: section.number("log_body_max_bytes", 16 << 10, 256..=1 << 20),
        }
    }
}

impl AccessLog {
    const WORDS: [(&'static str, Self); 4] = [
        ("off", Self::Off),
        ("error", Self::Error),
        ("sampled", Self::Sampled),
        ("all", Self::All),
    ];
}

impl LogFormat {
    const WORDS: [(&'static str, Self); 2] = [("text", Self::Text), ("json", Self::Json)];
}

fn at_least_one(section: &mut Section<'_, '_>, key: &'static str, default: u64) -> NonZeroU64 {
    let number = section.number(key, default, 1..=1_000_000_000);
    NonZeroU64::new(number).unwrap_or(NonZeroU64::MIN)
}
