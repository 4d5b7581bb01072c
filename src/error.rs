//! The one error a client sees.
//!
//! Its kind decides status, code, envelope type, whose fault it is and whether a retry can help; the message says
//! what the client or the operator can do next. `docs/ERRORS.md` lists every kind; a test holds the two together.
//! What is for operators alone is any error, [`in_words`].

use std::{borrow::Cow, fmt, time::Duration};

use ferrogate_api::{ErrorBody, ErrorDetail};

/// An error and what caused it, on one line.
pub fn in_words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        words.push_str(": ");
        words.push_str(&next.to_string());
        cause = next.source();
    }
    words
}

/// Whose fault a failure is. Only [`Fault::Upstream`] may count against a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Client,
    /// The credential the gateway presented upstream.
    Credential,
    Upstream,
    Gateway,
}

macro_rules! kinds {
    ($($kind:ident => $status:literal, $code:literal, $fault:ident, $retry:literal, $remedy:literal;)*) => {
        /// What went wrong. The name, as [`ErrorKind::code`], is the same on every surface.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorKind { $(#[doc = $remedy] $kind,)* }

        impl ErrorKind {
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// The HTTP status it is answered with, unless a provider's own status is passed on.
            pub fn status(self) -> u16 { match self { $(Self::$kind => $status,)* } }
            /// The stable name: `code` in the envelope, a label in metrics, a column in the request log.
            pub fn code(self) -> &'static str { match self { $(Self::$kind => $code,)* } }
            pub fn fault(self) -> Fault { match self { $(Self::$kind => Fault::$fault,)* } }
            /// Whether the same request can succeed later without anybody changing anything.
            pub fn retry_can_help(self) -> bool { match self { $(Self::$kind => $retry,)* } }
            /// What to do about it, for `docs/ERRORS.md`.
            pub fn remedy(self) -> &'static str { match self { $(Self::$kind => $remedy,)* } }
        }
    };
}

