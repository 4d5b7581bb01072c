//! `ferrogate validate`: everything that is wrong with a configuration file, at once.

use std::path::{Path, PathBuf};

use anyhow::bail;

use crate::config::{self, Config};
use crate::gateway::Snapshot;

#[derive(Debug, clap::Args)]
pub(super) struct ValidateArgs {
    /// The configuration file
    #[arg(short, long, env = "FERROGATE_CONFIG", value_name = "FILE")]
    config: PathBuf,
}

/// A configuration that a gateway can be started with.
#[derive(Debug)]
pub(super) struct Checked {
    snapshot: Snapshot,
    warnings: Vec<String>,
}

pub(super) fn run(args: &ValidateArgs) -> anyhow::Result<()> {
    let checked = check(&args.config)?;
    for warning in checked.warnings() {
        eprintln!("warning: {warning}");
    }
    println!("{}", checked.summary(&args.config));
    Ok(())
}

/// Reads the file and compiles it, as `run` would.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn check(file: &Path) -> anyhow::Result<Checked> {
    let loaded = config::load(file)?;
    // What `run` would compile must compile here, or a file could pass the check and fail at start.
    match Snapshot::of_file(loaded.config) {
        Ok(snapshot) => Ok(Checked {
            snapshot,
            warnings: loaded.warnings.iter().map(ToString::to_string).collect(),
        }),
        Err(error) => bail!("{}: {:#}", file.display(), anyhow::Error::from(error)),
    }
}

impl Checked {
    pub(super) fn config(&self) -> &Config {
        &self.snapshot.config
    }

    pub(super) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// One line about what stands in the file.
    pub(super) fn summary(&self, file: &Path) -> String {
        let config = self.config();
        format!(
            "{}: ok. listen {}, {} providers, {} models, {} keys, {} upstreams, {} routes",
            file.display(),
            config.listen,
            config.providers.len(),
            config.models.len(),
            config.api_keys.len(),
            config.upstreams.len(),
            config.routes.len(),
        )
    }
}
