//! What is kept of an answer, and what is given back.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use ferrogate_api::{AccountKind, AccountRef, TenantContext, Tokens};
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// What of a head is kept: what says how to read the body, and what of the request is not in it. Not what tells of the
/// one call that was made, such as its id and its time.
const KEPT_HEADERS: [HeaderName; 4] = [
    header::CONTENT_TYPE,
    HeaderName::from_static("openai-model"),
    HeaderName::from_static("openai-version"),
    HeaderName::from_static("x-ferrogate-dropped-params"),
];

/// A whole answer with status 200.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    pub(super) headers: HeaderMap,
    /// A stream's events, joined.
    pub body: Bytes,
    /// Whether it was sent as a stream, without its length before it.
    pub stream: bool,
    pub provider: Arc<str>,
    pub provider_model: Arc<str>,
    /// What it took to make it.
    pub tokens: Tokens,
    pub cost_nanos: Option<i64>,
    pub created_at_unix_ms: i64,
    pub(super) filled_by: FilledBy,
}

/// A whole answer, just made.
#[derive(Debug)]
pub struct Fresh<'f> {
    /// Of these, the few that are kept.
    pub headers: &'f HeaderMap,
    pub body: Bytes,
    pub stream: bool,
    pub provider: &'f Arc<str>,
    pub provider_model: &'f Arc<str>,
    pub tokens: Tokens,
    pub cost_nanos: Option<i64>,
}

/// Whose request an answer was made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilledBy {
    /// The logical model.
    pub model: Arc<str>,
    pub api_key_id: Arc<str>,
    pub tenant: TenantContext,
}

/// Which entries leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purge {
    All,
    /// Those of a logical model.
    Model(Arc<str>),
    /// Those that a key filled, or the keys of a tenant.
    Account(AccountRef),
}

impl Answer {
    pub(super) fn new(fresh: Fresh<'_>, filled_by: FilledBy, created_at_unix_ms: i64) -> Self {
        Self {
            headers: kept_headers(fresh.headers),
            body: fresh.body,
            stream: fresh.stream,
            provider: Arc::clone(fresh.provider),
            provider_model: Arc::clone(fresh.provider_model),
            tokens: fresh.tokens,
            cost_nanos: fresh.cost_nanos,
            created_at_unix_ms,
            filled_by,
        }
    }

    /// The head as it was, as far as it is kept, and how old it is.
    pub fn headers(&self, now_unix_ms: i64) -> HeaderMap {
        let mut headers = self.headers.clone();
        let age_ms = now_unix_ms.saturating_sub(self.created_at_unix_ms).max(0);
        headers.insert(header::AGE, HeaderValue::from(age_ms / 1000));
        headers
    }

    pub(super) fn size_bytes(&self) -> usize {
        let headers = self.headers.iter();
        let head: usize = headers
            .map(|(name, value)| name.as_str().len() + value.len())
            .sum();
        head + self.body.len() + self.provider.len() + self.provider_model.len()
    }
}

/// The body by its size alone: what a model says to people belongs in no log.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("body_bytes", &self.body.len())
            .field("stream", &self.stream)
            .field("provider", &self.provider)
            .field("provider_model", &self.provider_model)
            .field("created_at_unix_ms", &self.created_at_unix_ms)
            .field("filled_by", &self.filled_by)
            .finish_non_exhaustive()
    }
}

impl Purge {
    pub(super) fn takes(&self, filled_by: &FilledBy) -> bool {
        match self {
            Self::All => true,
            Self::Model(model) => filled_by.model == *model,
            Self::Account(account) if account.kind == AccountKind::Key => {
                filled_by.api_key_id == account.id
            }
            Self::Account(account) => filled_by.tenant.get(account.kind) == Some(&account.id),
        }
    }
}

fn kept_headers(headers: &HeaderMap) -> HeaderMap {
    KEPT_HEADERS
        .into_iter()
        .filter_map(|name| {
            let value = headers.get(&name)?.clone();
            Some((name, value))
        })
        .collect()
}

/// For the disk: the values of the kept headers, one a line, in the order of their list. No value holds a line's end.
pub(super) fn header_lines(headers: &HeaderMap) -> Vec<u8> {
    let mut lines = Vec::new();
    for name in KEPT_HEADERS {
        if let Some(value) = headers.get(&name) {
            lines.extend_from_slice(name.as_str().as_bytes());
            lines.push(b':');
            lines.extend_from_slice(value.as_bytes());
            lines.push(b'\n');
        }
    }
    lines
}

/// The reverse of [`header_lines`]; what is no header is left out.
pub(super) fn headers_of_lines(lines: &[u8]) -> HeaderMap {
    let read = |line: &[u8]| {
        let colon = memchr::memchr(b':', line)?;
        let name = HeaderName::from_bytes(line.get(..colon)?).ok()?;
        let value = HeaderValue::from_bytes(line.get(colon + 1..)?).ok()?;
        Some((name, value))
    };
    kept_headers(
        &lines
            .split(|byte| *byte == b'\n')
            .filter_map(read)
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_the_list_come_back_from_the_disk_and_no_others() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("content-type", "text/event-stream; charset=utf-8"),
            ("x-ferrogate-dropped-params", "a: b, c"),
            ("set-cookie", "secret"),
            ("openai-processing-ms", "12"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let kept = kept_headers(&headers);
        assert_eq!(kept.len(), 2);
        assert_eq!(kept["x-ferrogate-dropped-params"], "a: b, c");
        assert_eq!(headers_of_lines(&header_lines(&kept)), kept);
        assert_eq!(
            headers_of_lines(b"set-cookie:x\nno header\n:\n"),
            HeaderMap::new()
        );
    }

    #[test]
    fn a_purge_takes_what_its_model_key_or_tenant_filled() {
        let filled_by = FilledBy {
            model: "fast".into(),
            api_key_id: "acme".into(),
            tenant: TenantContext {
                organization_id: Some("acme".into()),
                project_id: Some("web".into()),
                ..TenantContext::default()
            },
        };
        let check = |purge: Purge, expected| {
            assert_eq!(purge.takes(&filled_by), expected, "{purge:?}");
        };
        let account = |text: &str| Purge::Account(text.parse().unwrap());
        check(Purge::All, true);
        check(Purge::Model("fast".into()), true);
        check(Purge::Model("slow".into()), false);
        check(account("key:acme"), true);
        check(account("key:web"), false);
        check(account("organization:acme"), true);
        check(account("project:acme"), false);
        check(account("project:web"), true);
        check(account("user:web"), false);
    }
}
