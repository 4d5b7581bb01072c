//! The lists that `--store` asks for, over the admin API's socket.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use tokio::net::UnixStream;

use super::{client::Connection, dialect::Dialect, store_logs};

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Query {
    Newest,
    /// One filter, whose value one request in four has,
    OneCommonFilter,
    /// or one in a hundred thousand; another one each time.
    OneRareFilter,
    /// Two values, each of which many requests have, and never both.
    PairThatNeverMeets,
    /// Text that stands nowhere.
    FreeText,
    Facets,
}

impl Query {
    pub(super) const ALL: [Self; 6] = [
        Self::Newest,
        Self::OneCommonFilter,
        Self::OneRareFilter,
        Self::PairThatNeverMeets,
        Self::FreeText,
        Self::Facets,
    ];

    /// What a page of the console and its choices ask for, which the load beside them must hardly feel. The others read
    /// until they are done or out of time: how much that is, is the operator's to say (`list_time_limit_ms`).
    pub(super) const BESIDE_THE_LOAD: [Self; 4] = [
        Self::Newest,
        Self::OneCommonFilter,
        Self::OneRareFilter,
        Self::Facets,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Newest => "newest page",
            Self::OneCommonFilter => "one filter, common",
            Self::OneRareFilter => "one filter, rare",
            Self::PairThatNeverMeets => "pair that never meets",
            Self::FreeText => "free text, found nowhere",
            Self::Facets => "facets of 30 days",
        }
    }

    fn path(self, number: usize) -> String {
        let list = "/admin/v1/request-logs";
        match self {
            Self::Newest => list.to_owned(),
            Self::OneCommonFilter => format!("{list}?model={}", store_logs::model(number)),
            Self::OneRareFilter => format!("{list}?user={}", store_logs::rare_user(number)),
            Self::PairThatNeverMeets => {
                let (provider, error_code) = store_logs::PAIR_THAT_NEVER_MEETS;
                format!("{list}?provider={provider}&error_code={error_code}")
            }
            Self::FreeText => format!("{list}?q=nowhere-{number}"),
            Self::Facets => format!("{list}:facets"),
        }
    }
}

/// One answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) took: Duration,
    pub(super) complete: bool,
}

/// What every answer says of itself.
#[derive(Deserialize)]
struct Head {
    complete: bool,
}

/// One connection to the admin API's unix socket, which asks for no key.
pub(super) struct Lists(Connection<UnixStream>);

impl Lists {
    /// # Errors
    /// When nothing listens there.
    pub(super) async fn connect(socket: &Path) -> anyhow::Result<Self> {
        let stream = UnixStream::connect(socket)
            .await
            .with_context(|| format!("no connection to {}", socket.display()))?;
        Ok(Self(Connection::new(stream, Dialect::Chat)))
    }

    /// Asks and waits for the whole answer.
    ///
    /// # Errors
    /// When it is anything but a list.
    pub(super) async fn ask(&mut self, query: Query, number: usize) -> anyhow::Result<Asked> {
        let path = query.path(number);
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        let begun = Instant::now();
        let answer = self.0.exchange(request.as_bytes()).await;
        let took = begun.elapsed();
        let answer = answer.with_context(|| path.clone())?;
        if answer.status != 200 {
            let said = String::from_utf8_lossy(self.0.body());
            bail!("{path} was answered with {}: {said}", answer.status);
        }
        let head: Head = serde_json::from_slice(self.0.body()).with_context(|| path.clone())?;
        Ok(Asked {
            took,
            complete: head.complete,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_is_a_path_that_needs_no_encoding() {
        for query in Query::ALL {
            for number in [0, 1, 1_000] {
                let path = query.path(number);
                assert!(path.starts_with("/admin/v1/request-logs"), "{path}");
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/?&=:-_.".contains(&byte);
                assert!(path.bytes().all(plain), "{path}");
            }
        }
    }
}
