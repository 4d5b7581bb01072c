//! Answering from the cache: what decides an answer, who may share it, and whether a request wants that at all.
//!
//! An answer is looked for under every candidate of the plan, in its order, and kept under the one that gave it. What
//! decides it: who shares it ([`scope`]), what was asked for and in which dialect, and whatever of the head a provider
//! gets to see.
//!
//! Never from the cache: counts of tokens, which cost nothing; responses that are kept, because each has an id of its
//! own; and where keys share, responses that go on from one that only its own key may see.

mod control;
mod keeping;
mod replay;
mod scope;

use std::sync::Arc;

use ferrogate_api::CacheStatus;
use http::{HeaderName, HeaderValue};

use super::client::Client;
use super::dialects::{Dialect, Framing};
use super::dispatch::{PASSED_ON, shutting_down};
use super::profiles::Profile;
use super::request::{AiRequest, Operation};
use super::routing::Plan;
use super::{Ai, Exchange};
use crate::cache::{Answer, FilledBy, Found, IdentityWriter, RequestIdentity, Wanted};
use crate::error::RequestError;
use crate::governance::Key;
use control::Control;
use scope::Sharing;

pub use keeping::Keeping;

const CACHE: HeaderName = HeaderName::from_static("x-ferrogate-cache");
/// Of the headers that pass to a provider, those that change no answer.
const NOT_DECIDING: [HeaderName; 2] = [
    HeaderName::from_static("x-goog-api-client"),
    HeaderName::from_static("idempotency-key"),
];

/// A request that is planned, and who asks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asking<'a> {
    pub(super) key: &'a Key,
    pub(super) request: &'a AiRequest,
    pub(super) plan: &'a Plan<'a>,
    pub(super) profile: Option<&'a Profile>,
}

/// What the cache has to do with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// There is none, or nothing to cache.
    None,
    Neither,
    KeepOnly,
    LookUpAndKeep,
}

/// What stands for or against it.
#[derive(Debug, Clone, Copy)]
struct Facts {
    cache_enabled: bool,
    /// Model, key and profile all let it.
    allowed: bool,
    generates: bool,
    /// See the module's front page.
    is_personal: bool,
    control: Control,
}

impl Use {
    fn of(facts: Facts) -> Self {
        if !facts.cache_enabled || !facts.generates {
            Self::None
        } else if !facts.allowed || facts.is_personal || facts.control.no_store {
            Self::Neither
        } else if facts.control.no_cache {
            Self::KeepOnly
        } else {
            Self::LookUpAndKeep
        }
    }
}

impl Ai {
    /// Looks for an answer. Where there is none, the exchange keeps the one that is made, if it may.
    ///
    /// # Errors
    /// When the client leaves, or the gateway does, while somebody else asks for the same.
    pub(super) async fn look_up<C: Client>(
        &self,
        asking: Asking<'_>,
        exchange: &mut Exchange<'_, C>,
    ) -> Result<Option<Arc<Answer>>, RequestError> {
        let control = Control::of(exchange.client.headers());
        let sharing = self.sharing(asking.key);
        let decided = Use::of(self.facts(asking, &sharing, control));
        if decided == Use::None {
            return Ok(None);
        }
        let request = match decided {
            Use::KeepOnly | Use::LookUpAndKeep => self.identity(asking, &sharing, exchange),
            Use::None | Use::Neither => None,
        };
        let Some(request) = request else {
            note(CacheStatus::Bypass, exchange);
            return Ok(None);
        };
        let candidates: Vec<(&str, &str)> = asking
            .plan
            .candidates
            .iter()
            .map(|planned| &planned.candidate)
            .map(|candidate| (&*candidate.provider.name, &*candidate.provider_model))
            .collect();
        let ttl = asking.profile.and_then(|profile| profile.cache_ttl);
        let wanted = Wanted {
            request,
            candidates: &candidates,
            ttl: ttl.unwrap_or(self.cache.config().ttl),
            age_max: control.max_age,
            filled_by: FilledBy {
                model: Arc::clone(&asking.plan.model.name),
                api_key_id: Arc::clone(asking.key.id()),
                tenant: (**asking.key.tenant()).clone(),
            },
        };
        if decided == Use::KeepOnly {
            exchange.keeping.for_cache(self.cache.ticket(wanted));
            note(CacheStatus::Bypass, exchange);
            return Ok(None);
        }
        let looked_up = tokio::select! { biased;
            looked_up = self.cache.look_up(wanted) => looked_up,
            () = exchange.client.gone() => return Err(RequestError::client_gone()),
            () = self.cut.cancelled() => return Err(shutting_down()),
        };
        exchange.recording.waited(looked_up.waited);
        match looked_up.found {
            // Noted when it is sent: it may still be refused, as any request.
            Found::Hit(answer) => Ok(Some(answer)),
            Found::Miss(ticket) => {
                exchange.keeping.for_cache(ticket);
                note(CacheStatus::Miss, exchange);
                Ok(None)
            }
        }
    }

