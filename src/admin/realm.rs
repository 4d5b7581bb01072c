//! Whose things a caller sees and changes: everybody's, or those of one tenant.
//!
//! An admin key without a tenant is the operator's. One that belongs to a tenant covers what belongs to the same one:
//! every tenant field that the key has, its declared parents included, must be the same there. So the admin of
//! `organization:acme` covers its teams and their keys, and the admin of a team covers nothing of the team beside it.

use std::{fmt, sync::Arc};

use ferrogate_api::{AccountKind, AccountRef, TenantContext};
use serde_json::{Map, Value};

use super::policy_selectors::PolicySelectors;
use crate::config::{self, TenantIndex, TenantKind, TenantRef, with_parents};
use crate::error::{ErrorKind, RequestError};
use crate::gateway::Snapshot;

/// What a caller may see and change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Realm {
    Everything,
    /// What belongs to this tenant. The context is never empty.
    Tenant(Arc<TenantContext>),
}

impl Realm {
    /// Of a key that belongs to `tenant`.
    pub(super) fn of(tenant: &Arc<TenantContext>) -> Self {
        match tenant.is_empty() {
            true => Self::Everything,
            false => Self::Tenant(Arc::clone(tenant)),
        }
    }

    pub(super) fn is_everything(&self) -> bool {
        *self == Self::Everything
    }

    /// The tenants that everything in it must belong to, the widest first; none where it is everything.
    pub(super) fn names(&self) -> impl Iterator<Item = (TenantKind, &Arc<str>)> {
        let own = match self {
            Self::Everything => None,
            Self::Tenant(own) => Some(own),
        };
        TenantKind::ALL
            .into_iter()
            .filter_map(move |kind| Some((kind, own?.get(kind.account())?)))
    }

    /// Whether what belongs to `tenant` is in it.
    pub(super) fn covers(&self, tenant: &TenantContext) -> bool {
        self.names()
            .all(|(kind, own)| tenant.get(kind.account()) == Some(own))
    }

    /// # Errors
    /// `outside_tenant`. `what` begins the sentence: ``The key `dev` ``.
    pub(super) fn must_cover(
        &self,
        tenant: &TenantContext,
        what: impl fmt::Display,
    ) -> Result<(), RequestError> {
        match self.covers(tenant) {
            true => Ok(()),
            false => Err(self.outside(what)),
        }
    }

    /// Whether a key of this id is there and in it.
    pub(super) fn covers_key(&self, snapshot: &Snapshot, id: &str) -> bool {
        let key = snapshot.rules.keys.get(id);
        key.is_some_and(|key| self.covers(key.tenant()))
    }

    /// Whether this tenant is shown: one that is covered, or the narrowest that the realm itself names. One that
    /// nobody declared is shown where every key that names it is covered.
    pub(super) fn sees_tenant(&self, snapshot: &Snapshot, kind: TenantKind, id: &str) -> bool {
        if self.is_everything() || self.is_own(kind, id) {
            return true;
        }
        if let Some(context) = declared_context((kind, id), snapshot.tenants()) {
            return self.covers(&context);
        }
        let mut naming = keys_naming(snapshot, kind, id).peekable();
        naming.peek().is_some() && naming.all(|tenant| self.covers(tenant))
    }

    /// Whether this account's figures are shown.
    pub(super) fn sees_account(&self, snapshot: &Snapshot, account: &AccountRef) -> bool {
        match tenant_kind(account.kind) {
            _ if self.is_everything() => true,
            None => self.covers_key(snapshot, &account.id),
            Some(kind) => self.sees_tenant(snapshot, kind, &account.id),
        }
    }

    /// Whether a policy denies requests of this realm alone: one of its lists must hold it to each of the realm's
    /// tenants, and none may name somebody else's.
    pub(super) fn covers_policy(&self, snapshot: &Snapshot, selectors: &PolicySelectors) -> bool {
        let lists = selectors.contexts(snapshot);
        self.names().all(|(kind, own)| {
            let is_own = |context: &TenantContext| context.get(kind.account()) == Some(own);
            let is_other = |context: &TenantContext| {
                let named = context.get(kind.account());
                named.is_some_and(|named| named != own)
            };
            let mut all = lists.iter().flatten();
            let mut given = lists.iter().filter(|list| !list.is_empty());
            given.any(|list| list.iter().all(is_own)) && !all.any(is_other)
        })
    }

