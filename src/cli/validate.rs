//! `ferrogate validate`: everything that is wrong with a configuration file, at once.

use std::path::PathBuf;

use anyhow::bail;

use crate::config;
use crate::gateway::Snapshot;

#[derive(Debug, clap::Args)]
pub(super) struct ValidateArgs {
    /// The configuration file
    #[arg(short, long, env = "FERROGATE_CONFIG", value_name = "FILE")]
    config: PathBuf,
}

pub(super) fn run(args: &ValidateArgs) -> anyhow::Result<()> {
    let loaded = config::load(&args.config)?;
    for warning in &loaded.warnings {
        eprintln!("warning: {warning}");
    }
    // What `run` would compile must compile here, or a file could pass the check and fail at start.
    let snapshot = match Snapshot::of_file(loaded.config) {
        Ok(snapshot) => snapshot,
        Err(error) => bail!(
            "{}: {:#}",
            args.config.display(),
            anyhow::Error::from(error)
        ),
    };
    let config = &snapshot.config;
    println!(
        "{}: ok. listen {}, {} providers, {} models, {} keys, {} upstreams, {} routes",
        args.config.display(),
        config.listen,
        config.providers.len(),
        config.models.len(),
        config.api_keys.len(),
        config.upstreams.len(),
        config.routes.len(),
    );
    Ok(())
}
