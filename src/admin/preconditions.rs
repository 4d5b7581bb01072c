//! Conditional requests (RFC 9110 section 13): `If-Match` before a write, `If-None-Match` before a look, and why a change
//! is made.
//!
//! A tag names one state of one resource. A write that brings the tag of what its writer has read is refused with 412
//! when somebody else has changed it since; the comparison is made in the gateway's one lane, so that nothing comes
//! between it and the commit. [`crate::gateway::etag`] makes the tags of the database's resources.

use axum::extract::FromRequestParts;
use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{
    caller::Caller,
    respond::{Failure, invalid},
};
use crate::error::RequestError;
use crate::gateway::{Change, IfMatch};

const REASON: HeaderName = HeaderName::from_static("x-ferrogate-reason");
/// It stays in the audit log, where people read it.
const REASON_CHARS_MAX: usize = 500;
/// More tags than anybody has read.
const TAGS_MAX: usize = 32;

/// Who wants to change something, why, and on what condition.
#[derive(Debug, Clone)]
pub(super) struct By {
    pub(super) caller: Caller,
    pub(super) change: Change,
}

impl By {
    /// For what has no tag: a condition that nobody checks must not look as if it held.
    ///
    /// # Errors
    /// `invalid_request` where there is a condition.
    pub(super) fn unconditional(self) -> Result<Self, RequestError> {
        match self.change.if_match {
            None => Ok(self),
            Some(_) => Err(invalid(
                "if-match",
                "is for resources; this endpoint changes nothing that has a tag",
            )),
        }
    }

    /// With a reason from the body, which counts before the header's.
    ///
    /// # Errors
    /// `invalid_request` for one that is too long.
    pub(super) fn because(mut self, reason: Option<String>) -> Result<Self, RequestError> {
        if let Some(reason) = reason.filter(|reason| !reason.is_empty()) {
            self.change.reason = Some(checked("reason", reason)?);
        }
        Ok(self)
    }
}

impl<S: Sync> FromRequestParts<S> for By {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let change = Change {
            actor: caller.actor(),
            reason: reason(&parts.headers)?,
            if_match: if_match(&parts.headers)?,
        };
        Ok(Self { caller, change })
    }
}

/// The tag of what has no row of its own: of what is shown of it. What changes by itself, such as when a key was last
/// used, must not be in `view`.
pub(super) fn tag_of_view(view: &impl Serialize) -> String {
    // Wire types are JSON objects with text for keys; if one were not, its tag would match nothing that was read.
    let json = serde_json::to_vec(view).unwrap_or_default();
    let digest = Sha256::digest(json);
    let head: String = digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("\"file-{head}\"")
}

/// Whether the client has this state already. The comparison is the weak one.
pub(super) fn has_already(headers: &HeaderMap, tag: &str) -> bool {
    let Ok(Some(text)) = text_of(headers, &header::IF_NONE_MATCH) else {
        return false;
    };
    match parse(&text) {
        Some(Condition::Any) => true,
        Some(Condition::Tags(tags)) => tags.iter().any(|one| one.tag == tag),
        // A condition nobody understands is not met; a look does no harm.
        None => false,
    }
}

fn if_match(headers: &HeaderMap) -> Result<Option<IfMatch>, RequestError> {
    const MUST: &str = "must be `*`, or tags as `etag` gives them, such as `\"3-19b76c7a800\"`";
    let wrong = || invalid("if-match", MUST);
    let Some(text) = text_of(headers, &header::IF_MATCH).map_err(|()| wrong())? else {
        return Ok(None);
    };
    match parse(&text).ok_or_else(wrong)? {
        Condition::Any => Ok(Some(IfMatch::Any)),
        // A weak tag never matches here: it does not say that every byte is the same.
        Condition::Tags(tags) => Ok(Some(IfMatch::Tags(
            tags.into_iter()
                .filter(|tag| !tag.is_weak)
                .map(|tag| tag.tag)
                .collect(),
        ))),
    }
}

/// All fields of this name as one list, which is what they are (RFC 9110 section 5.3).
fn text_of(headers: &HeaderMap, name: &HeaderName) -> Result<Option<String>, ()> {
    let fields: Result<Vec<&str>, _> = headers
        .get_all(name)
        .iter()
        .map(HeaderValue::to_str)
        .collect();
    let fields = fields.map_err(|_| ())?;
    Ok((!fields.is_empty()).then(|| fields.join(",")))
}

#[derive(Debug, PartialEq, Eq)]
enum Condition {
    Any,
    Tags(Vec<Tag>),
}

#[derive(Debug, PartialEq, Eq)]
struct Tag {
    is_weak: bool,
    /// With its quotes.
    tag: String,
}

/// `None` for what is neither `*` nor a list of entity tags.
fn parse(text: &str) -> Option<Condition> {
    if text.trim() == "*" {
        return Some(Condition::Any);
    }
    let mut tags = Vec::new();
    let mut rest = text.trim_start_matches([' ', '\t', ',']);
    while !rest.is_empty() {
        let (is_weak, quoted) = match rest.strip_prefix("W/") {
            Some(quoted) => (true, quoted),
            None => (false, rest),
        };
        let (opaque, after) = quoted.strip_prefix('"')?.split_once('"')?;
        let fits = |byte: u8| byte == b'!' || (b'#'..=b'~').contains(&byte);
        if !opaque.bytes().all(fits) || tags.len() == TAGS_MAX {
            return None;
        }
        tags.push(Tag {
            is_weak,
            tag: format!("\"{opaque}\""),
        });
        let after = after.trim_start_matches([' ', '\t']);
        if !after.is_empty() && !after.starts_with(',') {
            return None;
        }
        rest = after.trim_start_matches([' ', '\t', ',']);
    }
    (!tags.is_empty()).then_some(Condition::Tags(tags))
}

