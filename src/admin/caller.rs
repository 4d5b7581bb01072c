//! Who is asking the admin API, and what they may pass on.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;

use super::respond::Failure;
use crate::config::Scope;
use crate::error::{ErrorKind, RequestError};
use crate::gateway::Actor;
use crate::governance::Key;

/// Somebody whom [`super::auth`] let in.
#[derive(Debug, Clone)]
pub(super) enum Caller {
    /// A process on this host, by its uid: root, or the gateway's own user.
    Operator(u32),
    /// Whoever has this key.
    Key(Arc<Key>),
}

impl Caller {
    /// # Errors
    /// [`ErrorKind::ScopeDenied`], naming the scope that is missing.
    pub(super) fn require(&self, scope: Scope) -> Result<(), RequestError> {
        match self {
            Self::Operator(_) => Ok(()),
            Self::Key(key) => key.require(scope),
        }
    }

    /// Whether a key with these scopes may be made, changed or given a new secret. What clients do is the admin's to
    /// give; an admin scope is only given by those who have it.
    ///
    /// # Errors
    /// [`ErrorKind::ScopeDenied`], naming the scope that is missing.
    pub(super) fn may_give(&self, scopes: &[Scope]) -> Result<(), RequestError> {
        let Self::Key(own) = self else {
            return Ok(());
        };
        let beyond = [Scope::AdminRead, Scope::AdminWrite]
            .into_iter()
            .find(|scope| scopes.contains(scope) && !own.has(*scope));
        match beyond {
            None => Ok(()),
            Some(scope) => Err(RequestError::new(
                ErrorKind::ScopeDenied,
                format!(
                    "The key `{}` lacks the scope `{scope}`, and so cannot write a key that has it.",
                    own.id(),
                    scope = scope.as_str()
                ),
            )),
        }
    }

    /// What the audit trail calls them.
    pub(super) fn actor(&self) -> Actor {
        Actor {
            name: match self {
                Self::Operator(uid) => format!("unix:uid={uid}"),
                Self::Key(key) => key.id().to_string(),
            },
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        // Without the layer that puts it there nobody is anybody.
        parts.extensions.get::<Self>().cloned().ok_or_else(|| {
            Failure(RequestError::new(
                ErrorKind::InternalError,
                "Nobody asked who is asking.",
            ))
        })
    }
}
