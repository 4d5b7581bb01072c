//! The gateway's own log lines on their way into the live feed.
//!
//! The log is set up before there is a live view, so the layer is given a tap, which is connected later. Its filters are
//! those of the log: what is not written to standard error is not told here either. Nothing is done for a line while
//! nobody listens to them.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    sync::{Arc, OnceLock},
};

use ferrogate_api::{LogLevel, LogLine};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

use super::Live;

/// Longer messages and values are cut.
const TEXT_BYTES_MAX: usize = 4096;
const FIELDS_MAX: usize = 32;
/// Lines of the `log` crate arrive under one target; their own stands in a field.
const BRIDGED_TARGET: &str = "log";

/// Between a log and the live view that comes after it. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct LogTap(Arc<OnceLock<Live>>);

impl LogTap {
    /// From here on lines go to this live view. Only the first call counts.
    pub fn connect(&self, live: &Live) {
        self.0.get_or_init(|| live.clone());
    }

    /// The layer to put into the log.
    pub fn layer(&self) -> LogLayer {
        LogLayer(self.clone())
    }
}

/// Hands log lines to the live feed.
#[derive(Debug)]
pub struct LogLayer(LogTap);

impl<S: Subscriber> Layer<S> for LogLayer {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let Some(live) = self.0.0.get() else {
            return;
        };
        let Some(level) = level_of(*event.metadata().level()) else {
            return;
        };
        if !live.hears_logs() {
            return;
        }
        let mut words = Words::default();
        event.record(&mut words);
        let Words {
            message,
            mut fields,
            ..
        } = words;
        let mut target = event.metadata().target().to_owned();
        if target == BRIDGED_TARGET {
            target = fields.remove("log.target").unwrap_or(target);
            fields.retain(|name, _| !name.starts_with("log."));
        }
        live.log(LogLine {
            at_unix_ms: 0,
            level,
            target,
            message,
            fields,
        });
    }
}

fn level_of(level: Level) -> Option<LogLevel> {
    match level {
        Level::ERROR => Some(LogLevel::Error),
        Level::WARN => Some(LogLevel::Warn),
        Level::INFO => Some(LogLevel::Info),
        _ => None,
    }
}

#[derive(Default)]
struct Words {
    message: String,
    fields: BTreeMap<String, String>,
}

impl Words {
    fn put(&mut self, field: &Field, text: Bounded) {
        if field.name() == "message" {
            self.message = text.0;
        } else if self.fields.len() < FIELDS_MAX {
            self.fields.insert(field.name().to_owned(), text.0);
        }
    }
}

impl Visit for Words {
    fn record_str(&mut self, field: &Field, value: &str) {
        let mut text = Bounded::default();
        text.write_str(value).ok();
        self.put(field, text);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = Bounded::default();
        // It ends where it is full, which is no failure.
        write!(text, "{value:?}").ok();
        self.put(field, text);
    }
}

/// Text up to a length. What is cut off ends in `…`.
#[derive(Default)]
struct Bounded(String);

impl fmt::Write for Bounded {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        for letter in more.chars() {
            if self.0.len() + letter.len_utf8() > TEXT_BYTES_MAX {
                self.0.push('…');
                return Err(fmt::Error);
            }
            self.0.push(letter);
        }
        Ok(())
    }
}