    /// Names the realm's tenants in the document of a key that leaves them out.
    pub(super) fn fill(&self, document: &mut Map<String, Value>) {
        for (kind, own) in self.names() {
            let field = document.entry(kind.key()).or_insert(Value::Null);
            if field.is_null() {
                *field = Value::from(&**own);
            }
        }
    }

    /// Holds a list to the realm: its filters by organization, team, project and user.
    ///
    /// # Errors
    /// `outside_tenant` where the query asks for another tenant.
    pub(super) fn narrow(
        &self,
        [organization, team, project, user]: [&mut Option<String>; 4],
    ) -> Result<(), RequestError> {
        for (kind, own) in self.names() {
            let filter = match kind {
                TenantKind::Organization => &mut *organization,
                TenantKind::Team => &mut *team,
                TenantKind::Project => &mut *project,
                TenantKind::User => &mut *user,
            };
            match filter {
                None => *filter = Some(own.to_string()),
                Some(asked) if **asked == **own => {}
                Some(asked) => {
                    return Err(self.outside(format_args!("`{}:{asked}`", kind.as_str())));
                }
            }
        }
        Ok(())
    }

    /// The narrowest tenant that it names.
    pub(super) fn is_own(&self, kind: TenantKind, id: &str) -> bool {
        let narrowest = self.names().last();
        narrowest.is_some_and(|(own_kind, own)| own_kind == kind && **own == *id)
    }

    /// Any of the tenants that it names: itself, and those it belongs to.
    pub(super) fn names_tenant(&self, kind: TenantKind, id: &str) -> bool {
        self.names()
            .any(|(own_kind, own)| own_kind == kind && **own == *id)
    }

    /// What an audit event of this realm says of itself, so that its admins are shown it.
    pub(super) fn detail(&self) -> Option<Value> {
        match self {
            Self::Everything => None,
            Self::Tenant(own) => Some(serde_json::json!({"tenant": own})),
        }
    }

    /// The refusal of what is not in it. `what` begins the sentence.
    pub(super) fn outside(&self, what: impl fmt::Display) -> RequestError {
        RequestError::new(
            ErrorKind::OutsideTenant,
            format!("{what} is outside {self}, which is all that this admin key sees and changes."),
        )
    }
}

impl fmt::Display for Realm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_everything() {
            return f.write_str("everything");
        }
        for (index, (kind, id)) in self.names().enumerate() {
            let between = if index == 0 { "" } else { ", " };
            write!(f, "{between}`{}:{id}`", kind.as_str())?;
        }
        Ok(())
    }
}

/// The tenant that an account is; `None`: a key.
pub(super) fn tenant_kind(kind: AccountKind) -> Option<TenantKind> {
    TenantKind::ALL
        .into_iter()
        .find(|tenant| tenant.account() == kind)
}

/// To whom a key belongs after a write; `before` stands for what the document leaves out.
pub(super) fn key_context(
    document: &Map<String, Value>,
    before: Option<&config::ApiKey>,
    tenants: &TenantIndex,
) -> TenantContext {
    let mut context = TenantContext::default();
    for kind in TenantKind::ALL {
        *slot(&mut context, kind) = match document.get(kind.key()) {
            Some(named) => named.as_str().map(Arc::from),
            None => before.and_then(|key| key.tenant(kind)).cloned(),
        };
    }
    with_parents(&context, tenants)
}

/// To whom a tenant belongs that has this parent: itself among them.
pub(super) fn tenant_context(
    (kind, id): (TenantKind, &str),
    parent: Option<&TenantRef>,
    tenants: &TenantIndex,
) -> TenantContext {
    let mut context = TenantContext::default();
    if let Some(parent) = parent {
        *slot(&mut context, parent.kind) = Some(Arc::clone(&parent.id));
    }
    // Before the tenant itself is named: the parent that counts is the one given, not the one it has now.
    let mut context = with_parents(&context, tenants);
    *slot(&mut context, kind) = Some(id.into());
    context
}

/// To whom a declared tenant belongs: itself among them. `None`: nobody declared it.
pub(super) fn declared_context(
    (kind, id): (TenantKind, &str),
    tenants: &TenantIndex,
) -> Option<TenantContext> {
    let declared = tenants.get(kind, id)?;
    Some(tenant_context(
        (kind, id),
        declared.parent.as_ref(),
        tenants,
    ))
}

/// `organization:acme`.
pub(super) fn tenant_ref(text: &str) -> Option<TenantRef> {
    let (kind, id) = text.split_once(':')?;
    Some(TenantRef {
        kind: TenantKind::parse(kind)?,
        id: id.into(),
    })
}

