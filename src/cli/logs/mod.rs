//! `ferrogate logs`: the requests that were, and those that end just now.

mod facets;
mod follow;

use ferrogate_api::{RequestLog, RequestLogDetail, StatusFilter};
use ferrogate_tui::client::{sanitise, segment};
use serde_json::Value;

use self::facets::FacetsArgs;

use super::details;
use super::listing::{self, Column, ListArgs, column};
use super::routing_report;
use super::session::{self, Common, Session};
use super::units::Times;
use super::when;

/// They have lines of their own, which a field of a table has not.
const BODIES: [&str; 2] = ["request_body", "response_body"];

/// The requests that were, and those that end just now
#[derive(Debug, clap::Args)]
pub(super) struct LogsArgs {
    #[command(subcommand)]
    command: LogsCommand,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Subcommand)]
enum LogsCommand {
    /// List requests, newest first
    #[command(alias = "ls")]
    List(ListLogsArgs),
    /// Show one request, and why it went where it went
    Show(ShowArgs),
    /// Print requests as they end, until Ctrl-C
    Follow(Filters),
    /// Count how often each model, key, status and so on occurs
    Facets(FacetsArgs),
}

#[derive(Debug, clap::Args)]
struct ListLogsArgs {
    #[command(flatten)]
    filters: Filters,
    /// Requests that started at or after: 2h, a date, or a time in RFC 3339
    #[arg(long, value_name = "TIME", value_parser = when::past_unix_ms)]
    since: Option<i64>,
    /// Requests that started before, in the same words
    #[arg(long, value_name = "TIME", value_parser = when::past_unix_ms)]
    until: Option<i64>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, clap::Args)]
struct ShowArgs {
    /// The request's id, as `x-request-id` gave it
    id: String,
}

/// Which requests.
#[derive(Debug, clap::Args)]
struct Filters {
    /// A code (404), a class (4xx) or a bound (>=400, <500)
    #[arg(long, value_name = "STATUS")]
    status: Option<StatusFilter>,
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    /// The id of a key
    #[arg(long, value_name = "ID")]
    key: Option<String>,
    /// The id of a tenant that the key belonged to
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
    #[arg(long, value_name = "ID")]
    team: Option<String>,
    #[arg(long, value_name = "ID")]
    project: Option<String>,
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// chat.completions, responses, embeddings, models, or route:NAME
    #[arg(long, value_name = "NAME")]
    endpoint: Option<String>,
    /// complete, refused, upstream_error, upstream_cut, stalled, client_gone, time_limit, orphaned
    #[arg(long, value_name = "OUTCOME")]
    outcome: Option<String>,
    /// The code of an error
    #[arg(long, value_name = "CODE")]
    error_code: Option<String>,
}

const COLUMNS: &[Column] = &[
    column("TIME", "started_at_unix_ms"),
    column("STATUS", "status"),
    column("OUTCOME", "outcome"),
    column("KEY", "api_key_id"),
    column("MODEL", "model"),
    column("PROVIDER", "provider"),
    column("IN", "tokens.input"),
    column("OUT", "tokens.output"),
    column("COST", "cost_nanos"),
    column("TOOK", "duration_us"),
    column("ERROR", "error_code"),
    column("REQUEST ID", "request_id"),
];

/// Runs one command.
///
/// # Errors
/// The gateway's, or why it could not be asked.
pub(super) fn run(args: LogsArgs) -> anyhow::Result<()> {
    let session = Session::open(args.common)?;
    match args.command {
        LogsCommand::List(args) => {
            let list = args
                .filters
                .of(args.list)
                .with("since", args.since)
                .with("until", args.until);
            listing::show(&session, "request-logs", &list, (COLUMNS, Times::Dates))
        }
        LogsCommand::Show(args) => show(&session, &args.id),
        LogsCommand::Follow(filters) => session.block_on(follow::follow(&session, &filters)),
        LogsCommand::Facets(args) => facets::facets(&session, &args),
    }
}

impl Filters {
    fn of(self, list: ListArgs) -> ListArgs {
        list.with("status", self.status)
            .with("model", self.model)
            .with("provider", self.provider)
            .with("key", self.key)
            .with("organization", self.organization)
            .with("team", self.team)
            .with("project", self.project)
            .with("user", self.user)
            .with("endpoint", self.endpoint)
            .with("outcome", self.outcome)
            .with("error_code", self.error_code)
    }

