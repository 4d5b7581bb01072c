//! Which credential of a provider is presented next, and which are left aside.
//!
//! | said of it | what it means | left aside | used when nothing else is left |
//! |---|---|---|---|
//! | 401 | the key is refused | for `provider_credential_retry_secs` | no: it can only be refused again |
//! | 403 | the key may not do this; or this request is what was forbidden | as long | yes: it may do the next one |
//! | 429 | the key is over its limit | until its `retry-after`, but at least a second and never longer than a refused one | yes, the one that is back first |
//! | an answer | it is good | no more | |
//!
//! With several live ones each request begins with the next, so that their limits are used up evenly.

use std::{collections::HashMap, time::Duration};

use ferrogate_api::CredentialState;

use super::{HealthOptions, make_room, standing::CredentialStanding};
use crate::ai::providers::{Credential, CredentialId, Provider};
use crate::config::KeySource;
use crate::error::{ErrorKind, RequestError};

/// How long a limited credential rests when nobody says how long.
const RESTING_DEFAULT: Duration = Duration::from_secs(5);
/// It rests at least so long: one that were back at once would be tried again at once, without end.
const RESTING_MIN_MS: i64 = 1000;
/// Credentials left aside at one provider; more than a configuration names.
const ASIDE_MAX: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Credentials {
    aside: HashMap<CredentialId, Aside>,
    turn: usize,
}

/// Why and from when to when a credential is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Aside {
    pub(super) refused: bool,
    since_unix_ms: i64,
    pub(super) until_unix_ms: i64,
}

/// What became of a credential that is used otherwise from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Noted {
    pub(super) state: CredentialState,
    pub(super) until_unix_ms: Option<i64>,
}

/// What an attempt says about the credential it presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Accepted,
    Refused,
    Forbidden,
    Limited(Option<Duration>),
}

impl Verdict {
    /// `None` when it says nothing: the provider may not even have looked.
    pub(super) fn of(error: Option<&RequestError>, status: u16) -> Option<Self> {
        let Some(error) = error else {
            return Some(Self::Accepted);
        };
        match status {
            403 => Some(Self::Forbidden),
            429 => Some(Self::Limited(error.retry_after)),
            // Not every provider says so with a 401.
            _ if error.kind == ErrorKind::ProviderCredentialRefused => Some(Self::Refused),
            401 => Some(Self::Refused),
            _ => None,
        }
    }
}

impl Credentials {
    /// The index of the credential to present next; `None` where the provider takes none.
    ///
    /// # Errors
    /// `provider_credential_missing` or `provider_credential_refused`.
    pub(super) fn choose(
        &mut self,
        provider: &Provider,
        now_unix_ms: i64,
    ) -> Result<Option<usize>, RequestError> {
        match self.standing(provider, now_unix_ms) {
            CredentialStanding::Unset => return Err(credential_missing(provider)),
            CredentialStanding::Refused { until_unix_ms } => {
                return Err(credential_refused(provider, until_unix_ms - now_unix_ms));
            }
            CredentialStanding::Live | CredentialStanding::Resting { .. } => (),
        }
        let all = provider.credentials();
        let first = self.turn.checked_rem(all.len()).unwrap_or_default();
        self.turn = self.turn.wrapping_add(1);
        let live = (first..all.len())
            .chain(0..first)
            .find(|index| self.aside(&all[*index], now_unix_ms).is_none());
        Ok(live.or_else(|| {
            (0..all.len())
                .filter_map(|index| Some((index, self.aside(&all[index], now_unix_ms)?)))
                .filter(|(_, aside)| !aside.refused)
                .min_by_key(|(_, aside)| aside.until_unix_ms)
                .map(|(index, _)| index)
        }))
    }

    /// How the provider's credentials stand together.
    pub(super) fn standing(&self, provider: &Provider, now_unix_ms: i64) -> CredentialStanding {
        if provider.credentials().is_empty() {
            return if provider.missing_keys().is_empty() {
                CredentialStanding::Live
            } else {
                CredentialStanding::Unset
            };
        }
        let mut best: Option<Aside> = None;
        for credential in provider.credentials() {
            let Some(aside) = self.aside(credential, now_unix_ms) else {
                return CredentialStanding::Live;
            };
            let order = |aside: Aside| (aside.refused, aside.until_unix_ms);
            if best.is_none_or(|best| order(aside) < order(best)) {
                best = Some(aside);
            }
        }
        match best {
            None => CredentialStanding::Live,
            Some(Aside {
                refused: true,
                until_unix_ms,
                ..
            }) => CredentialStanding::Refused { until_unix_ms },
            Some(Aside { until_unix_ms, .. }) => CredentialStanding::Resting { until_unix_ms },
        }
    }

