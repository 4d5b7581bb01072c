//! The chain of the audit log, from its first row to its last.

use rusqlite::{Error, Row};

use super::Verification;
use crate::store::{
    audit_events::{FIRST_PREV_HASH, Hashed, last_seq},
    columns,
};

impl Verification<'_> {
    pub(super) fn audit_chain(&mut self) -> Result<(), Error> {
        let mut select = self
            .connection
            .prepare("SELECT * FROM audit_events ORDER BY seq")?;
        let mut rows = select.query([])?;
        let (mut last, mut prev_hash) = (0, FIRST_PREV_HASH);
        while let Some(row) = rows.next()? {
            let hashed = hashed(row)?;
            let expected = last + 1;
            if hashed.seq != expected {
                let missing = format!("audit_events: the row after {last}");
                self.report.differ(missing, expected, hashed.seq);
            }
            let found = row.get("hash")?;
            for (column, expected, found) in [
                ("prev_hash", prev_hash, hashed.prev_hash),
                ("hash", hashed.hash(), found),
            ] {
                if expected != found {
                    let what = format!("audit_events {}: {column}", hashed.seq);
                    self.report.differ(what, hex(&expected), hex(&found));
                }
            }
            self.report.audit_events += 1;
            (last, prev_hash) = (hashed.seq, found);
        }
        let expected = last_seq(self.connection)?;
        if last != expected {
            self.report
                .differ("audit_events: the last row", expected, last);
        }
        Ok(())
    }
}

fn hashed<'r>(row: &'r Row<'_>) -> Result<Hashed<'r>, Error> {
    let text = |column| Ok::<_, Error>(columns::text(row, column)?.unwrap_or_default());
    Ok(Hashed {
        seq: row.get("seq")?,
        occurred_at_unix_ms: row.get("occurred_at_unix_ms")?,
        actor: text("actor")?,
        action: text("action")?,
        target: text("target")?,
        outcome: text("outcome")?,
        message: text("message")?,
        detail: columns::text(row, "detail")?,
        prev_hash: row.get("prev_hash")?,
    })
}

fn hex(hash: &[u8; 32]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