    fn takes(&self, log: &RequestLog) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| found == Some(wanted))
        };
        let tenant = log.tenant.as_deref();
        self.status.is_none_or(|status| status.matches(log.status))
            && is(&self.model, log.model.as_deref())
            && is(&self.provider, log.provider.as_deref())
            && is(&self.key, log.api_key_id.as_deref())
            && is(
                &self.organization,
                tenant.and_then(|tenant| tenant.organization_id.as_deref()),
            )
            && is(
                &self.team,
                tenant.and_then(|tenant| tenant.team_id.as_deref()),
            )
            && is(
                &self.project,
                tenant.and_then(|tenant| tenant.project_id.as_deref()),
            )
            && is(
                &self.user,
                tenant.and_then(|tenant| tenant.user_id.as_deref()),
            )
            && is(&self.endpoint, Some(&log.endpoint))
            && is(&self.outcome, Some(log.outcome.as_str()))
            && is(&self.error_code, log.error_code.as_deref())
    }
}

fn show(session: &Session, id: &str) -> anyhow::Result<()> {
    let answer = session.get(&format!("request-logs/{}", segment(id)), &[])?;
    session.show(&answer, report)
}

/// Field by field, then the bodies, then why it went where it went.
fn report(detail: &Value) -> String {
    let mut fields = detail.clone();
    if let Some(fields) = fields.as_object_mut() {
        for apart in BODIES.into_iter().chain(["routing"]) {
            fields.shift_remove(apart);
        }
    }
    let mut text = details::of(&fields, session::dates_and_ages());
    for name in BODIES {
        if let Some(body) = detail.get(name).and_then(Value::as_str) {
            text.push_str(&format!("\n{name}\n{}\n", sanitise::clean_lines(body)));
        }
    }
    if let Ok(RequestLogDetail {
        routing: Some(routing),
        ..
    }) = serde_json::from_value(detail.clone())
    {
        text.push_str(&routing_report::of(&routing));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use clap::Parser;
    use ferrogate_api::{Outcome, TenantContext};
    use serde_json::json;

    use super::follow::followed;
    use super::*;
    use crate::cli::out::Format;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        filters: Filters,
    }

    fn filters(line: &str) -> Filters {
        Cli::try_parse_from(std::iter::once("x").chain(line.split_whitespace()))
            .unwrap()
            .filters
    }

    fn log() -> RequestLog {
        RequestLog {
            request_id: "01a20797-6f4b-760b-82c2-152ee284374f".to_owned(),
            started_at_unix_ms: 1_787_486_671_204,
            status: 503,
            outcome: Outcome::UpstreamError,
            model: Some("fast".into()),
            api_key_id: Some("dev".into()),
            error_code: Some("provider_error".into()),
            cost_nanos: Some(10_200),
            duration_us: 198_454,
            tenant: Some(Arc::new(TenantContext {
                organization_id: Some("acme".into()),
                ..TenantContext::default()
            })),
            ..RequestLog::default()
        }
    }

    #[test]
    fn bodies_are_shown_line_by_line_behind_the_fields() {
        let body = "{\n  \"model\": \"fast\"\n}\nrequest_body ends";
        let shown = report(&json!({"request_id": "a", "request_body": body, "status": 200}));
        assert_eq!(
            shown,
            format!("request_id  a\nstatus      200\n\nrequest_body\n{body}\n")
        );
    }

    #[test]
    fn what_is_followed_can_be_filtered_like_a_list() {
        let check = |line: &str, expected: bool| {
            assert_eq!(filters(line).takes(&log()), expected, "{line}");
        };
        check("", true);
        check("--status 5xx --model fast --key dev", true);
        check("--status <500", false);
        check("--model slow", false);
        check("--organization acme --outcome upstream_error", true);
        check("--organization other", false);
        check("--team blue", false);
        check("--provider openai", false);
        check("--error-code provider_error", true);
    }

    #[test]
    fn a_request_that_ended_is_one_line() {
        let log = Arc::new(log());
        let first = followed(&log, Format::Table, true).unwrap();
        let line = "2026-08-23 12:04:31     503  01a20797-6f4b-760b-82c2-152ee284374f  \
                    upstream_error  key dev  model fast  in 0  out 0  cost 0.0000102  took 198 ms  \
                    error provider_error\n";
        assert!(first.starts_with("TIME "), "{first}");
        assert!(first.ends_with(&format!("\n{line}")), "{first}");
        assert_eq!(followed(&log, Format::Table, false).unwrap(), line);
        let json = followed(&log, Format::Json, true).unwrap();
        let read: RequestLog = serde_json::from_str(&json).unwrap();
        assert_eq!(read, *log);
        assert_eq!(json.lines().count(), 1);
    }
}
