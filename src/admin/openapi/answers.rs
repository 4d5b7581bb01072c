//! What can be answered: the success of an endpoint, and the errors that follow from what it takes.

use std::collections::BTreeSet;

use utoipa::openapi::{
    Content, Header, HttpMethod, Object, Ref, RefOr, Response, Responses,
    link::Link,
    schema::{Schema, Type},
};

use super::endpoint::{Endpoint, Needs, Success};
use crate::error::ErrorKind;

/// Every status that an error of the admin API can have, with its name among the components and what it means.
const ERRORS: [(u16, &str, &str); 13] = [
    (
        400,
        "BadRequest",
        "Something in the request is not what it has to be; `param` names it where it has a name, and `message` says what \
         it must be.",
    ),
    (
        401,
        "Unauthorized",
        "There is no key with the request, or not one that the gateway knows.",
    ),
    (
        403,
        "Forbidden",
        "The key is switched off or expired, lacks the scope, or belongs to a tenant that this is not for.",
    ),
    (404, "NotFound", "There is nothing of this name."),
    (
        408,
        "RequestTimeout",
        "The body did not arrive in time; see `[limits] body_timeout_secs`.",
    ),
    (
        409,
        "Conflict",
        "It is there already, others refer to it, the configuration file declares it, or something else stands against \
         the change as it is; nothing was changed.",
    ),
    (
        412,
        "PreconditionFailed",
        "It has another tag than `If-Match` says: somebody else changed it meanwhile. Nothing was changed.",
    ),
    (
        413,
        "PayloadTooLarge",
        "The body is longer than `[admin] body_max_bytes`.",
    ),
    (
        422,
        "UnprocessableContent",
        "The `Idempotency-Key` came with another request before.",
    ),
    (
        429,
        "TooManyRequests",
        "The caller asks more often than `[admin] requests_per_minute_max`, or too many wrong keys came from its address. \
         `retry-after` says how long to wait.",
    ),
    (
        500,
        "InternalError",
        "A fault of the gateway, or of its disk. Its log says more; `request_id` finds the place.",
    ),
    (
        501,
        "NotImplemented",
        "A later version does what was asked for.",
    ),
    (
        503,
        "ServiceUnavailable",
        "The gateway cannot do it now: the databases cannot be written, or it has no room. Nothing was changed.",
    ),
];

/// The errors as components.
pub(super) fn components() -> Vec<(&'static str, Response)> {
    ERRORS
        .iter()
        .map(|(status, name, description)| {
            let mut response = Response::builder()
                .description(with_codes(*status, description))
                .content(
                    "application/json",
                    Content::new(Some(Ref::from_schema_name("ErrorBody"))),
                )
                .header_ref("x-request-id", header_ref("RequestId"));
            if *status == 401 {
                response = response.header_ref("www-authenticate", header_ref("Authenticate"));
            }
            if matches!(*status, 409 | 429 | 503) {
                response = response
                    .header_ref("retry-after", header_ref("RetryAfter"))
                    .header_ref("retry-after-ms", header_ref("RetryAfterMs"));
            }
            (*name, response.build())
        })
        .collect()
}

/// The headers of answers as components.
pub(super) fn headers() -> Vec<(&'static str, Header)> {
    let text = || Object::builder().schema_type(Type::String);
    let header = |schema: Object, description: &str| {
        Header::builder()
            .schema(Some(schema))
            .description(Some(description))
            .build()
    };
    let number = || {
        Object::builder()
            .schema_type(Type::Integer)
            .minimum(Some(0))
    };
    vec![
        (
            "RequestId",
            header(
                text()
                    .examples(["01a20797-7132-75d5-a1e9-4ca595872557"])
                    .build(),
                "The id of this answer, which the gateway's log names, too.",
            ),
        ),
        (
            "ETag",
            header(
                text()
                    .pattern(Some("^\"[!#-~]+\"$"))
                    .examples(["\"3-19b76c7a800\""])
                    .build(),
                "The tag of the resource as it is now, for `If-Match` and `If-None-Match`.",
            ),
        ),
        (
            "Replayed",
            header(
                text().enum_values(Some(["true"])).build(),
                "The answer is that of an earlier request with the same `Idempotency-Key`.",
            ),
        ),
        (
            "RetryAfter",
            header(
                number().build(),
                "After so many seconds another attempt can succeed; left out where waiting does not help.",
            ),
        ),
        (
            "RetryAfterMs",
            header(number().build(), "The same in milliseconds."),
        ),
        (
            "Authenticate",
            header(
                text().enum_values(Some(["Bearer"])).build(),
                "How to authenticate.",
            ),
        ),
    ]
}

