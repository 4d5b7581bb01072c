//! The wire types of the admin API, defined once for the gateway that answers and the clients that ask.
//!
//! Plain data with serde: no HTTP, no database, no clock. Times are milliseconds since the Unix epoch (UTC),
//! durations are microseconds, money is nano-units (10⁻⁹) of the currency the price list is in.

mod accounts;
mod alerts;
mod api_keys;
mod audit;
mod backups;
mod budgets;
mod cache;
mod cluster;
mod config;
mod documents;
mod drain;
mod events;
mod facets;
mod gateway_configs;
mod in_flight;
mod ledger;
mod mcp_servers;
mod models;
mod money;
mod policies;
mod policy_dry_runs;
mod provider_health;
mod provider_models;
mod providers;
mod request_logs;
mod resources;
mod retention;
mod routes;
mod routing;
mod status;
mod tenants;
mod timeseries;
mod upstreams;
mod usage;
mod words;

pub use accounts::{
    AccountKind, AccountRef, AccountRefError, BalanceKey, BudgetPeriod, BudgetUnit, CacheStatus,
    TenantContext,
};
pub use alerts::{
    AcknowledgeAlert, Alert, AlertAcknowledgement, AlertDelivery, AlertEvent, AlertEventState,
    AlertFilter, AlertSeverity, AlertState,
};
pub use api_keys::{ApiKey, ApiKeyFilter, NewApiKey, RotateApiKey, SecretKind};
pub use audit::{AuditEvent, AuditEventQuery, AuditReport, VerifyAudit};
pub use backups::{
    Backup, BackupCheck, BackupFile, BackupReport, NewBackup, PruneBackups, PrunedBackups,
};
pub use budgets::{
    AdjustmentKind, Budget, BudgetAdjustment, BudgetAdjustmentQuery, BudgetStatus,
    BudgetStatusQuery, NewBudgetAdjustment,
};
pub use cache::{CachePurge, CachePurged, CacheStats};
pub use cluster::{ClusterStatus, CountersStatus};
pub use config::{
    ConfigAction, ConfigChange, ConfigDiff, ConfigFinding, ConfigImport, ConfigOrigin,
    ConfigReload, ConfigReport, ConfigRequest, ConfigRevision, ConfigRollback, ConfigView,
    ImportRequest, ReloadMode, RollbackRequest,
};
pub use documents::{
    AlertDocument, AlertMetric, AlertThreshold, ApiKeyDocument, BaseUrl, BudgetDocument,
    Capability, Decimal, GatewayConfigDocument, HeaderDocument, HeaderName, HeaderValue, Host,
    McpAuth, McpServerDocument, McpSettingDocument, McpTlsDocument, McpTransport, ModelDocument,
    ModelFallbackDocument, Name, PathPrefix, PolicyDocument, PolicyEffect, PolicyWhenDocument,
    ProviderApi, ProviderDocument, ProviderKind, RouteDocument, RoutingStrategy, Scope, Tags,
    TenantDocument, TenantKind, ToolSelector, UpstreamDocument, VariableName, Weekday,
};
pub use drain::{DrainRequest, DrainStatus};
pub use events::{
    BreakerChanged, BudgetThreshold, CredentialChanged, Event, EventQuery, LiveStatus, LogLevel,
    LogLine, Second, SkipReason, Skipped, Topic,
};
pub use facets::{FacetCounts, FacetValue, FacetsTag, RequestLogFacets, RequestLogFacetsQuery};
pub use gateway_configs::{GatewayConfig, GatewayConfigFilter};
pub use in_flight::{InFlight, InFlightQuery, InFlightRequest, KilledRequest, Phase};
pub use ledger::{RepriceReport, RepriceRequest};
pub use mcp_servers::{McpServer, McpServerFilter, McpSetting, McpTls};
pub use models::{LongContextPrice, Model, ModelFallback, ModelFilter, ModelPrice};
pub use money::{decimal_of_nanos, nanos_of_decimal};
pub use policies::{Policy, PolicyFilter, PolicyWhen};
pub use policy_dry_runs::{PolicyDryRun, PolicyDryRunCount, PolicyDryRunRequest};
pub use provider_health::{
    BreakerHealth, BreakerState, CredentialHealth, CredentialState, ModelHealth, ProviderHealth,
    ProviderStatus,
};
pub use provider_models::{CatalogueStatus, ProviderCatalogue, ProviderModel};
pub use providers::{CredentialSource, Provider, ProviderFilter};
pub use request_logs::{
    Outcome, RequestLog, RequestLogDetail, RequestLogQuery, RequestLogSort, StatusFilter,
    StatusFilterError,
};
pub use resources::{Deleted, Origin, ResourceQuery};
pub use retention::{RetentionJob, RetentionLimits};
pub use routes::{Route, RouteFilter, RouteHeader};
pub use routing::{AttemptTrace, CandidateTrace, ExplainRequest, Explanation, RoutingTrace};
pub use status::{ProcessStatus, StateStatus, Status, WriterStatus};
pub use tenants::{Tenant, TenantFilter};
pub use timeseries::{
    Timeseries, TimeseriesBy, TimeseriesLine, TimeseriesMetric, TimeseriesQuery, TimeseriesSource,
    TimeseriesStep,
};
pub use upstreams::{Upstream, UpstreamFilter};
pub use usage::{
    MeteringEvent, MeteringEventQuery, Tokens, UsageAggregate, UsageAggregateQuery,
    UsageAggregateSort, UsageSource, Window,
};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// Always `"list"`, as OpenAI's lists say.
    pub object: ListTag,
    /// The entries of the page.
    pub data: Vec<T>,
    /// Pass it back as `cursor` for the next page; `null` on the last one.
    pub next_cursor: Option<String>,
    /// False when time was up before the page was full: the cursor goes on where the search stopped.
    #[serde(default = "whole")]
    pub complete: bool,
}

/// What a page says of itself that says nothing.
fn whole() -> bool {
    true
}

impl<T> Page<T> {
    pub fn new(data: Vec<T>, next_cursor: Option<String>) -> Self {
        Self {
            object: ListTag::List,
            data,
            next_cursor,
            complete: true,
        }
    }

    /// A page that time ran out for.
    pub fn partial(data: Vec<T>, next_cursor: Option<String>) -> Self {
        Self {
            complete: false,
            ..Self::new(data, next_cursor)
        }
    }
}

/// The literal `"list"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ListTag {
    List,
}

/// The error envelope, in OpenAI's shape: every field is always present.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorDetail,
}

/// What went wrong and, in `message`, what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorDetail {
    /// What happened, and what to do about it, in sentences.
    pub message: String,
    /// `invalid_request_error`, `authentication_error`, `permission_error`, `rate_limit_error` or `server_error`.
    pub r#type: String,
    /// The field, parameter or header that caused it; absent where it is none.
    pub param: Option<String>,
    /// What programs tell errors apart by.
    pub code: String,
    /// The id of this answer, which the gateway's log names, too.
    pub request_id: String,
}
