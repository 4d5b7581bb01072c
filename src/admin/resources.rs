//! What all resources have in common, whoever declared them: where they come from, the name in a body, and pages.
//!
//! The file's resources are shown beside those of the database, and only the latter can be changed here. What a body
//! must hold is for [`crate::config`] to say, and whether everything still fits together for [`crate::gateway`].

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ferrogate_api::Origin;
use serde_json::{Map, Value};

use super::{query::Parameters, respond::invalid};
use crate::config::{self, ConfigIssue};
use crate::error::{ErrorKind, RequestError};
use crate::store::StoredResource;

/// Where a resource comes from and when it changed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Declared {
    pub(super) origin: Origin,
    pub(super) revision: Option<u64>,
    pub(super) created_at_unix_ms: Option<i64>,
    pub(super) updated_at_unix_ms: Option<i64>,
}

impl Declared {
    /// `None`: in the configuration file.
    pub(super) fn of(stored: Option<&StoredResource>) -> Self {
        match stored {
            None => Self::unstored(Origin::Config),
            Some(stored) => Self {
                origin: Origin::Api,
                revision: Some(stored.revision),
                created_at_unix_ms: Some(stored.created_at_unix_ms),
                updated_at_unix_ms: Some(stored.updated_at_unix_ms),
            },
        }
    }

    pub(super) const fn unstored(origin: Origin) -> Self {
        Self {
            origin,
            revision: None,
            created_at_unix_ms: None,
            updated_at_unix_ms: None,
        }
    }
}

/// A document that says something impossible of its field `field`.
pub(super) fn invalid_resource(field: &'static str, must: &str) -> RequestError {
    RequestError::new(ErrorKind::InvalidResource, format!("`{field}` {must}.")).with_param(field)
}

/// A document that cannot be read, with everything that is wrong in it.
pub(super) fn unreadable(issues: &[ConfigIssue]) -> RequestError {
    let findings: Vec<String> = issues
        .iter()
        .map(|issue| match &*issue.key {
            "" => issue.message.clone(),
            key => format!("`{key}`: {}", issue.message),
        })
        .collect();
    // A finding may end with a question of its own.
    let findings = findings.join("; ");
    RequestError::new(
        ErrorKind::InvalidResource,
        format!("The document cannot be used: {findings}"),
    )
}

/// The text that a new resource is called by.
pub(super) fn name_in(
    document: &Map<String, Value>,
    field: &'static str,
) -> Result<String, RequestError> {
    match document.get(field) {
        Some(Value::String(name)) if !name.is_empty() => Ok(name.clone()),
        Some(_) => Err(invalid_resource(field, "must be a text that is not empty")),
        None => Err(invalid_resource(field, "is missing")),
    }
}

/// The name in the path counts. The body need not repeat it, and must not say another.
pub(super) fn set_name(
    document: &mut Map<String, Value>,
    field: &'static str,
    name: &str,
) -> Result<(), RequestError> {
    match document.get(field) {
        None => {
            document.insert(field.to_owned(), name.into());
            Ok(())
        }
        Some(given) if given == name => Ok(()),
        Some(_) => Err(invalid_resource(
            field,
            "is not the one in the path; what something is called cannot be changed",
        )),
    }
}

/// Which part of a list is asked for.
#[derive(Debug)]
pub(super) struct Paging {
    /// The last name of the page before. Names may hold anything, so that they travel encoded.
    after: Option<String>,
    limit: usize,
}

/// A part of a list, and where it goes on.
pub(super) type Part<T> = (Vec<T>, Option<String>);

impl Paging {
    pub(super) fn take(
        parameters: &mut Parameters,
        bounds: &config::Admin,
    ) -> Result<Self, RequestError> {
        Ok(Self {
            after: parameters.take_with("cursor", |cursor| {
                decoded(cursor).ok_or_else(|| NO_CURSOR.to_owned())
            })?,
            limit: usize::try_from(parameters.take_limit(bounds)?).unwrap_or(usize::MAX),
        })
    }

    /// By name. What the page before ended with need not be there any more.
    pub(super) fn by_name<N: AsRef<str>, T>(
        self,
        entries: impl IntoIterator<Item = (N, T)>,
    ) -> Part<T> {
        let after = |name: &N| {
            self.after
                .as_deref()
                .is_none_or(|last| name.as_ref() > last)
        };
        let mut rest: Vec<_> = entries
            .into_iter()
            .filter(|(name, _)| after(name))
            .collect();
        rest.sort_unstable_by(|(one, _), (other, _)| one.as_ref().cmp(other.as_ref()));
        first(rest, self.limit)
    }

