//! Whether one candidate may be asked, and what is known of it that an order can go by.

use ferrogate_api::Tokens;

use super::{Ask, Features, Planned};
use crate::ai::dialects::Dialect;
use crate::ai::health::{CredentialStanding, Health, Standing};
use crate::ai::models::Candidate;
use crate::config::{self, Capability, RoutingStrategy};
use crate::governance::{Key, Policies, Subject};
use crate::metering::pricing::cost_nanos;

/// What candidates are judged by.
pub(super) struct Question<'q> {
    pub(super) ask: &'q Ask<'q>,
    pub(super) key: &'q Key,
    pub(super) policies: &'q Policies,
    pub(super) health: &'q Health,
    /// What decides the order of those that are fit.
    pub(super) strategy: RoutingStrategy,
    pub(super) refuses_unpriced: bool,
    /// What estimates of cost count as output: what the client allows, else what the model's own candidate assumes. The
    /// same for all, so that a candidate does not look cheap because it assumes little.
    pub(super) output_tokens: u64,
    pub(super) now_unix_ms: i64,
}

/// A candidate that may be asked.
#[derive(Debug)]
pub(super) struct Fit<'c> {
    pub(super) candidate: &'c Candidate,
    pub(super) api: Dialect,
    pub(super) standing: Standing,
    pub(super) cost_nanos: Option<i64>,
    pub(super) held_back: Option<HeldBack>,
    /// It comes first so that its latency becomes known.
    pub(super) explored: bool,
}

/// Why a candidate that may be asked is asked last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeldBack {
    /// All its credentials rest until then.
    Resting { until_unix_ms: i64 },
    /// The prompt fits into this window, but with all the output that is asked for it does not.
    Tight { context_window: u64 },
}

/// Why a candidate is not asked, in the order of the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PassedOver {
    Disabled,
    ProviderDisabled,
    NotPinned,
    ProviderNotAllowed,
    /// A deny rule stands against it.
    Policy,
    /// The provider speaks nothing that could carry the request.
    NoApi,
    /// It is for the other endpoint.
    Endpoint(Endpoint),
    Feature(Feature),
    /// The prompt alone is too long for this window.
    ContextWindow(u64),
    Unpriced,
    CredentialUnset,
    CredentialRefused {
        until_unix_ms: i64,
    },
    CircuitOpen {
        until_unix_ms: i64,
    },
}

/// What a model can be for, as `capabilities` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    Chat,
    Embeddings,
}

/// What a model can be able to do, as `capabilities` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Feature {
    Tools,
    Vision,
    Json,
    Reasoning,
}

