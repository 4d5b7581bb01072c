//! `GET /admin/v1/requests/in-flight`: the requests that have not ended, and ending one of them.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::TenantContext;

/// The requests in flight, oldest first, at most as many as `[admin] in_flight_list_max`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InFlight {
    /// How many there are in all.
    pub total: u64,
    /// The oldest of them.
    pub requests: Vec<InFlightRequest>,
}

/// One request that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InFlightRequest {
    /// Its id, a UUIDv7, which its answer has as `x-request-id`.
    pub request_id: String,
    /// When its first byte came, in milliseconds since the Unix epoch.
    pub started_at_unix_ms: i64,
    /// How far it has come.
    pub phase: Phase,
    /// Its HTTP method.
    pub method: Arc<str>,
    /// Its path, without the query string.
    pub path: String,
    /// What answers: `chat.completions`, `responses`, `embeddings`, `models`, or `route:<name>`.
    pub endpoint: Arc<str>,
    /// The id of its virtual key; absent before the key is known.
    pub api_key_id: Option<Arc<str>>,
    /// Whose key it is; absent for a key without tenants, and before the key is known.
    #[serde(default)]
    pub tenant: Option<Arc<TenantContext>>,
    /// The logical model that the client asks for; absent before it is known.
    pub model: Option<Arc<str>>,
    /// Who is asked; absent before somebody is.
    pub provider: Option<Arc<str>>,
}

/// How far a request in flight has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Its headers are here; key, body and plan are being read.
    Receiving,
    /// An upstream has been asked and has not answered with content.
    Waiting,
    /// Content is on its way to the client.
    Answering,
}

impl Phase {
    pub const ALL: [Self; 3] = [Self::Receiving, Self::Waiting, Self::Answering];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Receiving => "receiving",
            Self::Waiting => "waiting",
            Self::Answering => "answering",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Phase {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|phase| phase.as_str() == name);
        found.ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join("`, `");
            format!("must be one of `{known}`")
        })
    }
}

/// Which requests in flight to list. Every filter is optional; all given ones must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct InFlightQuery {
    /// The id of a virtual key.
    pub key: Option<String>,
    /// The logical model that is asked for.
    pub model: Option<String>,
    /// Who is asked.
    pub provider: Option<String>,
    /// What answers: `chat.completions`, `responses`, `embeddings`, `models`, or `route:<name>`.
    pub endpoint: Option<String>,
    /// The id of an organization that the key belongs to.
    pub organization: Option<String>,
    /// The id of a team.
    pub team: Option<String>,
    /// The id of a project.
    pub project: Option<String>,
    /// The id of a user.
    pub user: Option<String>,
    /// How far it has come.
    pub phase: Option<Phase>,
    /// Only requests that began at least so many seconds ago.
    #[param(maximum = 4_294_967_295_u64)]
    pub min_age_secs: Option<u64>,
    /// Free text: a part of the path, the model, the provider or the key's id, or the request's id.
    pub q: Option<String>,
    /// `started_at` (the oldest first) or `-started_at`.
    pub sort: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// How many requests to pass over, instead of a cursor.
    pub offset: Option<u32>,
    /// How many requests a page may have.
    pub limit: Option<u32>,
}

/// A request that was told to end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KilledRequest {
    /// Always `in_flight_request`.
    pub object: Arc<str>,
    /// The id of the request.
    pub id: String,
    /// Always true. What became of it is in its request log.
    pub killed: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phase_is_found_again_by_its_name() {
        for phase in Phase::ALL {
            assert_eq!(phase.as_str().parse(), Ok(phase));
            assert_eq!(serde_json::to_value(phase).unwrap(), phase.as_str());
        }
        assert!("done".parse::<Phase>().is_err());
    }
}
