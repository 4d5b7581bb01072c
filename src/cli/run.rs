//! `ferrogate run`: the gateway itself.

use std::path::PathBuf;

use anyhow::{Context, bail};

use crate::clock::Clock;
use crate::config;
use crate::live::LogTap;
use crate::observability::install_logs_beside;
use crate::server;

#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {
    /// The configuration file
    #[arg(short, long, env = "FERROGATE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(super) fn run(args: &RunArgs) -> anyhow::Result<()> {
    // Never a gateway without a configuration: it would be an open one.
    let Some(path) = &args.config else {
        bail!(
            "no configuration file was named. Name one with --config or FERROGATE_CONFIG; \
             `ferrogate demo` shows a gateway that needs none"
        );
    };
    let loaded = config::load(path)?;
    let log = LogTap::default();
    install_logs_beside(loaded.config.telemetry.log_format, log.layer())
        .context("logging could not be set up")?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    server::run(loaded.config, Clock::system(), log)?;
    Ok(())
}
