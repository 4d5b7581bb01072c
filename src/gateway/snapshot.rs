//! What a request reads: one configuration and the managed rows, compiled and immutable.

use thiserror::Error;

use crate::ai::Rules;
use crate::ai::models::Catalog;
use crate::ai::providers::ProviderError;
use crate::config::Config;
use crate::governance::{Keys, KeysError};
use crate::routes::Table;
use crate::store::StoredApiKey;

/// One compiled configuration.
#[derive(Debug)]
pub struct Snapshot {
    pub config: Config,
    pub rules: Rules,
    pub routes: Table,
}

/// What stands against a configuration, beyond what its own checks find.
#[derive(Debug, Error)]
pub enum SnapshotError {
    #[error("the virtual keys cannot be used together")]
    Keys(#[from] KeysError),
    #[error(transparent)]
    Provider(#[from] ProviderError),
}

impl Snapshot {
    /// Compiles a configuration together with the keys that live in the database.
    ///
    /// # Errors
    /// [`SnapshotError`].
    pub fn build(config: Config, stored: Vec<StoredApiKey>) -> Result<Self, SnapshotError> {
        Ok(Self {
            rules: Rules {
                keys: Keys::build(&config.api_keys, stored)?,
                catalog: Catalog::build(&config)?,
                request_body_max_bytes: config.limits.request_body_max_bytes,
            },
            routes: Table::build(&config.routes, &config.upstreams, config.admin.on_gateway),
            config,
        })
    }
}
