//! Request logs: one row for every request that the gateway answered, however it ended.

use std::{collections::BTreeMap, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{
        Object, RefOr,
        schema::{Schema, Type},
    },
};

use crate::{CacheStatus, RoutingTrace, TenantContext, Tokens, UsageSource};

/// What the gateway remembers of one request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RequestLog {
    /// A UUIDv7: sorts by start time, unique across restarts and nodes.
    pub request_id: String,
    /// The `x-request-id` the client sent, if it sent one.
    pub client_request_id: Option<String>,
    /// 32 hexadecimal digits, W3C Trace Context.
    pub trace_id: String,
    /// When its first byte came, in milliseconds since the Unix epoch.
    pub started_at_unix_ms: i64,
    /// From its first byte to the last of its answer, in microseconds.
    pub duration_us: u64,
    /// Time to the first content event of a stream, or to the first byte of an answer, as the client saw it.
    pub ttft_us: Option<u64>,
    /// What the gateway itself added: the duration without the waits for client and upstream.
    pub overhead_us: Option<u64>,
    /// Its HTTP method.
    pub method: Arc<str>,
    /// The path without its query string.
    pub path: String,
    /// What answered: `chat.completions`, `responses`, `embeddings`, `models`, or `route:<name>`.
    pub endpoint: Arc<str>,
    /// The status the client was sent; 499 when it left before there was one.
    pub status: u16,
    /// The gateway's name for what went wrong; absent where nothing did.
    pub error_code: Option<Arc<str>>,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether the client asked for a stream.
    pub stream: bool,
    /// The id of its virtual key; absent without one.
    pub api_key_id: Option<Arc<str>>,
    /// Whose key it was; absent for a key without tenants.
    #[serde(default)]
    pub tenant: Option<Arc<TenantContext>>,
    /// The logical model the client asked for.
    pub model: Option<Arc<str>>,
    /// Who answered, or was asked last; absent where nobody was.
    pub provider: Option<Arc<str>>,
    /// What the provider calls the model.
    pub provider_model: Option<Arc<str>>,
    /// How many times an upstream was asked.
    pub attempts: u32,
    /// What it used.
    pub tokens: Tokens,
    /// Where `tokens` come from.
    pub usage_source: UsageSource,
    /// Nano-units (10⁻⁹); absent when the model has no price.
    pub cost_nanos: Option<i64>,
    /// What the limits and budgets were asked for: the prompt, and the most that may be answered.
    #[serde(default)]
    pub estimated_tokens: Option<u64>,
    /// The most it may cost, in nano-units (10⁻⁹), at the dearest candidate's price.
    #[serde(default)]
    pub estimated_cost_nanos: Option<i64>,
    /// Absent where there is nothing to cache.
    #[serde(default)]
    pub cache: Option<CacheStatus>,
    /// What the cached answer had cost, in nano-units (10⁻⁹).
    #[serde(default)]
    pub saved_nanos: Option<i64>,
    /// The profile that `x-ferrogate-config` chose.
    #[serde(default)]
    pub gateway_config_id: Option<Arc<str>>,
    /// Which revision of the profile was in force.
    #[serde(default)]
    pub gateway_config_revision: Option<u32>,
    /// The profile's tags.
    #[serde(default)]
    pub tags: Option<Arc<BTreeMap<String, String>>>,
    /// The policy that refused it.
    #[serde(default)]
    pub policy: Option<Arc<str>>,
    /// Size of the client's request body.
    pub request_bytes: u64,
    /// Size of the body that the client was sent.
    pub response_bytes: u64,
    /// The client's address as the gateway believes it (see `[limits] trusted_proxies`).
    pub client_address: Option<String>,
}

