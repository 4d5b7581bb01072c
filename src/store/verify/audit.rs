//! The chain of the audit log, from its first row, or from where retention cut it, to its last.

use std::path::Path;

use ferrogate_api::AuditReport;
use rusqlite::{Connection, Error, Row};

use super::{Verification, open};
use crate::store::{
    Store, StoreError,
    audit_events::{FIRST_PREV_HASH, Hashed, anchor, last_seq},
    columns,
};

/// How many problems are told one by one; all are counted.
const PROBLEMS_LISTED: usize = 100;

impl Verification<'_> {
    pub(super) fn audit_chain(&mut self) -> Result<(), Error> {
        let report = &mut self.report;
        report.audit_events = each_problem(self.connection, |problem| {
            report.differ(problem.what, problem.expected, problem.found);
        })?
        .rows;
        Ok(())
    }
}

impl Store {
    /// Reckons the chain of the audit log again. `expect_head` is a head hash that was noted earlier.
    ///
    /// # Errors
    /// When the disk fails. What is wrong with the chain is in the report.
    pub async fn verify_audit(
        &self,
        expect_head: Option<String>,
    ) -> Result<AuditReport, StoreError> {
        self.read(move |readers| {
            let connection = readers.ledger.get().map_err(StoreError::Connect)?;
            let verified = connection
                .unchecked_transaction()
                .and_then(|moment| verify_chain(&moment, expect_head.as_deref()));
            verified.map_err(failed)
        })
        .await
    }
}

/// Reckons the chain of the audit log of a data directory, whether a gateway has it open or not.
///
/// # Errors
/// When there is no ledger, when another version of FerroGate has written it, or when it cannot be read.
pub fn verify_audit(
    directory: &Path,
    expect_head: Option<&str>,
) -> Result<AuditReport, StoreError> {
    let ledger = open::open(directory)?;
    let moment = ledger.connection.unchecked_transaction().map_err(failed)?;
    verify_chain(&moment, expect_head).map_err(failed)
}

fn failed(source: Error) -> StoreError {
    StoreError::Read {
        what: "the audit log",
        source,
    }
}

/// Reckons the chain, and looks for a hash that was noted earlier.
pub(in crate::store) fn verify_chain(
    connection: &Connection,
    expect_head: Option<&str>,
) -> Result<AuditReport, Error> {
    let mut report = AuditReport::default();
    let chain = each_problem(connection, |problem| {
        report.problems_found += 1;
        if report.problems.len() < PROBLEMS_LISTED {
            let Problem {
                what,
                expected,
                found,
            } = problem;
            report
                .problems
                .push(format!("{what}: expected {expected}, found {found}"));
        }
    })?;
    report.rows = chain.rows;
    report.first_seq = chain.first_seq;
    report.last_seq = (chain.rows > 0).then_some(chain.last_seq);
    report.anchor_seq = anchor(connection)?.map(|anchor| anchor.seq);
    report.head_hash = (chain.last_seq > 0).then(|| hex(&chain.head_hash));
    if let Some(noted) = expect_head {
        report.expected_seq = find(connection, noted)?;
        if report.expected_seq.is_none() {
            report.problems_found += 1;
            report.problems.push(format!(
                "no row has the hash {noted} that was expected: the log was changed before it, or it has left"
            ));
        }
    }
    report.ok = report.problems_found == 0;
    Ok(report)
}

/// The number of the row, or of the last one that left, that has this hash.
fn find(connection: &Connection, noted: &str) -> Result<Option<i64>, Error> {
    let noted = noted.trim().to_ascii_lowercase();
    if let Some(anchor) = anchor(connection)?
        && hex(&anchor.hash) == noted
    {
        return Ok(Some(anchor.seq));
    }
    let mut select = connection.prepare("SELECT seq, hash FROM audit_events ORDER BY seq DESC")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        if hex(&row.get::<_, [u8; 32]>("hash")?) == noted {
            return row.get("seq").map(Some);
        }
    }
    Ok(None)
}

/// What is not as the chain says.
struct Problem {
    what: String,
    expected: String,
    found: String,
}

/// The chain as it was found.
struct Chain {
    rows: u64,
    first_seq: Option<i64>,
    last_seq: i64,
    head_hash: [u8; 32],
}

fn each_problem(connection: &Connection, mut each: impl FnMut(Problem)) -> Result<Chain, Error> {
    let mut problem = |what: String, expected: String, found: String| {
        each(Problem {
            what,
            expected,
            found,
        });
    };
    let anchor = anchor(connection)?;
    let mut chain = Chain {
        rows: 0,
        first_seq: None,
        last_seq: anchor.map_or(0, |anchor| anchor.seq),
        head_hash: anchor.map_or(FIRST_PREV_HASH, |anchor| anchor.hash),
    };
    let mut select = connection.prepare("SELECT * FROM audit_events ORDER BY seq")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let hashed = hashed(row)?;
        let expected = chain.last_seq + 1;
        if hashed.seq != expected {
            let missing = format!("audit_events: the row after {}", chain.last_seq);
            problem(missing, expected.to_string(), hashed.seq.to_string());
        }
        let found = row.get("hash")?;
        for (column, expected, found) in [
            ("prev_hash", chain.head_hash, hashed.prev_hash),
            ("hash", hashed.hash(), found),
        ] {
            if expected != found {
                let what = format!("audit_events {}: {column}", hashed.seq);
                problem(what, hex(&expected), hex(&found));
            }
        }
        chain.rows += 1;
        chain.first_seq.get_or_insert(hashed.seq);
        (chain.last_seq, chain.head_hash) = (hashed.seq, found);
    }
    let expected = last_seq(connection)?;
    if chain.last_seq != expected {
        problem(
            "audit_events: the last row".to_owned(),
            expected.to_string(),
            chain.last_seq.to_string(),
        );
    }
    Ok(chain)
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
