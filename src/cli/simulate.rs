//! `ferrogate simulate`: what would become of a request now, without making it.

use std::{fs, path::PathBuf};

use anyhow::Context;
use ferrogate_api::{ExplainRequest, Explanation};
use ferrogate_tui::client;

use super::admin_target::AdminTargetArgs;
use super::routing_report;

#[derive(Debug, clap::Args)]
pub(super) struct SimulateArgs {
    /// A file with the request's body in JSON
    request: PathBuf,
    /// The id of the virtual key that would ask
    #[arg(long, value_name = "ID")]
    key: String,
    /// Where it would be sent; a Gemini request names its model here
    #[arg(long, value_name = "PATH", default_value = "/v1/chat/completions")]
    path: String,
    /// Print the admin API's JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: AdminTargetArgs,
}

pub(super) fn run(args: SimulateArgs) -> anyhow::Result<()> {
    let text = fs::read_to_string(&args.request)
        .with_context(|| format!("{} cannot be read", args.request.display()))?;
    let body = serde_json::from_str(&text)
        .with_context(|| format!("{} is not JSON", args.request.display()))?;
    let request = ExplainRequest {
        key: args.key,
        path: args.path,
        body,
    };
    let target = args.gateway.target()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let explained = runtime
        .block_on(async { client::connect(&target)?.explain(&request).await })
        .context("the request cannot be simulated")?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&explained)?);
    } else {
        print!("{}", report(&explained));
    }
    Ok(())
}

fn report(explained: &Explanation) -> String {
    let mut text = explained
        .routing
        .as_ref()
        .map(routing_report::of)
        .unwrap_or_default();
    match &explained.refusal {
        Some(error) => {
            let param = error
                .param
                .as_ref()
                .map_or_else(String::new, |param| format!(" ({param})"));
            text.push_str(&format!(
                "\nrefused: {}{param}: {}\n",
                error.code, error.message
            ));
        }
        None => text.push_str("\nIt would be sent.\n"),
    }
    text
}
