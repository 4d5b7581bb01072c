//! Which data directory is meant, for commands that work on the disk and ask no gateway.

use std::path::PathBuf;

use anyhow::bail;

use crate::config;
use crate::store;

#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct DataArgs {
    /// The data directory [default: that of the configuration; without one the first of /var/lib/ferrogate and ./ferrogate-data with a ledger]
    #[arg(long, value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
    /// The configuration file whose data directory is meant
    #[arg(
        short,
        long,
        env = "FERROGATE_CONFIG",
        value_name = "FILE",
        conflicts_with = "data_dir"
    )]
    pub(super) config: Option<PathBuf>,
}

/// Where a gateway puts its data when nobody says otherwise: packaged, then started by hand.
const DIRECTORIES: [&str; 2] = ["/var/lib/ferrogate", "ferrogate-data"];

/// A data directory, where its gateway can be asked, and where its backups go.
#[derive(Debug, Clone)]
pub(super) struct DataDirectory {
    pub(super) path: PathBuf,
    pub(super) socket: PathBuf,
    pub(super) backup: config::Backup,
}

impl DataArgs {
    /// The directory that is meant, whether there is a ledger in it or not.
    ///
    /// # Errors
    /// When the configuration cannot be read, or nothing is named and nothing is found.
    pub(super) fn directory(&self) -> anyhow::Result<DataDirectory> {
        let path = match (&self.data_dir, &self.config) {
            (Some(directory), _) => directory.clone(),
            (None, Some(file)) => {
                let config = config::load(file)?.config;
                return Ok(DataDirectory {
                    path: config.storage.path,
                    socket: config.admin.socket,
                    backup: config.backup,
                });
            }
            (None, None) => find()?,
        };
        Ok(DataDirectory {
            socket: path.join(config::ADMIN_SOCKET),
            backup: config::Backup::of(&path),
            path,
        })
    }

    /// Whether somebody said which.
    pub(super) fn is_named(&self) -> bool {
        self.data_dir.is_some() || self.config.is_some()
    }
}

fn find() -> anyhow::Result<PathBuf> {
    match DIRECTORIES
        .iter()
        .map(PathBuf::from)
        .find(|directory| store::has_ledger(directory))
    {
        Some(directory) => Ok(directory),
        None => bail!(
            "no ledger was found in {}. Name the data directory with --data-dir, or the configuration with --config",
            DIRECTORIES.join(" and ")
        ),
    }
}
