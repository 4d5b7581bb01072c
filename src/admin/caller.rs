//! Who is asking the admin API, and what they may pass on.

use std::{fmt, sync::Arc};

use axum::extract::FromRequestParts;
use ferrogate_api::TenantContext;
use http::request::Parts;

use super::{
    key_grant::{KeyGrant, NameLists},
    realm::Realm,
    respond::Failure,
};
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

    /// For what is the gateway's and no tenant's.
    ///
    /// # Errors
    /// [`ErrorKind::OperatorOnly`].
    pub(super) fn require_operator(&self) -> Result<(), RequestError> {
        let realm = self.realm();
        if realm.is_everything() {
            return Ok(());
        }
        Err(RequestError::new(
            ErrorKind::OperatorOnly,
            format!(
                "This is the operator's, and the admin key belongs to {realm}. Use an admin key without a tenant."
            ),
        ))
    }

    /// What they see and change.
    pub(super) fn realm(&self) -> Realm {
        match self {
            Self::Operator(_) => Realm::Everything,
            Self::Key(key) => Realm::of(key.tenant()),
        }
    }

    /// # Errors
    /// [`ErrorKind::OutsideTenant`] where what belongs to `tenant` is not theirs. `what` begins the sentence:
    /// ``The key `dev` ``.
    pub(super) fn must_cover(
        &self,
        tenant: &TenantContext,
        what: impl fmt::Display,
    ) -> Result<(), RequestError> {
        self.realm().must_cover(tenant, what)
    }

    /// Whether a key that can do this may be made, changed or given a new secret. An admin scope is only given by those
    /// who have it; a key of a tenant gives no scope at all that it lacks. No key lets through a model or a provider
    /// that its maker's lists do not, and no admin key outlives its maker.
    ///
    /// # Errors
    /// [`ErrorKind::ScopeDenied`], [`ErrorKind::ModelNotAllowed`], [`ErrorKind::ProviderNotAllowed`], naming what goes
    /// beyond the caller's own.
    pub(super) fn may_give(&self, grant: &KeyGrant) -> Result<(), RequestError> {
        let Self::Key(own) = self else {
            return Ok(());
        };
        let by_tenant = !self.realm().is_everything();
        let may = |scope: &Scope| own.has(*scope) || !(by_tenant || is_admin(*scope));
        if let Some(scope) = grant.scopes.iter().find(|scope| !may(scope)) {
            return Err(RequestError::new(
                ErrorKind::ScopeDenied,
                format!(
                    "The key `{}` lacks the scope `{scope}`, and so cannot write a key that has it.",
                    own.id(),
                    scope = scope.as_str()
                ),
            )
            .with_param("scopes"));
        }
        let mine = KeyGrant::of(own.declared());
        within(own, ("model", &grant.models, &mine.models))?;
        within(own, ("provider", &grant.providers, &mine.providers))?;
        match mine.expires_at_unix {
            Some(end) if outlives(grant, end) => Err(RequestError::new(
                ErrorKind::ScopeDenied,
                format!(
                    "The key `{}` ends, and so cannot write an admin key that does not end before it: set \
                     `expires_at_unix` to at most {end}.",
                    own.id()
                ),
            )
            .with_param("expires_at_unix")),
            Some(_) | None => Ok(()),
        }
    }

    /// Their own key, where it belongs to a tenant.
    pub(super) fn is_own_tenant_key(&self, id: &str) -> bool {
        match self {
            Self::Operator(_) => false,
            Self::Key(own) => **own.id() == *id && own.tenant_if_any().is_some(),
        }
    }

    /// What the audit trail calls them.
    pub(super) fn actor(&self) -> Actor {
        Actor {
            name: self.to_string(),
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator(uid) => write!(f, "unix:uid={uid}"),
            Self::Key(key) => f.write_str(key.id()),
        }
    }
}

fn is_admin(scope: Scope) -> bool {
    matches!(scope, Scope::AdminRead | Scope::AdminWrite)
}

fn outlives(grant: &KeyGrant, end: i64) -> bool {
    let ends_later = grant.expires_at_unix.is_none_or(|its| its > end);
    ends_later && grant.scopes.iter().any(|scope| is_admin(*scope))
}

fn within(
    own: &Key,
    (noun, theirs, mine): (&'static str, &NameLists, &NameLists),
) -> Result<(), RequestError> {
    let Some(beyond) = theirs.beyond(mine) else {
        return Ok(());
    };
    let what = match beyond {
        Some(name) => format!("the {noun} `{name}`"),
        None => format!("every {noun}"),
    };
    let (kind, param) = match noun {
        "model" => (ErrorKind::ModelNotAllowed, "allowed_models"),
        _ => (ErrorKind::ProviderNotAllowed, "allowed_providers"),
    };
    Err(RequestError::new(
        kind,
        format!(
            "The key `{}` may not use {what}, and so cannot write a key that may.",
            own.id()
        ),
    )
    .with_param(param))
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
