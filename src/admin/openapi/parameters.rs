//! Parameters that many endpoints share: what stands in a path, and the headers of reads and writes.

use serde_json::{Value, json};
use utoipa::openapi::{
    KnownFormat, Object, ObjectBuilder, RefOr, Required, SchemaFormat,
    path::{Parameter, ParameterIn},
    schema::{Schema, Type},
};

/// A name in a path. Percent-encode what a path cannot hold.
pub(super) fn name(name: &str, description: &str, example: &str) -> Parameter {
    let schema = text().min_length(Some(1)).max_length(Some(128));
    in_path(name, description, (schema.build(), json!(example)))
}

/// The id of a request in a path.
pub(super) fn request_id() -> Parameter {
    let schema = text().pattern(Some(
        "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-7[0-9A-Fa-f]{3}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$",
    ));
    in_path(
        "id",
        "The request's id, a UUIDv7, as its answer's `x-request-id` gives it.",
        (
            schema.build(),
            json!("01a20797-7627-74bc-b0e8-2cc4628505ed"),
        ),
    )
}

/// A number in a path.
pub(super) fn number(name: &str, description: &str) -> Parameter {
    let schema = Object::builder()
        .schema_type(Type::Integer)
        .minimum(Some(0))
        .build();
    in_path(name, description, (schema, json!(1)))
}

/// What stands in a path, where it is none of the above.
pub(super) fn in_path(
    name: &str,
    description: &str,
    (schema, example): (impl Into<RefOr<Schema>>, Value),
) -> Parameter {
    Parameter::builder()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(description))
        .schema(Some(schema))
        .example(Some(example))
        .build()
}

/// One of several words in a query.
pub(super) fn word_in_query(name: &str, description: &str, words: &[String]) -> Parameter {
    let schema = text().enum_values(Some(words.iter().map(String::as_str)));
    Parameter::builder()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .description(Some(description))
        .schema(Some(schema.build()))
        .build()
}

/// A text in a query.
pub(super) fn text_in_query(name: &str, description: &str) -> Parameter {
    Parameter::builder()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .description(Some(description))
        .schema(Some(text().build()))
        .build()
}

/// A text of a certain form in a query.
pub(super) fn pattern_in_query(
    name: &str,
    description: &str,
    (pattern, example): (&str, &str),
) -> Parameter {
    Parameter::builder()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .description(Some(description))
        .schema(Some(text().pattern(Some(pattern)).build()))
        .example(Some(json!(example)))
        .build()
}

/// How many entries a page of a list may have.
pub(super) fn limit() -> Parameter {
    let schema = Object::builder()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int32)))
        .minimum(Some(1));
    Parameter::builder()
        .name("limit")
        .parameter_in(ParameterIn::Query)
        .description(Some(
            "How many entries a page may have; `[storage] admin_list_default_limit` where it is left out. More than \
             `admin_list_max_limit` is answered with that many.",
        ))
        .schema(Some(schema.build()))
        .build()
}

/// True or false in a query.
pub(super) fn flag_in_query(name: &str, description: &str) -> Parameter {
    let schema = Object::builder().schema_type(Type::Boolean);
    Parameter::builder()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .description(Some(description))
        .schema(Some(schema.build()))
        .build()
}

/// The headers that requests may have, by the names they have among the components.
pub(super) fn headers() -> [(&'static str, Parameter); 4] {
    const TAGS: &str = "^(\\*|(W/)?\"[!#-~]*\"( *, *(W/)?\"[!#-~]*\")*)$";
    [
        (
            "IfNoneMatch",
            header(
                "If-None-Match",
                "Tags that the client has already, such as `\"3-19b76c7a800\"`. If one of them is the resource's, the answer is 304 without a body.",
                text(),
            ),
        ),
        (
            "IfMatch",
            header(
                "If-Match",
                "The tag that the resource must still have, as `ETag` gave it, or `*` for any. Otherwise nothing is \
                 changed, and the answer is 412 `precondition_failed`.",
                text().pattern(Some(TAGS)),
            ),
        ),
        (
            "IdempotencyKey",
            header(
                "Idempotency-Key",
                "Makes it safe to send the request again: a repetition with the same key is answered with what the \
                 first one was answered with, and `idempotency-replayed: true`, for `[admin] \
                 idempotency_retention_hours`.",
                text().pattern(Some("^[!-~]{1,255}$")),
            ),
        ),
        (
            "Reason",
            header(
                "x-ferrogate-reason",
                "Why, in one line of at most 500 characters. It stands in the audit log and in the configuration's \
                 history.",
                text()
                    .max_length(Some(500))
                    .pattern(Some("^[^\\u0000-\\u001f\\u007f-\\u009f]*$")),
            ),
        ),
    ]
}

/// Without an example: what is right for one request is wrong for the next.
fn header(name: &str, description: &str, schema: ObjectBuilder) -> Parameter {
    Parameter::builder()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .description(Some(description))
        .schema(Some(schema.build()))
        .build()
}

fn text() -> ObjectBuilder {
    Object::builder().schema_type(Type::String)
}
