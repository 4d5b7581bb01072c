//! Who may ask: where a token is set, only callers that present it.

use std::fmt;

use http::{HeaderMap, header::AUTHORIZATION};
use subtle::ConstantTimeEq as _;

use crate::secret_hash::{Sha256Digest, sha256};

const SCHEME: &[u8] = b"bearer ";

/// The token that callers present as `Authorization: Bearer …`. Only its digest is kept.
#[derive(Clone, Copy)]
pub struct CallerToken(Sha256Digest);

impl CallerToken {
    pub fn new(token: &str) -> Self {
        Self(sha256(token.as_bytes()))
    }

    /// Whether the request carries this token, in a time that does not depend on how much of it is right.
    pub(super) fn is_in(&self, headers: &HeaderMap) -> bool {
        let presented = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.as_bytes().split_at_checked(SCHEME.len()))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(SCHEME))
            .map(|(_, token)| sha256(token.trim_ascii()));
        presented.is_some_and(|digest| bool::from(digest.ct_eq(&self.0)))
    }
}

impl fmt::Debug for CallerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallerToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_itself_lets_a_caller_in() {
        let token = CallerToken::new("t0ken");
        let check = |value: Option<&'static str>, expected: bool| {
            let mut headers = HeaderMap::new();
            if let Some(value) = value {
                headers.insert(AUTHORIZATION, value.parse().unwrap());
            }
            assert_eq!(token.is_in(&headers), expected, "{value:?}");
        };
        check(Some("Bearer t0ken"), true);
        check(Some("bearer  t0ken "), true);
        check(None, false);
        check(Some("Bearer"), false);
        check(Some("Bearer "), false);
        check(Some("Bearer t0ke"), false);
        check(Some("Bearer t0kens"), false);
        check(Some("Basic t0ken"), false);
        check(Some("t0ken"), false);
    }
}
