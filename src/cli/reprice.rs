//! `ferrogate reprice`: reckons again what was charged with other prices than those in force now.

use anyhow::{Context, anyhow};
use ferrogate_api::{RepriceReport, RepriceRequest, decimal_of_nanos};
use ferrogate_tui::client;
use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::admin_target::AdminTargetArgs;

#[derive(Debug, clap::Args)]
pub(super) struct RepriceArgs {
    /// From when on, in RFC 3339: a time such as `2026-03-01T00:00:00Z`, or a date, which begins in UTC
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Timestamp,
    /// Only say what would be corrected
    #[arg(long)]
    dry_run: bool,
    /// Print the admin API's JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: AdminTargetArgs,
}

pub(super) fn run(args: RepriceArgs) -> anyhow::Result<()> {
    let request = RepriceRequest {
        since_unix_ms: args.since.as_millisecond(),
        dry_run: args.dry_run,
    };
    let target = args.gateway.target()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let done = runtime
        .block_on(async { client::connect(&target)?.reprice(&request).await })
        .context("the ledger cannot be repriced")?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&done)?);
    } else {
        print!("{}", report(&done, args.since));
    }
    Ok(())
}

/// A time, or the beginning of a day.
fn since(text: &str) -> anyhow::Result<Timestamp> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    // A time without a zone could be anywhere; a date alone is this format and nothing behind it.
    let day = Date::strptime("%Y-%m-%d", text).map_err(|_| {
        anyhow!("a time in RFC 3339 is expected, such as 2026-03-01T00:00:00Z, or a date")
    })?;
    Ok(day.to_zoned(TimeZone::UTC)?.timestamp())
}

fn report(done: &RepriceReport, since: Timestamp) -> String {
    let RepriceReport {
        dry_run,
        examined,
        corrected,
        unpriced,
        difference_nanos,
    } = *done;
    let sign = if difference_nanos > 0 { "+" } else { "" };
    let done = if dry_run {
        "would be corrected"
    } else {
        "corrected"
    };
    let mut text = format!(
        "{examined} rows of the ledger since {since}\n{corrected} {done}: {sign}{} in all\n",
        decimal_of_nanos(difference_nanos)
    );
    if unpriced > 0 {
        text.push_str(&format!(
            "{unpriced} have no price now and stay as they are\n"
        ));
    }
    if dry_run {
        text.push_str("Nothing was written.\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_begins_in_utc_and_a_time_is_taken_as_it_is() {
        let check = |text: &str, expected: Option<i64>| {
            let read = since(text).ok().map(Timestamp::as_second);
            assert_eq!(read, expected, "{text}");
        };
        check("2026-01-01", Some(1_767_225_600));
        check("2026-01-01T00:00:00Z", Some(1_767_225_600));
        check("2026-01-01T01:00:00+01:00", Some(1_767_225_600));
        check("2026-01-01T00:00:00", None);
        check("yesterday", None);
        check("", None);
    }

    #[test]
    fn what_was_done_can_be_read() {
        let done = RepriceReport {
            dry_run: true,
            examined: 3,
            corrected: 2,
            unpriced: 1,
            difference_nanos: 1_500_000,
        };
        let since = Timestamp::from_second(1_767_225_600).unwrap();
        assert_eq!(
            report(&done, since),
            "3 rows of the ledger since 2026-01-01T00:00:00Z\n\
             2 would be corrected: +0.0015 in all\n\
             1 have no price now and stay as they are\n\
             Nothing was written.\n"
        );
    }
}