kinds! {
    MissingApiKey => 401, "missing_api_key", Client, false, "Send the key as `Authorization: Bearer …`, `x-api-key` or `x-goog-api-key`.";
    InvalidApiKey => 401, "invalid_api_key", Client, false, "The gateway knows no such key; ask its operator for one.";
    ApiKeyInUrl => 401, "api_key_in_url", Client, false, "Keys in a URL end up in logs; send the key in a header.";
    ApiKeyDisabled => 403, "api_key_disabled", Client, false, "An operator switched this key off.";
    ApiKeyExpired => 403, "api_key_expired", Client, false, "The key's `expires_at_unix` has passed; ask for a new one.";
    ScopeDenied => 403, "scope_denied", Client, false, "Give the key the scope that the message names.";
    TenantDisabled => 403, "tenant_disabled", Client, false, "An operator switched off the tenant that the message names, and with it all its keys.";
    PolicyDenied => 403, "policy_denied", Client, false, "A deny rule of `[[policies]]` stands against it; a rule may have a code and a message of its own.";
    RbacDenied => 403, "rbac_denied", Client, false, "The authorization service allows this subject no such action; change its roles there.";
    GatewayConfigNotFound => 400, "gateway_config_not_found", Client, false, "`x-ferrogate-config` names no enabled profile; leave it out, or declare it in `[[gateway_configs]]`.";
    GatewayConfigNotAllowed => 403, "gateway_config_not_allowed", Client, false, "The profile's `api_key_ids` do not list this key.";
    ModelNotAllowed => 403, "model_not_allowed", Client, false, "The key's `allowed_models` or `denied_models` stand against it.";
    ProviderNotAllowed => 403, "provider_not_allowed", Client, false, "The key's `allowed_providers` or `denied_providers` stand against it.";
    ModelNotFound => 404, "model_not_found", Client, false, "List the models this key may use with GET /v1/models.";
    ModelDisabled => 404, "model_disabled", Client, false, "An operator switched this model off.";
    CapabilityNotSupported => 400, "capability_not_supported", Client, false, "The model's `capabilities` do not name this endpoint or a feature the request needs.";
    RateLimitExceeded => 429, "rate_limit_exceeded", Client, true, "Wait as long as `retry-after` says, or raise the `request_limit_per_minute` or `token_limit_per_minute` that the message names.";
    ConcurrencyLimitExceeded => 429, "concurrency_limit_exceeded", Client, true, "Wait for requests in flight to end, or raise the `concurrency_limit` that the message names.";
    TokenBudgetExceeded => 429, "token_budget_exceeded", Client, false, "The budget that the message names is used up until its period ends; top it up, raise it, or ask for fewer tokens.";
    CostBudgetExceeded => 429, "cost_budget_exceeded", Client, false, "The budget that the message names is used up until its period ends; top it up, raise it, or ask for less.";
    InvalidJson => 400, "invalid_json", Client, false, "The body is no JSON object; the message says where it breaks.";
    DuplicateJsonKey => 400, "duplicate_json_key", Client, false, "A field the gateway reads stands in the body twice; send it once.";
    InvalidRequest => 400, "invalid_request", Client, false, "The message and `param` name the field and what it must be.";
    UnsupportedParameter => 400, "unsupported_parameter", Client, false, "The provider of this model has no way to express the field that `param` names; leave it out, or use a model whose provider can.";
    ContextWindowExceeded => 400, "context_length_exceeded", Client, false, "The prompt is longer than every candidate of the model can read; shorten it, or add a fallback with a larger `context_window`.";
    PreviousResponseNotFound => 400, "previous_response_not_found", Client, false, "The gateway keeps no such response for this key: it was never stored, has been deleted, or is past its retention.";
    HostRequired => 400, "host_required", Client, false, "Every request names its host (RFC 9112 section 3.2).";
    InvalidPath => 400, "invalid_path", Client, false, "The path leaves its root or holds a malformed escape.";
    MethodNotAllowed => 405, "method_not_allowed", Client, false, "The `allow` header names the methods this path takes.";
    PayloadTooLarge => 413, "payload_too_large", Client, false, "Send less, or raise the limit that the message names.";
    RequestTimeout => 408, "request_timeout", Client, true, "The body did not arrive in time; see `[limits]`.";
    HeaderTooLarge => 431, "header_too_large", Client, false, "Send fewer or shorter headers, or raise `[limits] header_max_bytes`.";
    ClientClosedRequest => 499, "client_closed_request", Client, false, "The client left before the answer was complete.";
    AdminNotPublic => 403, "admin_not_public", Client, false, "Use the admin listener or its unix socket; the gateway listener serves the admin API to this machine alone.";
    InvalidResource => 400, "invalid_resource", Client, false, "The message names each field that is wrong and what it must be.";
    ResourceExists => 409, "resource_exists", Client, false, "Something has this id already; change it with PUT or PATCH.";
    ResourceInUse => 409, "resource_in_use", Client, false, "Others refer to it; the message names them. Change those first.";
    ManagedByConfig => 409, "managed_by_config", Client, false, "It is declared in the configuration file; change it there.";
    RevisionConflict => 409, "revision_conflict", Client, true, "Somebody else changed it meanwhile; read it again and repeat the change.";
    PreconditionFailed => 412, "precondition_failed", Client, false, "It was changed since the `If-Match` tag was read; read it again and decide anew.";
    IdempotencyKeyReused => 422, "idempotency_key_reused", Client, false, "This `Idempotency-Key` came with another request before; every request needs its own.";
    IdempotencyInProgress => 409, "idempotency_in_progress", Client, true, "The first request with this `Idempotency-Key` is still running; repeat it a moment later.";
    IdempotencyOutcomeUnknown => 409, "idempotency_outcome_unknown", Client, false, "The gateway ended while the first request with this `Idempotency-Key` was running: look whether it was done, then use a new key.";
    OperatorOnly => 403, "operator_only", Client, false, "The key belongs to a tenant, and this is the operator's: use an admin key without a tenant.";
    OutsideTenant => 403, "outside_tenant", Client, false, "The key belongs to a tenant, and sees and changes that tenant alone.";
    CrossOrigin => 403, "cross_origin", Client, false, "A page of another site asked; the admin API answers its own pages and programs.";
    AdminRateLimited => 429, "admin_rate_limited", Client, true, "Wait as long as `retry-after` says, or raise `[admin] requests_per_minute_max`.";
    TooManyFailedAuthentications => 429, "too_many_failed_authentications", Client, true, "Too many wrong keys came from this address; wait as long as `retry-after` says, and check which program sends them.";
    InvalidConfig => 400, "invalid_config", Client, false, "The message names each place in the configuration that is wrong and what it must be.";
    SecretsUnavailable => 503, "secrets_unavailable", Gateway, false, "The master key cannot be read or made; check `[secrets] master_key_file` and its mode.";
    BackupRunning => 409, "backup_running", Client, true, "Another backup is being made; wait for it.";
    BackupFailed => 500, "backup_failed", Gateway, true, "The backup could not be made and left nothing behind; the message says why.";
    NotYetSupported => 501, "not_yet_supported", Gateway, false, "A later version brings it.";
    ResourceNotFound => 404, "resource_not_found", Client, false, "Nothing has the id in the path; the list beside it shows what there is.";
    RouteNotFound => 404, "route_not_found", Client, false, "No built-in endpoint and no `[[routes]]` entry matches host and path.";
    UpstreamUnreachable => 502, "upstream_unreachable", Upstream, true, "No server of the route's upstream pool could be reached.";
    UpstreamError => 502, "upstream_error", Upstream, true, "The upstream broke the connection or spoke no valid HTTP.";
    UpstreamTimeout => 504, "upstream_timeout", Upstream, true, "The upstream did not answer within the pool's time limits.";
    ProviderError => 502, "provider_error", Upstream, true, "The provider refused the request; its own status and code are passed on.";
    ProviderUnreachable => 502, "provider_unreachable", Upstream, true, "The provider could not be reached; check its `base_url` and the network.";
    ProviderProtocolError => 502, "provider_protocol_error", Upstream, true, "The provider's answer was cut or is not what its API promises.";
    ProviderResponseTooLarge => 502, "provider_response_body_too_large", Upstream, false, "The answer is over `[reliability] provider_response_body_max_bytes`.";
    ProviderTimeout => 504, "provider_timeout", Upstream, true, "The provider did not answer within the time limits of `[reliability]`.";
    ProviderStalled => 504, "provider_stalled", Upstream, true, "The provider's stream fell silent for longer than `provider_stream_idle_timeout_secs`.";
    StreamTimeLimit => 504, "stream_time_limit", Upstream, false, "The stream ran longer than `[reliability] provider_stream_timeout_secs`.";
    ProviderCredentialMissing => 503, "provider_credential_missing", Gateway, false, "Set what the provider's `api_key_env`, `api_key_file`, `api_key_credential` or sealed key names, and reload; after a new variable or systemd credential, restart.";
    ProviderCredentialRefused => 502, "provider_credential_refused", Credential, false, "The provider refused the gateway's own key; check `api_key_env`.";
    ProviderDisabled => 503, "provider_disabled", Gateway, false, "An operator switched this provider off.";
    ProviderCircuitOpen => 503, "provider_circuit_open", Upstream, true, "The provider failed repeatedly and is left alone for as long as `retry-after` says; a model with `fallbacks` goes on to the next one.";
    PriceUnknown => 503, "price_unknown", Gateway, false, "`[pricing] unknown` is `deny` and the model has no price; set `input_price_per_1m` and `output_price_per_1m`.";
    RequestKilled => 503, "request_killed", Gateway, false, "An operator ended this request through the admin API.";
    NodeDraining => 503, "node_draining", Gateway, true, "This gateway is shutting down; another attempt reaches its successor.";
    TooManyConnections => 503, "too_many_connections", Gateway, true, "Raise `[limits] connections_max`, or `connections_per_address_max`.";
    GovernanceCounterUnavailable => 503, "governance_counter_unavailable", Gateway, true, "The counters that the nodes share cannot be reached, and nothing is let through uncounted; check Redis and `[cluster]`.";
    AuthServiceUnavailable => 503, "auth_service_unavailable", Gateway, true, "The authorization service did not answer, and nothing is let through undecided; check `[auth_service]`.";
    LedgerUnavailable => 503, "ledger_unavailable", Gateway, true, "The ledger could not be written; see the gateway's log and the disk.";
    InternalError => 500, "internal_error", Gateway, true, "A fault of the gateway; report it with the request id.";
}

