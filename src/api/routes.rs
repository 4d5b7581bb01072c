//! Routes as the admin API shows them: which plain requests are proxied, and where to.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Origin;

/// Which requests go to which pool, and how they are changed on the way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Route {
    /// `route`.
    pub object: Arc<str>,
    /// What it is called; unique among routes.
    pub name: Arc<str>,
    /// The name of an upstream.
    pub upstream: Arc<str>,
    /// Exact, in lower case, without port; empty: any.
    pub hosts: Vec<String>,
    /// Each matches itself and what lies below it; empty: any path.
    pub path_prefixes: Vec<String>,
    /// A request must have all of them.
    pub match_headers: Vec<RouteHeader>,
    /// What is cut off the path.
    pub strip_prefix: Option<String>,
    /// What is put before the path after that.
    pub add_prefix: Option<String>,
    /// Set on the way to the upstream.
    pub request_headers: Vec<RouteHeader>,
    /// Set on the way to the client.
    pub response_headers: Vec<RouteHeader>,
    /// Whether it needs no key under `/v1`, nor where it adds a secret.
    pub public: bool,
    /// False: it is passed over.
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

/// A header that a route looks for or sets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RouteHeader {
    /// Its name, in lower case.
    pub name: String,
    /// Absent where it is a secret: filled in from the environment, or of a header that carries credentials.
    pub value: Option<String>,
}

/// Which routes to list; everything that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct RouteFilter {
    /// A host that it answers to; a route without hosts answers to each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The name of an upstream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// Only those that are switched on, or off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Only those that were declared there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}
