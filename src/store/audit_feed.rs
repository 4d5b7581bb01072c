//! Telling of what is noted in the audit log, as soon as it is committed and whoever has noted it.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use ferrogate_api::AuditEvent;
use rusqlite::{Connection, Error};

use super::{Store, audit_events};

/// Told at once; more of them than any batch notes are told after the next one.
const TOLD_MAX: i64 = 1000;

type Sink = Box<dyn Fn(&AuditEvent) + Send + Sync>;

/// Where the sink goes once there is one. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub(super) struct AuditSink(Arc<OnceLock<Sink>>);

impl fmt::Debug for AuditSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuditSink")
    }
}

/// The writer thread's own.
#[derive(Debug)]
pub(super) struct AuditFeed {
    sink: AuditSink,
    /// Up to this row everything is told.
    told: i64,
}

impl AuditFeed {
    /// Begins with what is noted from now on.
    pub(super) fn open(connection: &Connection, sink: AuditSink) -> Result<Self, Error> {
        Ok(Self {
            sink,
            told: audit_events::last_seq(connection)?,
        })
    }

    /// Tells of the rows that are new. Call it after each commit that may have noted something.
    pub(super) fn tell(&mut self, connection: &Connection) {
        let Some(sink) = self.sink.0.get() else {
            return;
        };
        match audit_events::after(connection, self.told, TOLD_MAX) {
            Ok(events) => {
                for (seq, event) in events {
                    sink(&event);
                    self.told = seq;
                }
            }
            Err(error) => tracing::warn!(%error, "what was noted in the audit log cannot be told"),
        }
    }
}

impl Store {
    /// From here on `sink` hears of every row of the audit log once it is committed. It is called by the writer thread:
    /// it must not wait. Only the first call counts.
    pub fn on_audit(&self, sink: impl Fn(&AuditEvent) + Send + Sync + 'static) {
        self.0.audit_sink.0.get_or_init(|| Box::new(sink));
    }
}
