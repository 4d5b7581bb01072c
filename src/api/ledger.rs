//! What can be asked of the ledger as a whole.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `POST /admin/v1/ledger:reprice`: reckon again with the prices in force now what was charged with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"since_unix_ms": 1_772_323_200_000_i64, "dry_run": true})))]
pub struct RepriceRequest {
    /// Only requests that ended at or after this time, in milliseconds since the Unix epoch.
    pub since_unix_ms: i64,
    /// Only say what would be corrected.
    #[serde(default)]
    pub dry_run: bool,
}

/// What a reckoning anew found, and unless it was a dry run, corrected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RepriceReport {
    /// Whether nothing was corrected in earnest.
    pub dry_run: bool,
    /// Rows of the ledger that were looked at.
    pub examined: u64,
    /// Of these, the ones whose cost is another now.
    pub corrected: u64,
    /// Of these, the ones whose model has no price now; they stay as they are.
    pub unpriced: u64,
    /// The sum of the corrections, in nano-units (10⁻⁹): above zero where more is charged now.
    pub difference_nanos: i64,
}
