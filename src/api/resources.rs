//! What every resource says of itself, whoever declared it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Where a resource was declared, and so who may change it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// In the configuration file; the API shows it and does not change it.
    #[default]
    Config,
    /// Made by the gateway or through the API; it lives in the database.
    Api,
    /// Nowhere: a tenant that keys name and nobody declared. It has no limits.
    Implicit,
}

impl Origin {
    pub const ALL: [Self; 3] = [Self::Config, Self::Api, Self::Implicit];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Api => "api",
            Self::Implicit => "implicit",
        }
    }
}

/// Which part of a list of resources to answer with, and in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ResourceQuery {
    /// How many entries a page may have; `[storage] admin_list_default_limit` where it is left out, and never more than
    /// `admin_list_max_limit`.
    #[param(minimum = 1)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The `next_cursor` of the page before, with the same `sort`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// So many entries are left out at the beginning; not together with `cursor`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u32>,
    /// A field to sort by, such as `name`, `created_at` or `updated_at`; with `-` before it the other way round.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sort: Option<String>,
    /// Text that a name, an id or a tenant must hold, in whatever case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
}

/// The answer to a deletion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Deleted {
    /// `api_key`, `tenant`, `policy`, `gateway_config`, `provider`, `model`, `upstream`, `route`,
    /// `mcp_server` or `alert`.
    pub object: Arc<str>,
    /// What it was called.
    pub id: String,
    /// Always true.
    pub deleted: bool,
}

impl Deleted {
    pub fn of(object: &str, id: String) -> Self {
        Self {
            object: object.into(),
            id,
            deleted: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_called_what_serde_calls_it() {
        for origin in Origin::ALL {
            assert_eq!(serde_json::to_value(origin).unwrap(), origin.as_str());
        }
    }
}