/// Headers of programs are UTF-8, those of pages Latin-1, whose characters are their bytes.
fn reason(headers: &HeaderMap) -> Result<Option<String>, RequestError> {
    let mut given = headers.get_all(REASON).iter();
    let Some(value) = given.next() else {
        return Ok(None);
    };
    if given.next().is_some() {
        return Err(invalid("x-ferrogate-reason", "is given twice"));
    }
    let bytes = value.as_bytes();
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    };
    // What else counts as space is no part of one line.
    match text.trim_matches([' ', '\t']) {
        "" => Ok(None),
        text => checked("x-ferrogate-reason", text.to_owned()).map(Some),
    }
}

fn checked(param: &str, reason: String) -> Result<String, RequestError> {
    let fits = reason.chars().count() <= REASON_CHARS_MAX;
    if fits && !reason.chars().any(char::is_control) {
        Ok(reason)
    } else {
        let must = format!("must be one line of at most {REASON_CHARS_MAX} characters");
        Err(invalid(param, &must))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &HeaderName, values: &[&str]) -> HeaderMap {
        values
            .iter()
            .map(|value| {
                (
                    name.clone(),
                    HeaderValue::from_bytes(value.as_bytes()).unwrap(),
                )
            })
            .collect()
    }

    #[test]
    fn a_condition_is_a_star_or_tags_and_weak_ones_never_match() {
        let check = |values: &[&str], expected: Option<Option<IfMatch>>| {
            let read = if_match(&headers(&header::IF_MATCH, values));
            if let Err(error) = &read {
                assert_eq!(error.param.as_deref(), Some("if-match"), "{values:?}");
            }
            assert_eq!(read.ok(), expected, "{values:?}");
        };
        let tags = |tags: &[&str]| {
            let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
            Some(Some(IfMatch::Tags(tags)))
        };
        check(&[], Some(None));
        check(&["*"], Some(Some(IfMatch::Any)));
        check(&[r#""1-a""#], tags(&[r#""1-a""#]));
        check(&[r#""1-a" , "2-b""#], tags(&[r#""1-a""#, r#""2-b""#]));
        check(&[r#""1-a""#, r#""2-b""#], tags(&[r#""1-a""#, r#""2-b""#]));
        check(&[r#"W/"1-a""#], tags(&[]));
        check(&[r#"W/"1-a","1-a""#], tags(&[r#""1-a""#]));
        check(&[r#""a,b""#], tags(&[r#""a,b""#]));
        for wrong in [
            "1-a",
            "\"1-a",
            "",
            "*,\"a\"",
            "\"a\"\"b\"",
            "w/\"a\"",
            "\"a b\"",
            "\"é\"",
        ] {
            check(&[wrong], None);
        }
        let many = vec!["\"a\""; TAGS_MAX + 1].join(",");
        check(&[&many], None);
    }

    #[test]
    fn a_client_that_has_the_state_is_not_told_it_again() {
        let check = |values: &[&str], expected| {
            let headers = headers(&header::IF_NONE_MATCH, values);
            assert_eq!(has_already(&headers, "\"1-a\""), expected, "{values:?}");
        };
        check(&[], false);
        check(&["*"], true);
        check(&["\"1-a\""], true);
        check(&["W/\"1-a\""], true);
        check(&["\"2-b\", \"1-a\""], true);
        check(&["\"2-b\""], false);
        check(&["1-a"], false);
    }

    #[test]
    fn a_reason_is_one_line_in_either_encoding() {
        let check = |value: &[u8], expected: Result<Option<&str>, ()>| {
            let value = HeaderValue::from_bytes(value).unwrap();
            let read = reason(&HeaderMap::from_iter([(REASON, value)]));
            let read = read.map_err(|_| ());
            assert_eq!(read, expected.map(|text| text.map(ToOwned::to_owned)));
        };
        check(b"", Ok(None));
        check(b" a move ", Ok(Some("a move")));
        check("Größe".as_bytes(), Ok(Some("Größe")));
        check(b"Gr\xf6\xdfe", Ok(Some("Größe")));
        check(
            &[b'x'; REASON_CHARS_MAX],
            Ok(Some(&"x".repeat(REASON_CHARS_MAX))),
        );
        check(&[b'x'; REASON_CHARS_MAX + 1], Err(()));
        check(b"a\tb", Err(()));
        check("\u{85}".as_bytes(), Err(()));
        let twice = headers(&REASON, &["a", "b"]);
        assert!(reason(&twice).is_err());
    }

    #[test]
    fn what_has_no_row_is_tagged_by_what_is_shown_of_it() {
        let one = tag_of_view(&serde_json::json!({"a": 1}));
        assert_eq!(one.len(), "\"file-0123456789abcdef\"".len());
        assert!(parse(&one).is_some());
        assert_eq!(one, tag_of_view(&serde_json::json!({"a": 1})));
        assert_ne!(one, tag_of_view(&serde_json::json!({"a": 2})));
    }
}