/// Everything that this endpoint can answer.
pub(super) fn of(endpoint: &Endpoint) -> Responses {
    let mut responses = Responses::builder();
    if let Some(success) = &endpoint.success {
        responses = responses.response(success.status.to_string(), succeeds(endpoint, success));
        if success.has_tag && endpoint.method == HttpMethod::Get {
            let unchanged = Response::builder()
                .description("The resource still has a tag of `If-None-Match`.")
                .header_ref("x-request-id", header_ref("RequestId"))
                .header_ref("etag", header_ref("ETag"));
            responses = responses.response("304", unchanged.build());
        }
    }
    for status in errors(endpoint) {
        let known = ERRORS.iter().find(|(known, ..)| *known == status);
        if let Some((_, name, _)) = known {
            let reference: RefOr<Response> = Ref::from_response_name(*name).into();
            responses = responses.response(status.to_string(), reference);
        }
    }
    responses.build()
}

fn succeeds(endpoint: &Endpoint, success: &Success) -> Response {
    let mut response = Response::builder()
        .description(success.description)
        .content(
            success.media_type,
            Content::new(Some::<RefOr<Schema>>(success.schema.clone())),
        )
        .header_ref("x-request-id", header_ref("RequestId"));
    if success.has_tag {
        response = response.header_ref("etag", header_ref("ETag"));
    }
    if endpoint.is_repeatable() {
        response = response.header_ref("idempotency-replayed", header_ref("Replayed"));
    }
    for (operation, parameters) in &endpoint.links {
        let link = Link::builder().operation_id(operation);
        let link = parameters.iter().fold(link, |link, (name, expression)| {
            link.parameter(name, expression.as_str())
        });
        response = response.link(operation, link.build());
    }
    response.build()
}

/// The statuses of its errors, in order.
fn errors(endpoint: &Endpoint) -> BTreeSet<u16> {
    let mut statuses = BTreeSet::from([400, 401, 403, 429, 500]);
    statuses.extend(&endpoint.errors);
    if endpoint.path.contains('{') {
        statuses.insert(404);
    }
    if endpoint.body.is_some() {
        statuses.extend([408, 413]);
    }
    if endpoint.needs == Needs::Write {
        statuses.insert(503);
    }
    if endpoint.is_repeatable() {
        // A body is read for the fingerprint of an `Idempotency-Key`, also where the endpoint takes none.
        statuses.extend([408, 409, 413, 422]);
    }
    if endpoint.takes_if_match {
        statuses.insert(412);
    }
    statuses
}

/// The codes that the admin API gives with this status.
fn with_codes(status: u16, description: &str) -> String {
    let codes: Vec<&str> = CODES
        .iter()
        .filter(|kind| kind.status() == status)
        .map(|kind| kind.code())
        .collect();
    format!("{description} `code`: `{}`.", codes.join("`, `"))
}

/// What the admin API refuses with. Others are of the surface for clients.
const CODES: &[ErrorKind] = &[
    ErrorKind::InvalidRequest,
    ErrorKind::InvalidJson,
    ErrorKind::InvalidResource,
    ErrorKind::InvalidConfig,
    ErrorKind::InvalidPath,
    ErrorKind::MissingApiKey,
    ErrorKind::InvalidApiKey,
    ErrorKind::ApiKeyInUrl,
    ErrorKind::ApiKeyDisabled,
    ErrorKind::ApiKeyExpired,
    ErrorKind::TenantDisabled,
    ErrorKind::ScopeDenied,
    ErrorKind::OperatorOnly,
    ErrorKind::OutsideTenant,
    ErrorKind::AdminNotPublic,
    ErrorKind::CrossOrigin,
    ErrorKind::ResourceNotFound,
    ErrorKind::RequestTimeout,
    ErrorKind::ResourceExists,
    ErrorKind::ResourceInUse,
    ErrorKind::ManagedByConfig,
    ErrorKind::RevisionConflict,
    ErrorKind::IdempotencyInProgress,
    ErrorKind::IdempotencyOutcomeUnknown,
    ErrorKind::BackupRunning,
    ErrorKind::PreconditionFailed,
    ErrorKind::PayloadTooLarge,
    ErrorKind::IdempotencyKeyReused,
    ErrorKind::AdminRateLimited,
    ErrorKind::TooManyFailedAuthentications,
    ErrorKind::InternalError,
    ErrorKind::BackupFailed,
    ErrorKind::NotYetSupported,
    ErrorKind::LedgerUnavailable,
    ErrorKind::SecretsUnavailable,
    ErrorKind::TooManyConnections,
];

fn header_ref(name: &str) -> Ref {
    Ref::new(format!("#/components/headers/{name}"))
}
