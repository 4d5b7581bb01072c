//! The names of keys in Redis, and how long they live.
//!
//! `ferrogate:{<cluster>}:<scope kind>:<id>:…`. Ids are escaped, not cleaned: two ids never share a key. The braces put
//! all keys of a cluster into one slot, as scripts need where Redis is a cluster itself.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use ferrogate_api::AccountRef;

use super::BalanceKey;

/// A balance is of no use after its period but for what was in flight at its end.
const AFTER_THE_END_MS: i64 = 2 * 60 * 60 * 1000;
/// What has no end of its own lives this long after it was last written.
pub(super) const IDLE_MAX: Duration = Duration::from_secs(40 * 24 * 60 * 60);

/// Makes names.
#[derive(Debug)]
pub(super) struct Names {
    prefix: String,
    pub(super) epoch: Arc<str>,
    pub(super) nodes: Arc<str>,
}

/// When a key may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expiry {
    AtUnixMs(i64),
    After(Duration),
}

impl Expiry {
    pub(super) fn of(balance: &BalanceKey) -> Self {
        match balance.end_unix_ms {
            i64::MAX => Self::After(IDLE_MAX),
            end => Self::AtUnixMs(end.saturating_add(AFTER_THE_END_MS)),
        }
    }

    /// As the scripts read it.
    pub(super) fn text(self) -> String {
        match self {
            Self::AtUnixMs(at) => at.to_string(),
            Self::After(time) => format!("+{}", time.as_millis()),
        }
    }
}

impl Names {
    pub(super) fn new(cluster_id: &str) -> Self {
        let prefix = format!("ferrogate:{{{}}}", escape(cluster_id));
        Self {
            epoch: format!("{prefix}:epoch").into(),
            nodes: format!("{prefix}:nodes").into(),
            prefix,
        }
    }

    /// The record of a node, whose id is escaped already.
    pub(super) fn record(&self, node: &str) -> Arc<str> {
        format!("{}:node:{node}", self.prefix).into()
    }

    /// Which keys a node has shares in.
    pub(super) fn index(&self, node: &str) -> Arc<str> {
        format!("{}:node:{node}:keys", self.prefix).into()
    }

    pub(super) fn balance(&self, key: &BalanceKey) -> Arc<str> {
        let unit = key.unit.as_str();
        let (start, end) = (key.start_unix_ms, key.end_unix_ms);
        self.of_account(&key.account, &format!("{unit}:{start}:{end}"))
    }

    pub(super) fn window(&self, account: &AccountRef) -> Arc<str> {
        self.of_account(account, "minute")
    }

    pub(super) fn in_flight(&self, account: &AccountRef) -> Arc<str> {
        self.of_account(account, "in-flight")
    }

    fn of_account(&self, account: &AccountRef, rest: &str) -> Arc<str> {
        let (kind, id) = (account.kind.as_str(), escape(&account.id));
        format!("{}:{kind}:{id}:{rest}", self.prefix).into()
    }
}

/// Letters, digits, `-`, `.` and `_` stay; every other byte is `%XX`.
pub(super) fn escape(id: &str) -> String {
    let mut escaped = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_') {
            escaped.push(char::from(byte));
        } else {
            write!(escaped, "%{byte:02X}").expect("a string takes whatever is written to it");
        }
    }
    escaped
}

/// The reverse of [`escape`]; text that it never made comes back as it is.
pub(super) fn unescape(escaped: &str) -> String {
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut rest = escaped.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next(), rest.next()].map(|digit| digit.and_then(hex_digit));
        let [Some(high), Some(low)] = digits else {
            return escaped.to_owned();
        };
        bytes.push(high * 16 + low);
    }
    String::from_utf8(bytes).unwrap_or_else(|_| escaped.to_owned())
}

fn hex_digit(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use ferrogate_api::{AccountKind, BudgetUnit};

    use super::*;

    #[test]
    fn ids_that_differ_never_share_a_key() {
        let names = Names::new("a:b}c");
        let ids = [
            "a", "a:tokens", "a_b", "a b", "a%20b", "a:b", "ä", "minute", "{a}",
        ];
        let mut seen = HashSet::new();
        for kind in AccountKind::ALL {
            for id in ids {
                assert_eq!(unescape(&escape(id)), id);
                let account = AccountRef {
                    kind,
                    id: id.into(),
                };
                for unit in BudgetUnit::ALL {
                    for end_unix_ms in [1, i64::MAX] {
                        let name = names.balance(&BalanceKey {
                            account: account.clone(),
                            unit,
                            start_unix_ms: 0,
                            end_unix_ms,
                        });
                        assert!(name.starts_with("ferrogate:{a%3Ab%7Dc}:"), "{name}");
                        assert!(seen.insert(name));
                    }
                }
                assert!(seen.insert(names.window(&account)));
                assert!(seen.insert(names.in_flight(&account)));
            }
        }
    }
}
