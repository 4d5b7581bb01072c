//! `ferrogate retention`: what leaves the databases by itself, and how that is going.

use ferrogate_tui::format;
use serde_json::{Value, json};

use super::listing::{self, Column, ListArgs, column};
use super::out::{self, Format};
use super::session::{self, Common, Session};

/// What leaves the databases by itself, and how that is going
#[derive(Debug, clap::Args)]
pub(super) struct RetentionArgs {
    #[command(flatten)]
    list: ListArgs,
    #[command(flatten)]
    common: Common,
}

const COLUMNS: &[Column] = &[
    column("JOB", "name"),
    column("LIMITS", "limits"),
    column("RUNNING", "running"),
    column("LAST RUN", "last_started_at_unix_ms"),
    column("TOOK MS", "last_duration_ms"),
    column("OUTCOME", "last_outcome"),
    column("REMOVED", "removed"),
    column("IN ALL", "removed_total"),
    column("NEXT", "next_at_unix_ms"),
];

/// Prints the jobs.
///
/// # Errors
/// The gateway's, or why it could not be asked.
pub(super) fn run(args: RetentionArgs) -> anyhow::Result<()> {
    let session = Session::open(args.common)?;
    let listed = listing::walk(&session, "retention", &args.list)?;
    if session.format == Format::Json {
        return out::show(&listed.json());
    }
    let rows: Vec<Value> = listed.rows.iter().map(with_limits).collect();
    let table = listing::table(&rows, COLUMNS, session::ages());
    out::show(&table.print(out::has_colours()))?;
    listed.tell_rest();
    Ok(())
}

/// The job with its limits in words.
fn with_limits(job: &Value) -> Value {
    let limit = |name: &str| listing::at(job, &format!("limits.{name}")).as_u64();
    let mut words = Vec::new();
    if let Some(age_ms) = limit("age_ms") {
        words.push(format::age(i64::try_from(age_ms).unwrap_or(i64::MAX)));
    }
    if let Some(records) = limit("records") {
        words.push(format!("{} records", format::grouped(records)));
    }
    if let Some(bytes) = limit("bytes") {
        words.push(format::bytes(bytes));
    }
    let mut row = job.clone();
    row["limits"] = json!(words.join(", "));
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_of_a_job_are_words() {
        let row = with_limits(
            &json!({"name": "a", "limits": {"age_ms": 2_592_000_000_u64, "bytes": 1 << 30}}),
        );
        assert_eq!(row["limits"], "30 d 0 h, 1.0 GiB");
        let row = with_limits(&json!({"name": "a", "limits": {"records": 20_000}}));
        assert_eq!(row["limits"], "20,000 records");
        assert_eq!(
            with_limits(&json!({"name": "a", "limits": {}}))["limits"],
            ""
        );
    }
}