impl Question<'_> {
    /// Whether `candidate` may be asked.
    pub(super) fn judge<'c>(&self, candidate: &'c Candidate) -> Result<Fit<'c>, PassedOver> {
        let api = self.allowed(candidate)?;
        self.able(candidate)?;
        let held_back = self.window(candidate)?;
        let cost_nanos = self.cost_nanos(candidate);
        if self.refuses_unpriced && candidate.price.is_none() {
            return Err(PassedOver::Unpriced);
        }
        let standing = self
            .health
            .standing(candidate, self.ask.stream, self.now_unix_ms);
        let resting = reachable(&standing)?;
        Ok(Fit {
            candidate,
            api,
            standing,
            cost_nanos,
            held_back: resting.or(held_back),
            explored: false,
        })
    }

    /// What stands against asking this provider at all; else the dialect to ask it in.
    fn allowed(&self, candidate: &Candidate) -> Result<Dialect, PassedOver> {
        let provider = &candidate.provider;
        if !candidate.enabled {
            return Err(PassedOver::Disabled);
        }
        if !provider.enabled {
            return Err(PassedOver::ProviderDisabled);
        }
        let pinned = self.ask.pinned_provider;
        if pinned.is_some_and(|pinned| *pinned != *provider.name) {
            return Err(PassedOver::NotPinned);
        }
        if !self.key.allows_provider(&provider.name) {
            return Err(PassedOver::ProviderNotAllowed);
        }
        if self.policy_against(candidate).is_some() {
            return Err(PassedOver::Policy);
        }
        provider.api_for(self.ask.dialect).ok_or(PassedOver::NoApi)
    }

    /// The first rule that forbids it.
    pub(super) fn policy_against(&self, candidate: &Candidate) -> Option<&config::Policy> {
        let tokens = self.ask.input_tokens.saturating_add(self.output_tokens);
        let refusing = self.policies.refuses(&Subject {
            key_id: self.key.id(),
            tenant: self.key.tenant(),
            model: self.ask.model,
            provider: &candidate.provider.name,
            estimated_tokens: tokens,
            estimated_cost_nanos: self.cost_nanos(candidate),
            stream: self.ask.stream,
            at_unix_ms: self.now_unix_ms,
        });
        refusing.map(|policy| &**policy)
    }

    /// Endpoint words are always enforced; chat stands for every API of conversations, and no endpoint word for all.
    /// Feature words are enforced only where there is one.
    fn able(&self, candidate: &Candidate) -> Result<(), PassedOver> {
        let words = &candidate.capabilities;
        let chat = words.contains(&Capability::Chat);
        let embeddings = words.contains(&Capability::Embeddings);
        match self.ask.dialect {
            Dialect::Embeddings | Dialect::GeminiEmbeddings if chat && !embeddings => {
                return Err(PassedOver::Endpoint(Endpoint::Chat));
            }
            Dialect::Chat | Dialect::Responses | Dialect::Messages | Dialect::Gemini
                if embeddings && !chat =>
            {
                return Err(PassedOver::Endpoint(Endpoint::Embeddings));
            }
            _ => (),
        }
        let lists = |feature: &Feature| words.contains(&feature.capability());
        if !Feature::ALL.iter().any(lists) {
            return Ok(());
        }
        let missing = Feature::ALL
            .into_iter()
            .find(|feature| feature.is_asked(self.ask.features) && !lists(feature));
        missing.map_or(Ok(()), |feature| Err(PassedOver::Feature(feature)))
    }

    /// The count of input tokens is a rough estimate, so only a prompt that is too long by itself is turned away.
    fn window(&self, candidate: &Candidate) -> Result<Option<HeldBack>, PassedOver> {
        let Some(window) = candidate.context_window else {
            return Ok(None);
        };
        if self.ask.input_tokens > window {
            return Err(PassedOver::ContextWindow(window));
        }
        let output = self.ask.output_tokens_max.unwrap_or_default();
        let tight = self.ask.input_tokens.saturating_add(output) > window;
        Ok(tight.then_some(HeldBack::Tight {
            context_window: window,
        }))
    }

    /// What the request would cost there, by estimate; `None` without a price.
    pub(super) fn cost_nanos(&self, candidate: &Candidate) -> Option<i64> {
        let tokens = Tokens {
            input: self.ask.input_tokens,
            output: self.output_tokens,
            ..Tokens::default()
        };
        cost_nanos(tokens, candidate.price?)
    }
}

/// Whether an attempt would be let in, and whether it had better wait.
fn reachable(standing: &Standing) -> Result<Option<HeldBack>, PassedOver> {
    let resting = match standing.credentials {
        CredentialStanding::Live => None,
        CredentialStanding::Resting { until_unix_ms } => Some(HeldBack::Resting { until_unix_ms }),
        CredentialStanding::Unset => return Err(PassedOver::CredentialUnset),
        CredentialStanding::Refused { until_unix_ms } => {
            return Err(PassedOver::CredentialRefused { until_unix_ms });
        }
    };
    match standing.shut_until_unix_ms {
        Some(until_unix_ms) => Err(PassedOver::CircuitOpen { until_unix_ms }),
        None => Ok(resting),
    }
}

impl<'c> Fit<'c> {
    pub(super) fn planned(&self) -> Planned<'c> {
        Planned {
            candidate: self.candidate,
            api: self.api,
        }
    }

    /// What decides between candidates that a strategy finds equal; then the order of the file does.
    pub(super) fn tie(&self) -> (u32, std::cmp::Reverse<u32>) {
        (
            self.candidate.priority,
            std::cmp::Reverse(self.candidate.weight),
        )
    }
}

impl Endpoint {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Embeddings => "embeddings",
        }
    }
}

impl Feature {
    const ALL: [Self; 4] = [Self::Tools, Self::Vision, Self::Json, Self::Reasoning];

    /// The word in `capabilities`.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Vision => "vision",
            Self::Json => "json",
            Self::Reasoning => "reasoning",
        }
    }

    fn capability(self) -> Capability {
        match self {
            Self::Tools => Capability::Tools,
            Self::Vision => Capability::Vision,
            Self::Json => Capability::Json,
            Self::Reasoning => Capability::Reasoning,
        }
    }

    fn is_asked(self, features: Features) -> bool {
        match self {
            Self::Tools => features.tools,
            Self::Vision => features.vision,
            Self::Json => features.json,
            Self::Reasoning => features.reasoning,
        }
    }
}