    fn sharing<'k>(&self, key: &'k Key) -> Sharing<'k> {
        Sharing {
            scope: self.cache.config().scope,
            key_id: key.id(),
            tenant: key.tenant(),
        }
    }

    fn facts(&self, asking: Asking<'_>, sharing: &Sharing<'_>, control: Control) -> Facts {
        let Asking {
            key,
            request,
            plan,
            profile,
        } = asking;
        let profile_allows = profile.and_then(|profile| profile.cache_enabled);
        // What cannot be read is the client's mistake, and refused elsewhere.
        let is_kept = request.wants_store().unwrap_or(true);
        let goes_on = || {
            let earlier = request.previous_response_id();
            !matches!(earlier, Ok(None))
        };
        Facts {
            cache_enabled: self.cache.config().enabled,
            allowed: plan.model.cache_enabled
                && key.cache_enabled()
                && profile_allows.unwrap_or(true),
            generates: request.operation == Operation::Generate,
            is_personal: is_kept || (sharing.is_shared() && goes_on()),
            control,
        }
    }

    /// `None` for a request that leaves no room for an answer.
    fn identity<C: Client>(
        &self,
        asking: Asking<'_>,
        sharing: &Sharing<'_>,
        exchange: &Exchange<'_, C>,
    ) -> Option<RequestIdentity> {
        let request = asking.request;
        if !self.cache.has_room_for(request.body().len()) {
            return None;
        }
        let mut writer = IdentityWriter::new(request.body().len());
        sharing.write(&mut writer);
        writer.field(surface(request));
        writer.field(asking.plan.model.name.as_bytes());
        let headers = exchange.client.headers();
        for name in PASSED_ON {
            if !NOT_DECIDING.contains(&name) {
                writer.optional(headers.get(&name).map(HeaderValue::as_bytes));
            }
        }
        let own = asking
            .profile
            .map_or(&[][..], |profile| &profile.request_headers);
        for (name, value) in own {
            writer.field(name.as_str().as_bytes());
            writer.field(value.as_bytes());
        }
        writer.optional(None);
        writer.json(request.body());
        self.cache.identify(writer)
    }
}

/// The dialect that is spoken, and whether the answer is a stream and of what kind.
fn surface(request: &AiRequest) -> &'static [u8] {
    match (request.dialect, request.stream, request.framing) {
        (Dialect::Chat, false, _) => b"chat",
        (Dialect::Chat, true, _) => b"chat stream",
        (Dialect::Responses, false, _) => b"responses",
        (Dialect::Responses, true, _) => b"responses stream",
        (Dialect::Messages, false, _) => b"messages",
        (Dialect::Messages, true, _) => b"messages stream",
        (Dialect::Gemini, false, _) => b"gemini",
        (Dialect::Gemini, true, Framing::Events) => b"gemini stream",
        (Dialect::Gemini, true, Framing::Array) => b"gemini array",
        (Dialect::Embeddings | Dialect::GeminiEmbeddings, ..) => b"embeddings",
    }
}

/// Errors say it too: it is part of how the answer came about.
fn note<C>(status: CacheStatus, exchange: &mut Exchange<'_, C>) {
    let value = HeaderValue::from_static(status.as_str());
    exchange.answer_headers.insert(CACHE, value);
    exchange.recording.log.cache = Some(status);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn settings_and_the_request_itself_decide_what_the_cache_does() {
        let usual = Facts {
            cache_enabled: true,
            allowed: true,
            generates: true,
            is_personal: false,
            control: Control::default(),
        };
        let control = |no_cache, no_store| Control {
            no_cache,
            no_store,
            max_age: Some(Duration::from_secs(60)),
        };
        let check = |facts: Facts, expected| assert_eq!(Use::of(facts), expected, "{facts:?}");
        check(usual, Use::LookUpAndKeep);
        check(
            Facts {
                cache_enabled: false,
                ..usual
            },
            Use::None,
        );
        check(
            Facts {
                generates: false,
                ..usual
            },
            Use::None,
        );
        check(
            Facts {
                allowed: false,
                ..usual
            },
            Use::Neither,
        );
        check(
            Facts {
                is_personal: true,
                ..usual
            },
            Use::Neither,
        );
        check(
            Facts {
                control: control(true, false),
                ..usual
            },
            Use::KeepOnly,
        );
        check(
            Facts {
                control: control(false, true),
                ..usual
            },
            Use::Neither,
        );
        check(
            Facts {
                control: control(true, true),
                ..usual
            },
            Use::Neither,
        );
        check(
            Facts {
                control: control(false, false),
                ..usual
            },
            Use::LookUpAndKeep,
        );
    }
}