/// The tenants of every key that names this one.
pub(super) fn keys_naming<'s>(
    snapshot: &'s Snapshot,
    kind: TenantKind,
    id: &str,
) -> impl Iterator<Item = &'s TenantContext> {
    let keys = snapshot.rules.keys.all().iter();
    keys.map(|key| &**key.tenant()).filter(move |tenant| {
        let named = tenant.get(kind.account());
        named.is_some_and(|named| **named == *id)
    })
}

fn slot(context: &mut TenantContext, kind: TenantKind) -> &mut Option<Arc<str>> {
    match kind {
        TenantKind::Organization => &mut context.organization_id,
        TenantKind::Team => &mut context.team_id,
        TenantKind::Project => &mut context.project_id,
        TenantKind::User => &mut context.user_id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(names: &[(TenantKind, &str)]) -> TenantContext {
        let mut context = TenantContext::default();
        for (kind, id) in names {
            *slot(&mut context, *kind) = Some((*id).into());
        }
        context
    }

    fn realm(names: &[(TenantKind, &str)]) -> Realm {
        Realm::of(&Arc::new(context(names)))
    }

    const ACME: (TenantKind, &str) = (TenantKind::Organization, "acme");
    const OTHER: (TenantKind, &str) = (TenantKind::Organization, "other");
    const SEARCH: (TenantKind, &str) = (TenantKind::Team, "search");

    #[test]
    fn every_tenant_of_the_realm_must_be_the_same() {
        let check = |own: &[_], tenant: &[_], expected| {
            assert_eq!(
                realm(own).covers(&context(tenant)),
                expected,
                "{own:?} {tenant:?}"
            );
        };
        check(&[], &[], true);
        check(&[], &[ACME], true);
        check(&[ACME], &[ACME], true);
        check(&[ACME], &[ACME, SEARCH], true);
        check(&[ACME], &[OTHER, SEARCH], false);
        check(&[ACME], &[SEARCH], false);
        check(&[ACME], &[], false);
        check(&[ACME, SEARCH], &[ACME, SEARCH], true);
        check(&[ACME, SEARCH], &[ACME], false);
        check(&[ACME, SEARCH], &[OTHER, SEARCH], false);
    }

    #[test]
    fn a_list_is_held_to_the_realm_and_asks_for_nobody_else() {
        let check = |asked: Option<&str>, expected: Option<Option<&str>>| {
            let mut filters = [None, None, None, None];
            filters[0] = asked.map(ToOwned::to_owned);
            let [organization, team, project, user] = &mut filters;
            let narrowed = realm(&[ACME]).narrow([organization, team, project, user]);
            assert_eq!(narrowed.is_ok(), expected.is_some(), "{asked:?}");
            if let Err(error) = narrowed {
                assert_eq!(error.kind, ErrorKind::OutsideTenant);
            }
            if let Some(expected) = expected {
                assert_eq!(filters[0].as_deref(), expected);
                assert_eq!(filters[1], None);
            }
        };
        check(None, Some(Some("acme")));
        check(Some("acme"), Some(Some("acme")));
        check(Some("other"), None);
    }

    #[test]
    fn a_key_without_a_tenant_gets_the_realms() {
        let check = |document: &str, expected: &str| {
            let mut document = serde_json::from_str(document).unwrap();
            realm(&[ACME, SEARCH]).fill(&mut document);
            assert_eq!(Value::Object(document).to_string(), expected);
        };
        check("{}", r#"{"organization_id":"acme","team_id":"search"}"#);
        check(
            r#"{"team_id":null,"organization_id":"other"}"#,
            r#"{"team_id":"search","organization_id":"other"}"#,
        );
    }

    #[test]
    fn what_a_document_leaves_out_is_as_before_and_null_is_nothing() {
        let none = TenantIndex::default();
        let check = |document: &str, expected: &[_]| {
            let document = serde_json::from_str(document).unwrap();
            assert_eq!(key_context(&document, None, &none), context(expected));
        };
        check("{}", &[]);
        check(r#"{"organization_id":"acme","team_id":null}"#, &[ACME]);
    }

    #[test]
    fn the_narrowest_name_is_the_realms_own() {
        let realm = realm(&[ACME, SEARCH]);
        assert!(realm.is_own(TenantKind::Team, "search"));
        assert!(!realm.is_own(TenantKind::Organization, "acme"));
        assert!(realm.names_tenant(TenantKind::Organization, "acme"));
        assert_eq!(realm.to_string(), "`organization:acme`, `team:search`");
    }
}
