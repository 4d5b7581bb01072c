//! What the simulator refuses, and how each provider words it.

mod anthropic;
mod gemini;
mod open_ai;

use serde_json::Value;

use super::route::{Endpoint, Route, Surface};

/// Why a request gets no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The client's mistake.
    Invalid {
        message: String,
        param: Option<String>,
        code: Option<&'static str>,
    },
    NotFound {
        message: String,
        code: Option<&'static str>,
    },
    MethodNotAllowed {
        method: String,
    },
    TooLarge {
        bytes_max: usize,
    },
    /// An error that a directive asked for.
    Status(u16),
    NoKey,
    WrongKey {
        last_four: String,
    },
    ContextWindow {
        tokens: u64,
        tokens_max: u64,
    },
    /// A filter stopped the prompt, on a surface that answers this with an error.
    FilteredPrompt,
    /// The provider fails in the middle of an answer whose status said 200.
    Failed,
}

/// What an error says beside its reason.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    pub route: &'a Route,
    pub request_id: &'a str,
    /// When to come back.
    pub retry_after_secs: Option<u32>,
}

impl Problem {
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid {
            message: message.into(),
            param: None,
            code: None,
        }
    }

    /// A mistake in one place of the request.
    pub fn invalid_at(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid {
            message: message.into(),
            param: Some(param.into()),
            code: None,
        }
    }

    /// The same, with a code of its own.
    #[must_use]
    pub fn with_code(self, new: &'static str) -> Self {
        match self {
            Self::Invalid { message, param, .. } => Self::Invalid {
                message,
                param,
                code: Some(new),
            },
            Self::NotFound { message, .. } => Self::NotFound {
                message,
                code: Some(new),
            },
            other => other,
        }
    }

    pub fn status(&self, surface: Surface) -> u16 {
        match self {
            Self::Invalid { .. } | Self::ContextWindow { .. } | Self::FilteredPrompt => 400,
            Self::NotFound { .. } => 404,
            Self::MethodNotAllowed { .. } => 405,
            Self::TooLarge { .. } => 413,
            Self::Status(status) => *status,
            // Google tells a stranger from somebody with a wrong key.
            Self::NoKey if surface == Surface::Gemini => 403,
            Self::WrongKey { .. } if surface == Surface::Gemini => 400,
            Self::NoKey | Self::WrongKey { .. } => 401,
            Self::Failed => 500,
        }
    }

    /// The body of the error answer, or the data of the error event.
    pub fn body(&self, around: Around<'_>) -> Value {
        match around.route.surface {
            Surface::OpenAi => open_ai::body(self, around.route.endpoint),
            Surface::Azure => open_ai::azure_body(self)
                .unwrap_or_else(|| open_ai::body(self, around.route.endpoint)),
            Surface::Anthropic => anthropic::body(self, around.request_id),
            Surface::Gemini => gemini::body(self, around.retry_after_secs),
        }
    }

    /// In words, where the surfaces agree.
    fn message(&self) -> String {
        match self {
            Self::Invalid { message, .. } | Self::NotFound { message, .. } => message.clone(),
            Self::MethodNotAllowed { method } => format!("Not allowed to {method} here."),
            Self::TooLarge { bytes_max } => {
                format!("The request is larger than {bytes_max} bytes.")
            }
            Self::Status(429) => "Rate limit reached for the simulated provider.".into(),
            Self::Status(400..=499) => "The simulated provider refuses this request.".into(),
            Self::Status(_) => {
                "The simulated server had an error while processing your request.".into()
            }
            Self::NoKey => "No API key was given.".into(),
            Self::WrongKey { .. } => "The API key is not valid.".into(),
            Self::ContextWindow { tokens, tokens_max } => {
                format!("The prompt has {tokens} tokens; the model reads {tokens_max}.")
            }
            Self::FilteredPrompt => "The prompt was filtered.".into(),
            Self::Failed => "The simulated provider failed while it was answering.".into(),
        }
    }
}

/// Whether an endpoint's answers are wrapped in an array, as Gemini's streams without `alt=sse` are.
pub fn is_wrapped(route: &Route) -> bool {
    route.endpoint == Endpoint::Generate && route.delivery == super::route::Delivery::Array
}

#[cfg(test)]
mod tests;
