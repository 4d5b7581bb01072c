//! Facets of the request logs: how often each value of a field occurs, for the choices beside a list.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// How often each value occurs in the request logs of whole UTC days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RequestLogFacets {
    /// Always `"facets"`.
    pub object: FacetsTag,
    /// The beginning of the first day that was counted, at or before what was asked for; absent where nothing was.
    /// Milliseconds since the Unix epoch.
    pub since: Option<i64>,
    /// The end of the last day that was counted.
    pub until: Option<i64>,
    /// False while days are left out: time was up, or their rows are not counted yet.
    pub complete: bool,
    /// Field by field.
    pub facets: Vec<FacetCounts>,
}

/// The values of one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FacetCounts {
    /// What the filter of the list is called: `status`, `model`, `provider`, `key`, `organization`, `team`, `project`,
    /// `user`, `endpoint`, `outcome`, `error_code` or `stream`.
    pub name: String,
    /// The most frequent first.
    pub values: Vec<FacetValue>,
    /// Requests with another value than these. Requests without a value are counted nowhere.
    pub other: u64,
}

/// One value of a field, and how many requests have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FacetValue {
    /// The value, as the filter of the list takes it.
    pub value: String,
    /// How many requests have it.
    pub count: u64,
}

/// Which days to count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RequestLogFacetsQuery {
    /// From the day that this time falls into, in milliseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
    /// To the day that the last millisecond before this time falls into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
    /// How many values of each field are named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// The literal `"facets"`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FacetsTag {
    #[default]
    Facets,
}
