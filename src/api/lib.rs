//! The wire types of the admin API, defined once for the gateway that answers and the clients that ask.
//!
//! Plain data with serde: no HTTP, no database, no clock. Times are milliseconds since the Unix epoch (UTC),
//! durations are microseconds, money is nano-units (10⁻⁹) of the currency the price list is in.

mod accounts;
mod api_keys;
mod audit;
mod budgets;
mod cache;
mod cluster;
mod events;
mod gateway_configs;
mod ledger;
mod money;
mod policies;
mod policy_dry_runs;
mod provider_health;
mod provider_models;
mod request_logs;
mod resources;
mod routing;
mod status;
mod tenants;
mod usage;

pub use accounts::{
    AccountKind, AccountRef, AccountRefError, BalanceKey, BudgetPeriod, BudgetUnit, CacheStatus,
    TenantContext,
};
pub use api_keys::{ApiKey, NewApiKey, RotateApiKey, SecretKind};
pub use audit::{AuditEvent, AuditEventQuery};
pub use budgets::{
    AdjustmentKind, Budget, BudgetAdjustment, BudgetStatus, BudgetStatusQuery, NewBudgetAdjustment,
};
pub use cache::{CachePurge, CachePurged, CacheStats};
pub use cluster::{ClusterStatus, CountersStatus};
pub use events::{BudgetThreshold, Event, InFlight, InFlightRequest, Phase, Second, Skipped};
pub use gateway_configs::GatewayConfig;
pub use ledger::{RepriceReport, RepriceRequest};
pub use money::{decimal_of_nanos, nanos_of_decimal};
pub use policies::{Policy, PolicyWhen};
pub use policy_dry_runs::{PolicyDryRun, PolicyDryRunCount, PolicyDryRunRequest};
pub use provider_health::{
    BreakerHealth, BreakerState, CredentialHealth, CredentialState, ModelHealth, ProviderHealth,
    ProviderStatus,
};
pub use provider_models::{CatalogueStatus, ProviderCatalogue, ProviderModel};
pub use request_logs::{
    Outcome, RequestLog, RequestLogDetail, RequestLogQuery, StatusFilter, StatusFilterError,
};
pub use resources::{Deleted, Origin};
pub use routing::{AttemptTrace, CandidateTrace, ExplainRequest, Explanation, RoutingTrace};
pub use status::{ProcessStatus, StateStatus, Status, WriterStatus};
pub use tenants::Tenant;
pub use usage::{
    MeteringEvent, MeteringEventQuery, Tokens, UsageAggregate, UsageAggregateQuery, UsageSource,
    Window,
};

use serde::{Deserialize, Serialize};

/// One page of a list, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// Always `"list"`, as OpenAI's lists say.
    pub object: ListTag,
    pub data: Vec<T>,
    /// Pass it back as `cursor` for the next page; absent on the last one.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    pub fn new(data: Vec<T>, next_cursor: Option<String>) -> Self {
        Self {
            object: ListTag::List,
            data,
            next_cursor,
        }
    }
}

/// The literal `"list"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListTag {
    List,
}

/// The error envelope, in OpenAI's shape: every field is always present.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    pub error: ErrorDetail,
}

/// What went wrong and, in `message`, what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorDetail {
    pub message: String,
    pub r#type: String,
    pub param: Option<String>,
    pub code: String,
    pub request_id: String,
}
