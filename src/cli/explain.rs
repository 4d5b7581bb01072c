//! `ferrogate explain`: why a request went where it went, from the trace that was written while it happened.

use anyhow::Context;
use ferrogate_api::RequestLogDetail;
use ferrogate_tui::client;

use super::admin_target::AdminTargetArgs;
use super::routing_report;

#[derive(Debug, clap::Args)]
pub(super) struct ExplainArgs {
    /// The request's id, as `x-request-id` gave it
    request_id: String,
    /// Print the admin API's JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: AdminTargetArgs,
}

pub(super) fn run(args: ExplainArgs) -> anyhow::Result<()> {
    let target = args.gateway.target()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let detail = runtime.block_on(async {
        client::connect(&target)?
            .request_log(&args.request_id)
            .await
    });
    let detail =
        detail.with_context(|| format!("request {} cannot be explained", args.request_id))?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&detail)?);
    } else {
        print!("{}", report(&detail));
    }
    Ok(())
}

fn report(detail: &RequestLogDetail) -> String {
    let log = &detail.log;
    let name = |name: &Option<std::sync::Arc<str>>| name.as_deref().unwrap_or("-").to_owned();
    let mut text = format!(
        "{}  {} {}  {}\nkey {}  model {}  answered by {} ({})\n{} attempts, status {}, {}{}\n",
        log.request_id,
        log.method,
        log.path,
        log.outcome.as_str(),
        name(&log.api_key_id),
        name(&log.model),
        name(&log.provider),
        name(&log.provider_model),
        log.attempts,
        log.status,
        milliseconds(log.duration_us),
        log.error_code
            .as_deref()
            .map_or_else(String::new, |code| format!(", {code}")),
    );
    match &detail.routing {
        Some(trace) => text.push_str(&routing_report::of(trace)),
        None if log.attempts == 0 => text.push_str("No provider was asked.\n"),
        None => text.push_str("There was one candidate, and it answered at the first attempt.\n"),
    }
    text
}

fn milliseconds(us: u64) -> String {
    format!("{}.{:03} ms", us / 1000, us % 1000)
}
