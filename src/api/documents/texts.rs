//! Texts and numbers that documents hold, each with what it has to look like.

use std::collections::BTreeMap;

use serde::Deserialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Object, RefOr,
        schema::{Schema, SchemaType, Type},
    },
};

/// A name: 1 to 128 printable ASCII characters without spaces.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize, ToSchema)]
#[schema(pattern = "^[!-~]{1,128}$", examples("team-blue"))]
pub struct Name(pub String);

/// An `http` or `https` URL with a host, without user, query or fragment. Slashes at its end do not count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize, ToSchema)]
#[schema(pattern = "^https?://[^/@?#]", examples("https://api.example.com/v1"))]
pub struct BaseUrl(pub String);

/// A host name or an address, without scheme, port or path; capitals do not count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize, ToSchema)]
#[schema(
    pattern = "^([A-Za-z0-9_.-]{1,253}|\\[[0-9A-Fa-f:.]+\\])$",
    examples("www.example.com")
)]
pub struct Host(pub String);

/// The beginning of a path. It holds no `//`, no `.` or `..` and no `*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize, ToSchema)]
#[schema(
    pattern = "^/[!$%&'()+,./0-9:;=@A-Z\\[\\]_a-z~-]*$",
    examples("/static")
)]
pub struct PathPrefix(pub String);

/// The name of a header (RFC 9110 section 5.1).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize, ToSchema)]
#[schema(pattern = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", examples("x-team"))]
pub struct HeaderName(pub String);

/// The value of a header: one line of ASCII, without spaces around it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize, ToSchema)]
#[schema(pattern = "^([!-~]([\\t -~]*[!-~])?)?$", examples("blue"))]
pub struct HeaderValue(pub String);

/// The name of an environment variable of the gateway.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize, ToSchema)]
#[schema(pattern = "^[A-Z0-9_]+$", examples("OPENAI_API_KEY"))]
pub struct VariableName(pub String);

/// A decimal number, exactly as it is written: a text such as `"0.15"`, or a number.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Decimal {
    Text(String),
    Number(serde_json::Number),
}

// By hand: one schema for both, so that their bounds stand together.
impl PartialSchema for Decimal {
    fn schema() -> RefOr<Schema> {
        Object::builder()
            .schema_type(SchemaType::from_iter([Type::String, Type::Number]))
            .description(Some(
                "A decimal number that is not negative, in the currency of the price list, exactly as it is written. A \
                 text keeps what a number might lose: `\"0.15\"`.",
            ))
            .pattern(Some("^\\+?[0-9]+(\\.[0-9]+)?$"))
            .minimum(Some(0))
            .maximum(Some(1_000_000_000))
            .examples(["0.15"])
            .into()
    }
}

impl ToSchema for Decimal {}

/// Names and values of the operator's own.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Tags(pub BTreeMap<String, String>);

// By hand: the derive knows no bounds of a map.
impl PartialSchema for Tags {
    fn schema() -> RefOr<Schema> {
        let text = || Object::builder().schema_type(Type::String);
        let name = text().pattern(Some("^[A-Za-z0-9_.-]{1,64}$"));
        let value = text()
            .max_length(Some(256))
            .pattern(Some("^[^\\u0000-\\u001f\\u007f-\\u009f]*$"));
        Object::builder()
            .schema_type(Type::Object)
            .description(Some(
                "At most 16 names of 1 to 64 characters of `A-Z`, `a-z`, `0-9`, `_`, `.` and `-`, each with one line of \
                 at most 256 bytes.",
            ))
            .max_properties(Some(16))
            .property_names(Some(Schema::Object(name.build())))
            .additional_properties(Some(Schema::Object(value.build())))
            .examples([serde_json::json!({"job": "nightly"})])
            .into()
    }
}

impl ToSchema for Tags {}
