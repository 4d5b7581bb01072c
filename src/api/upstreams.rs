//! Upstreams as the admin API shows them: pools of servers for plain reverse proxying.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Origin;

/// A pool of servers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Upstream {
    /// `upstream`.
    pub object: Arc<str>,
    /// What routes refer to; unique among upstreams.
    pub name: Arc<str>,
    /// Every server, also one that was declared as `url`.
    pub urls: Vec<String>,
    /// Milliseconds until a server has to be connected to.
    pub connect_timeout_ms: u64,
    /// Seconds between two reads of an answer.
    pub read_timeout_secs: u64,
    /// Seconds between two writes of a request.
    pub write_timeout_secs: u64,
    /// Seconds for which an unused connection is kept.
    pub idle_timeout_secs: u64,
    /// Failures in a row that take a server out of the rotation.
    pub health_failures_max: u32,
    /// For so many seconds.
    pub health_cooldown_secs: u64,
    /// False: its routes answer as if no server were there.
    pub enabled: bool,
    /// Where it was declared, and so who may change it.
    pub origin: Origin,
    /// 1 when it is made, one more with every change; absent for what is not in the database.
    #[serde(default)]
    pub revision: Option<u64>,
    /// When it was made, in milliseconds since the Unix epoch; absent for what is not in the database.
    #[serde(default)]
    pub created_at_unix_ms: Option<i64>,
    /// When it was changed last, in milliseconds since the Unix epoch; absent for what is not in the database.
    #[serde(default)]
    pub updated_at_unix_ms: Option<i64>,
}

/// Which upstreams to list; everything that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct UpstreamFilter {
    /// Only those that are switched on, or off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Only those that were declared there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}
