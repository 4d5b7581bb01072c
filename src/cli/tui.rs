//! `ferrogate tui`: the console of a running gateway.

use anyhow::Context;
use ferrogate_tui::{Options, Target};

use super::admin_target::AdminTargetArgs;

#[derive(Debug, clap::Args)]
pub(super) struct TuiArgs {
    #[command(flatten)]
    gateway: AdminTargetArgs,
}

pub(super) fn run(args: TuiArgs) -> anyhow::Result<()> {
    let target = args.gateway.target()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    runtime.block_on(open(target))
}

/// Opens the console and stays in it until the user leaves.
pub(super) async fn open(target: Target) -> anyhow::Result<()> {
    ferrogate_tui::run(Options { target })
        .await
        .context("the console could not go on")
}