/// OpenAI's `type` for a status.
fn openai_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        _ => "server_error",
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An error on its way to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestError {
    pub kind: ErrorKind,
    /// Complete sentences: what happened and what to do about it. Never a secret, never a body.
    pub message: Cow<'static, str>,
    /// The field of the request that caused it.
    pub param: Option<Cow<'static, str>>,
    /// How long to wait before another attempt can succeed.
    pub retry_after: Option<Duration>,
    /// What the provider said, where the error is the provider's.
    pub provider: Option<Box<ProviderFault>>,
    /// The operator's own code for it, in place of the kind's.
    pub code: Option<Box<str>>,
    /// Whether waiting can help in this very case, where that differs from the kind.
    pub retry: Option<bool>,
}

/// A provider's own words for its error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderFault {
    pub status: u16,
    pub r#type: Option<String>,
    pub code: Option<String>,
}

impl RequestError {
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            message: message.into(),
            param: None,
            retry_after: None,
            provider: None,
            code: None,
            retry: None,
        }
    }

    /// Nobody is there to read it, but the record names it.
    pub fn client_gone() -> Self {
        Self::new(
            ErrorKind::ClientClosedRequest,
            "The client left before it was answered.",
        )
    }

    #[must_use]
    pub fn with_param(mut self, param: impl Into<Cow<'static, str>>) -> Self {
        self.param = Some(param.into());
        self
    }

    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    #[must_use]
    pub fn with_code(mut self, code: &str) -> Self {
        self.code = Some(code.into());
        self
    }

    #[must_use]
    pub fn with_retry(mut self, can_help: bool) -> Self {
        self.retry = Some(can_help);
        self
    }

    /// Whether the same request can succeed later without anybody changing anything.
    pub fn retry_can_help(&self) -> bool {
        self.retry.unwrap_or_else(|| self.kind.retry_can_help())
    }

    /// The name clients, metrics and the request log know it by.
    pub fn code(&self) -> &str {
        self.code.as_deref().unwrap_or_else(|| self.kind.code())
    }

    #[must_use]
    pub fn with_provider(mut self, fault: ProviderFault) -> Self {
        self.provider = Some(Box::new(fault));
        self
    }

    /// The status to answer with: the provider's own where the error is the provider's.
    pub fn status(&self) -> u16 {
        self.provider
            .as_ref()
            .map_or_else(|| self.kind.status(), |fault| fault.status)
    }

    /// OpenAI's error envelope, all fields present.
    pub fn openai_body(&self, request_id: &str) -> ErrorBody {
        let own = self.provider.as_deref();
        ErrorBody {
            error: ErrorDetail {
                message: self.message.clone().into_owned(),
                r#type: own
                    .and_then(|fault| fault.r#type.clone())
                    .unwrap_or_else(|| openai_type(self.status()).to_owned()),
                param: self.param.clone().map(Cow::into_owned),
                code: own
                    .and_then(|fault| fault.code.clone())
                    .unwrap_or_else(|| self.code().to_owned()),
                request_id: request_id.to_owned(),
            },
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

impl std::error::Error for RequestError {}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_code_is_told_apart_and_has_a_remedy() {
        let codes: HashSet<_> = ErrorKind::ALL.iter().map(|kind| kind.code()).collect();
        assert_eq!(codes.len(), ErrorKind::ALL.len());
        for kind in ErrorKind::ALL {
            assert!((400..600).contains(&kind.status()), "{kind}");
            assert!(kind.remedy().ends_with('.'), "{kind}");
        }
    }

    #[test]
    fn the_error_page_lists_every_kind_as_it_is() {
        let page = include_str!("../docs/ERRORS.md");
        for kind in ErrorKind::ALL {
            let row = format!(
                "| `{}` | {} | {} |",
                kind.code(),
                kind.status(),
                kind.remedy()
            );
            assert!(page.contains(&row), "docs/ERRORS.md lacks: {row}");
        }
    }

    #[test]
    fn an_envelope_has_all_fields_and_a_providers_own_words_win() {
        let error = RequestError::new(ErrorKind::ProviderError, "no such model upstream")
            .with_provider(ProviderFault {
                status: 404,
                r#type: Some("invalid_request_error".into()),
                code: Some("model_not_found".into()),
            });
        assert_eq!(error.status(), 404);
        let json = serde_json::to_value(error.openai_body("id-1")).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"error": {
                "message": "no such model upstream", "type": "invalid_request_error",
                "param": null, "code": "model_not_found", "request_id": "id-1",
            }})
        );
    }
}
