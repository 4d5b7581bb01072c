//! Headers of `[[routes]]`, to match and to set, and those that profiles may set.

use http::{HeaderName, header};

use super::{Secret, reader::Section, variables};

/// A header to set.
#[derive(Debug, Clone)]
pub struct Header {
    pub name: HeaderName,
    pub value: HeaderValue,
}

/// A header value, `{env.X}` already filled in. An unset variable, or one that is no header value, is an error.
#[derive(Debug, Clone)]
pub enum HeaderValue {
    Plain(http::HeaderValue),
    /// It came from the environment.
    Secret(Secret),
}

/// Headers of one connection, or of its framing. The gateway writes them itself.
const OWN: [HeaderName; 8] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

impl Header {
    /// Reads the headers to set in `[[routes.<key>]]`.
    pub(super) fn read_all(section: &mut Section<'_, '_>, key: &'static str) -> Vec<Self> {
        let mut taken = Vec::new();
        section.sections(key, &[], |section| {
            let name = read_name(section);
            let value = section.required_text("value").and_then(|text| {
                let value = HeaderValue::fill(text.value, |name| section.variable(name));
                section.accept(&text.place, value)
            });
            let name = name?;
            let refused = if is_own(&name) {
                Some("is written by the gateway itself")
            } else if taken.contains(&name) {
                Some("is set twice")
            } else {
                None
            };
            if let Some(reason) = refused {
                let place = section.place_of("name");
                section.error(&place, reason);
            }
            taken.push(name.clone());
            Some(Self {
                name,
                value: value?,
            })
        })
    }
}

impl HeaderValue {
    fn fill(template: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let filled = variables::fill(template, variable)?;
        let value = parse_value(&filled.text)?;
        Ok(if filled.from_environment {
            Self::Secret(Secret::new(filled.text))
        } else {
            Self::Plain(value)
        })
    }
}

/// Reads the headers a request must have, in `[[routes.match_headers]]`.
pub(super) fn read_match_headers(
    section: &mut Section<'_, '_>,
) -> Vec<(HeaderName, http::HeaderValue)> {
    section.sections("match_headers", &[], |section| {
        let name = read_name(section);
        let value = section.required("value", |text| {
            if variables::has_placeholder(text) {
                return Err("placeholders are only filled in where headers are set".to_owned());
            }
            parse_value(text)
        });
        Some((name?, value?))
    })
}

/// Whether a header belongs to the connection, or to its framing.
pub(super) fn is_own(name: &HeaderName) -> bool {
    OWN.contains(name)
}

/// The value of a header in which nothing is filled in.
pub(super) fn plain_value(text: &str) -> Result<http::HeaderValue, String> {
    if variables::has_placeholder(text) {
        return Err("placeholders are only filled in where routes set headers".to_owned());
    }
    parse_value(text)
}

/// A header that a profile may set, where the operator allows it. What belongs to the connection, to the body, or to
/// whoever pays is the gateway's own.
pub(super) fn profile_header(text: &str) -> Result<HeaderName, String> {
    const CREDENTIALS: [&str; 6] = [
        "api-key",
        "authorization",
        "cookie",
        "proxy-authorization",
        "x-api-key",
        "x-goog-api-key",
    ];
    const OTHERS: [&str; 5] = [
        "accept",
        "accept-encoding",
        "anthropic-version",
        "expect",
        "host",
    ];
    let name: HeaderName = text.parse().map_err(|_| "is no header name".to_owned())?;
    let word = name.as_str();
    let own = is_own(&name) || OTHERS.contains(&word) || word.starts_with("content-");
    if own {
        Err("is written by the gateway itself".to_owned())
    } else if CREDENTIALS.contains(&word) {
        Err("carries credentials, which are the provider's own setting".to_owned())
    } else {
        Ok(name)
    }
}

fn read_name(section: &mut Section<'_, '_>) -> Option<HeaderName> {
    section.required("name", |text| {
        text.parse().map_err(|_| "is no header name".to_owned())
    })
}

fn parse_value(text: &str) -> Result<http::HeaderValue, String> {
    // Spaces around a value do not survive the wire; with them the value would never match.
    let value = http::HeaderValue::from_str(text).ok();
    value
        .filter(|_| text.trim() == text)
        .ok_or_else(|| "is no header value".to_owned())
}