    /// In the order they come in, which means something. What the page before ended with has to be there still.
    pub(super) fn in_order<N: AsRef<str>, T>(
        self,
        entries: Vec<(N, T)>,
    ) -> Result<Part<T>, RequestError> {
        let Some(last) = self.after else {
            return Ok(first(entries, self.limit));
        };
        let mut rest = entries.into_iter();
        let found = rest.by_ref().any(|(name, _)| name.as_ref() == last);
        if found {
            Ok(first(rest.collect(), self.limit))
        } else {
            Err(invalid("cursor", NO_CURSOR))
        }
    }
}

const NO_CURSOR: &str =
    "is not the `next_cursor` of a page of this list, or what it stood for is gone: begin again";

fn encoded(name: &str) -> String {
    URL_SAFE_NO_PAD.encode(name)
}

fn decoded(cursor: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()
}

fn first<N: AsRef<str>, T>(mut entries: Vec<(N, T)>, limit: usize) -> Part<T> {
    let more = entries.len() > limit;
    entries.truncate(limit);
    let next_cursor = entries
        .last()
        .filter(|_| more)
        .map(|(name, _)| encoded(name.as_ref()));
    (
        entries.into_iter().map(|(_, entry)| entry).collect(),
        next_cursor,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paging(after: Option<&str>, limit: usize) -> Paging {
        Paging {
            after: after.map(ToOwned::to_owned),
            limit,
        }
    }

    fn name(cursor: Option<String>) -> Option<String> {
        cursor.map(|cursor| decoded(&cursor).unwrap())
    }

    const ENTRIES: [(&str, u8); 4] = [("c", 3), ("a", 1), ("d", 4), ("b", 2)];

    #[test]
    fn pages_by_name_go_on_after_a_name_even_when_it_is_gone() {
        let check = |cursor: Option<&str>, limit, expected: &[u8], next: Option<&str>| {
            let (page, cursor) = paging(cursor, limit).by_name(ENTRIES);
            assert_eq!((&page[..], name(cursor).as_deref()), (expected, next));
        };
        check(None, 2, &[1, 2], Some("b"));
        check(Some("b"), 2, &[3, 4], None);
        check(Some("bb"), 1, &[3], Some("c"));
        check(Some("d"), 2, &[], None);
        check(None, 4, &[1, 2, 3, 4], None);
    }

    #[test]
    fn pages_in_order_go_on_where_they_stopped_or_not_at_all() {
        let check = |cursor: Option<&str>, limit, expected: Option<(&[u8], Option<&str>)>| {
            let page = paging(cursor, limit).in_order(ENTRIES.to_vec());
            let page = page.ok().map(|(page, cursor)| (page, name(cursor)));
            let page = page
                .as_ref()
                .map(|(page, next)| (&page[..], next.as_deref()));
            assert_eq!(page, expected, "{cursor:?}");
        };
        check(None, 3, Some((&[3, 1, 4], Some("d"))));
        check(Some("d"), 3, Some((&[2], None)));
        check(Some("e"), 3, None);
    }

    #[test]
    fn a_cursor_fits_into_a_url_whatever_it_stands_for() {
        for name in ["dev", "no chat & no cost", "ünï/code?", ""] {
            let cursor = encoded(name);
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            assert!(cursor.bytes().all(fits), "{cursor}");
            assert_eq!(decoded(&cursor).as_deref(), Some(name));
        }
        assert_eq!(decoded("made up"), None);
        assert_eq!(decoded("_w"), None, "no UTF-8");
    }

    #[test]
    fn the_name_in_the_path_counts() {
        let check = |body: &str, expected: Option<&str>| {
            let mut document: Map<_, _> = serde_json::from_str(body).unwrap();
            let set = set_name(&mut document, "id", "dev");
            let set = set.ok().map(|()| document["id"].as_str().unwrap());
            assert_eq!(set, expected, "{body}");
        };
        check("{}", Some("dev"));
        check(r#"{"id":"dev"}"#, Some("dev"));
        check(r#"{"id":"other"}"#, None);
        check(r#"{"id":null}"#, None);
        check(r#"{"id":["dev"]}"#, None);
    }
}