    /// Why `credential` is left aside; `None` when it is live.
    pub(super) fn aside(&self, credential: &Credential, now_unix_ms: i64) -> Option<Aside> {
        // From its beginning too: a clock that was set back brings it back to life.
        self.aside
            .get(&credential.id)
            .filter(|aside| (aside.since_unix_ms..aside.until_unix_ms).contains(&now_unix_ms))
            .copied()
    }

    /// Notes what an attempt has shown. Gives back what changes by it: the same once more is no change.
    pub(super) fn note(
        &mut self,
        id: &CredentialId,
        verdict: Verdict,
        now_unix_ms: i64,
        options: HealthOptions,
    ) -> Option<Noted> {
        let longest = options.credential_retry_ms;
        let (refused, wait_ms) = match verdict {
            Verdict::Accepted => {
                return self.aside.remove(id).map(|_| Noted {
                    state: CredentialState::Live,
                    until_unix_ms: None,
                });
            }
            Verdict::Refused => (true, longest),
            Verdict::Forbidden => (false, longest),
            Verdict::Limited(wait) => {
                let wait = super::millis(wait.unwrap_or(RESTING_DEFAULT));
                (false, wait.min(longest).max(RESTING_MIN_MS))
            }
        };
        if !self.aside.contains_key(id) {
            make_room(&mut self.aside, ASIDE_MAX, |aside| aside.until_unix_ms);
        }
        let until_unix_ms = now_unix_ms.saturating_add(wait_ms);
        let before = self.aside.insert(
            id.clone(),
            Aside {
                refused,
                since_unix_ms: now_unix_ms,
                until_unix_ms,
            },
        );
        let is_news = before.is_none_or(|before| before.refused != refused);
        is_news.then_some(Noted {
            state: match refused {
                true => CredentialState::Refused,
                false => CredentialState::Resting,
            },
            until_unix_ms: Some(until_unix_ms),
        })
    }
}

/// 503 `provider_credential_missing`. A provider has its keys from one kind of place; what is not a variable's name is
/// the operator's business alone.
pub(in crate::ai) fn credential_missing(provider: &Provider) -> RequestError {
    let missing = provider.missing_keys();
    let lack = match missing.first().map(|key| &key.source) {
        Some(KeySource::File(_)) => {
            "the file of its `api_key_file` could not be used. Mend it and reload the configuration.".to_owned()
        }
        Some(KeySource::Credential(_)) => {
            "systemd hands over no usable credential of the name in its `api_key_credential`. Mend that and restart the \
             gateway."
                .to_owned()
        }
        Some(KeySource::Sealed(_)) => {
            "its sealed key could not be opened with the gateway's master key. Restore that key, or give the provider its \
             key anew."
                .to_owned()
        }
        Some(KeySource::Env(_)) | None => {
            let names: Vec<String> = missing.iter().filter_map(|key| key.source.name()).collect();
            let (noun, verb) = match names.len() {
                1 => ("environment variable", "is"),
                _ => ("environment variables", "are"),
            };
            let names = names.join(", ");
            format!("the {noun} {names} {verb} not set. Set it and restart the gateway.")
        }
    };
    let name = &provider.name;
    RequestError::new(
        ErrorKind::ProviderCredentialMissing,
        format!("Provider `{name}` has no key: {lack}"),
    )
}

/// 502 `provider_credential_refused`, known before asking. It names no `retry-after`: waiting alone mends no key.
pub(in crate::ai) fn credential_refused(provider: &Provider, wait_ms: i64) -> RequestError {
    RequestError::new(
        ErrorKind::ProviderCredentialRefused,
        format!(
            "Provider `{}` refused every credential the gateway has for it, and is asked again in {} s. \
             Its operator must check the provider's `api_key_env`.",
            provider.name,
            wait_secs(wait_ms)
        ),
    )
}

/// A wait as people and headers are told it: whole seconds, never none.
pub(in crate::ai) fn wait_secs(wait_ms: i64) -> u64 {
    let wait_ms = u64::try_from(wait_ms).unwrap_or_default();
    wait_ms.div_ceil(1000).max(1)
}