/// One request with everything that is kept of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RequestLogDetail {
    #[serde(flatten)]
    pub log: RequestLog,
    /// Why it went where it went; absent for what was never routed to a provider.
    #[serde(default)]
    pub routing: Option<RoutingTrace>,
    /// What the client sent, where the key and `[telemetry] log_bodies` ask for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_body: Option<String>,
    /// What the client was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_body: Option<String>,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The client was sent all there was.
    #[default]
    Complete,
    /// Refused by the gateway before an upstream was asked.
    Refused,
    /// The upstream answered with an error, or could not be reached.
    UpstreamError,
    /// The upstream ended a stream before its terminal event.
    UpstreamCut,
    /// The upstream fell silent for longer than the idle time limit.
    Stalled,
    /// The client left.
    ClientGone,
    /// The total time limit ran out, or the gateway was shut down under it.
    TimeLimit,
    /// An operator ended it through the admin API.
    Killed,
    /// The gateway died with the request open; found and charged at the next start.
    Orphaned,
}

impl Outcome {
    pub const ALL: [Self; 9] = [
        Self::Complete,
        Self::Refused,
        Self::UpstreamError,
        Self::UpstreamCut,
        Self::Stalled,
        Self::ClientGone,
        Self::TimeLimit,
        Self::Killed,
        Self::Orphaned,
    ];

    /// The name on the wire, in the database and in metric labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Refused => "refused",
            Self::UpstreamError => "upstream_error",
            Self::UpstreamCut => "upstream_cut",
            Self::Stalled => "stalled",
            Self::ClientGone => "client_gone",
            Self::TimeLimit => "time_limit",
            Self::Killed => "killed",
            Self::Orphaned => "orphaned",
        }
    }

    /// The reverse of [`Outcome::as_str`].
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|outcome| outcome.as_str() == name)
    }
}

/// Which request logs to list. Every filter is optional; all given ones must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RequestLogQuery {
    /// `404`, `4xx`, `>=400` or `<400`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusFilter>,
    /// The logical model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The id of a virtual key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The name of a provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The id of an organization that the key belonged to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// The id of a team that the key belonged to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// The id of a project that the key belonged to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The id of a user that the key belonged to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What answered: `chat.completions`, `responses`, `embeddings`, `models`, or `route:<name>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// How they ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The code of the error that the client got.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// Only streams, or everything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
    /// Free text: a part of the path, the model, the provider, the key's id, the error code, the client's request id or
    /// its address, in capitals or not, or the beginning of the request id. A whole request id finds that request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// Only requests that started at or after this time, in milliseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
    /// Only requests that started before this time, in milliseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
    /// Which end of time comes first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<RequestLogSort>,
    /// `next_cursor` of the page before, which was asked for with the same filters and the same order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many requests to pass over, instead of a cursor. For clients that know no better: all of them are read, and a
    /// request that comes in between moves the pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u32>,
    /// How many requests a page may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// The order of a list of request logs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub enum RequestLogSort {
    #[default]
    #[serde(rename = "-started_at")]
    NewestFirst,
    #[serde(rename = "started_at")]
    OldestFirst,
}

impl RequestLogSort {
    pub const ALL: [Self; 2] = [Self::NewestFirst, Self::OldestFirst];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NewestFirst => "-started_at",
            Self::OldestFirst => "started_at",
        }
    }

    /// The reverse of [`RequestLogSort::as_str`].
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sort| sort.as_str() == name)
    }
}

/// A condition on the status code: a range with both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusFilter {
    pub min: u16,
    pub max: u16,
}

/// A status filter that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusFilterError;

// By hand: on the wire it is the text of its `Display`.
impl PartialSchema for StatusFilter {
    fn schema() -> RefOr<Schema> {
        Object::builder()
            .schema_type(Type::String)
            .description(Some(
                "A condition on a status: a code, a class, or a bound.",
            ))
            .pattern(Some("^([1-9]xx|(>=|<)?[1-9][0-9]{2})$"))
            .examples(["4xx"])
            .into()
    }
}

impl ToSchema for StatusFilter {}

impl fmt::Display for StatusFilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a status filter is a code (404), a class (4xx) or a bound (>=400, <500)")
    }
}

impl std::error::Error for StatusFilterError {}

const STATUS_MIN: u16 = 100;
const STATUS_MAX: u16 = 999;

impl StatusFilter {
    pub fn matches(self, status: u16) -> bool {
        (self.min..=self.max).contains(&status)
    }
}

impl FromStr for StatusFilter {
    type Err = StatusFilterError;

    fn from_str(text: &str) -> Result<Self, StatusFilterError> {
        let code = |digits: &str| {
            digits
                .parse::<u16>()
                .ok()
                .filter(|code| (STATUS_MIN..=STATUS_MAX).contains(code))
                .ok_or(StatusFilterError)
        };
        let (min, max) = if let Some(rest) = text.strip_prefix(">=") {
            (code(rest)?, STATUS_MAX)
        } else if let Some(rest) = text.strip_prefix('<') {
            (STATUS_MIN, code(rest)? - 1)
        } else if let Some(class) = text.strip_suffix("xx") {
            let class = class
                .parse::<u16>()
                .ok()
                .filter(|class| (1..=9).contains(class))
                .ok_or(StatusFilterError)?;
            (class * 100, class * 100 + 99)
        } else {
            let exact = code(text)?;
            (exact, exact)
        };
        Ok(Self { min, max })
    }
}

impl fmt::Display for StatusFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { min, max } = *self;
        if min == max {
            write!(f, "{min}")
        } else if max == STATUS_MAX {
            write!(f, ">={min}")
        } else if min == STATUS_MIN {
            write!(f, "<{}", max + 1)
        } else {
            write!(f, "{}xx", min / 100)
        }
    }
}

impl Serialize for StatusFilter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StatusFilter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_filter_reads_codes_classes_and_bounds_and_prints_them_again() {
        let check = |text: &str, min, max| {
            let filter: StatusFilter = text.parse().unwrap();
            assert_eq!(filter, StatusFilter { min, max }, "{text}");
            assert_eq!(filter.to_string(), text);
        };
        check("404", 404, 404);
        check("4xx", 400, 499);
        check(">=400", 400, 999);
        check("<400", 100, 399);
        for wrong in ["", "abc", "40", "xx", "0xx", ">=", "4x", "<100x"] {
            assert!(wrong.parse::<StatusFilter>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_detail_is_its_log_with_the_routing_beside_it() {
        let log = RequestLog {
            request_id: "01a20797-6f4b-760b-82c2-152ee284374f".to_owned(),
            status: 200,
            cost_nanos: Some(-1),
            duration_us: u64::MAX,
            ..RequestLog::default()
        };
        for routing in [None, Some(RoutingTrace::default())] {
            let detail = RequestLogDetail {
                log: log.clone(),
                routing,
                ..RequestLogDetail::default()
            };
            let mut json = serde_json::to_value(&detail).unwrap();
            let read: RequestLogDetail = serde_json::from_value(json.clone()).unwrap();
            assert_eq!(read, detail);
            let beside = json.as_object_mut().unwrap().remove("routing").unwrap();
            assert_eq!(beside, serde_json::to_value(&detail.routing).unwrap());
            assert_eq!(json, serde_json::to_value(&log).unwrap());
            // What an older gateway answers.
            let read: RequestLogDetail = serde_json::from_value(json).unwrap();
            assert_eq!((read.log, read.routing), (log.clone(), None));
        }
    }

    #[test]
    fn every_order_is_found_again_by_its_name() {
        for sort in RequestLogSort::ALL {
            assert_eq!(RequestLogSort::parse(sort.as_str()), Some(sort));
            assert_eq!(serde_json::to_value(sort).unwrap(), sort.as_str());
        }
        assert_eq!(RequestLogSort::parse("status"), None);
    }

    #[test]
    fn every_outcome_is_found_again_by_its_name() {
        for outcome in Outcome::ALL {
            assert_eq!(Outcome::parse(outcome.as_str()), Some(outcome));
            let json = serde_json::to_value(outcome).unwrap();
            assert_eq!(json, outcome.as_str());
        }
    }
}
