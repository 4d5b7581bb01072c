//! What a caller may write of the resources that belong to tenants: keys, tenants, policies, and what is added to
//! budgets.
//!
//! The operator may write everything. The admin of a tenant writes what is in its realm before and after: it moves
//! nothing in or out. Of the tenants it writes those strictly below its own, so that it sets no limit of its own and
//! tops up nothing of its own; and its key does not change itself.

use ferrogate_api::{AccountRef, UsageAggregateQuery};
use serde_json::{Map, Value};

use super::{
    caller::Caller,
    key_grant::KeyGrant,
    policy_selectors::PolicySelectors,
    realm::{declared_context, key_context, keys_naming, tenant_context, tenant_kind, tenant_ref},
    respond::Failure,
};
use crate::config::{self, TenantKind};
use crate::error::{ErrorKind, RequestError};
use crate::gateway::{Gateway, PutMode, Snapshot};

/// A document on its way to a resource.
#[derive(Debug)]
pub(super) struct Draft<'d> {
    pub(super) document: &'d mut Map<String, Value>,
    pub(super) mode: PutMode,
}

impl Caller {
    /// Judges a key's document, and names the realm's tenants in one that leaves them out.
    ///
    /// # Errors
    /// `outside_tenant`, `operator_only`, and what [`Caller::may_give`] refuses.
    pub(super) fn may_write_key(
        &self,
        snapshot: &Snapshot,
        id: &str,
        draft: Draft<'_>,
    ) -> Result<(), RequestError> {
        let Draft { document, mode } = draft;
        let realm = self.realm();
        if mode != PutMode::Create {
            self.may_stop_key(snapshot, id)?;
            self.refuse_itself(id)?;
        }
        if mode != PutMode::Merge {
            realm.fill(document);
        }
        let before = snapshot
            .rules
            .keys
            .get(id)
            .filter(|_| mode == PutMode::Merge);
        let before = before.map(|key| &**key.declared());
        let context = key_context(document, before, snapshot.tenants());
        realm.must_cover(&context, format_args!("A key of these tenants"))?;
        self.may_give(&KeyGrant::after(document, before))
    }

    /// Judges the name of a new key: one that a key had once brings its sums with it, and they were somebody else's.
    ///
    /// # Errors
    /// `resource_exists`, or what the database fails with.
    pub(super) async fn may_name_key(&self, gateway: &Gateway, id: &str) -> Result<(), Failure> {
        if self.realm().is_everything() || gateway.snapshot().rules.keys.get(id).is_some() {
            return Ok(());
        }
        let query = UsageAggregateQuery {
            key: Some(id.to_owned()),
            limit: Some(1),
            ..UsageAggregateQuery::default()
        };
        let used = gateway.store.usage_aggregates(query).await?;
        match used.data.is_empty() {
            true => Ok(()),
            false => Err(Failure(RequestError::new(
                ErrorKind::ResourceExists,
                format!(
                    "A key was called `{id}` before, and what it used is summed up under this name: choose another."
                ),
            ))),
        }
    }

    /// Whether a key may be disabled or removed: nobody can do more then than before.
    ///
    /// # Errors
    /// `outside_tenant`.
    pub(super) fn may_stop_key(&self, snapshot: &Snapshot, id: &str) -> Result<(), RequestError> {
        match snapshot.rules.keys.get(id) {
            Some(key) => self.must_cover(key.tenant(), format_args!("The key `{id}`")),
            // That it is not there is for the lane to say.
            None => Ok(()),
        }
    }

    /// Whether they may be told a new secret of a key, and so have what it has.
    ///
    /// # Errors
    /// `outside_tenant`, and what [`Caller::may_give`] refuses.
    pub(super) fn may_take_key(&self, snapshot: &Snapshot, id: &str) -> Result<(), RequestError> {
        self.may_stop_key(snapshot, id)?;
        match snapshot.rules.keys.get(id) {
            Some(key) => self.may_give(&KeyGrant::of(key.declared())),
            None => Ok(()),
        }
    }

    /// Judges a tenant's document. One that leaves its parent out has none, except in a merge.
    ///
    /// # Errors
    /// `outside_tenant`; `operator_only` for the first tenant of its kind.
    pub(super) fn may_write_tenant(
        &self,
        snapshot: &Snapshot,
        (kind, id): (TenantKind, &str),
        draft: &Draft<'_>,
    ) -> Result<(), RequestError> {
        let realm = self.realm();
        if realm.is_everything() {
            return Ok(());
        }
        let tenants = snapshot.tenants();
        if !tenants.declares(kind) {
            return Err(RequestError::new(
                ErrorKind::OperatorOnly,
                format!(
                    "No {kind} is declared yet, and once one is, all that keys name must be: the first is the \
                     operator's to make.",
                    kind = kind.as_str()
                ),
            ));
        }
        self.may_remove_tenant(snapshot, (kind, id))?;
        let before = tenants
            .get(kind, id)
            .filter(|_| draft.mode == PutMode::Merge);
        let parent = match draft.document.get("parent") {
            None => before.and_then(|tenant| tenant.parent.clone()),
            Some(value) => value.as_str().and_then(tenant_ref),
        };
        let context = tenant_context((kind, id), parent.as_ref(), tenants);
        let what = format!("A {kind} with this `parent`", kind = kind.as_str());
        realm.must_cover(&context, what)
    }

    /// Whether a tenant may be removed, or becomes another by a write: it is in the realm and strictly below.
    ///
    /// # Errors
    /// `outside_tenant`.
    pub(super) fn may_remove_tenant(
        &self,
        snapshot: &Snapshot,
        (kind, id): (TenantKind, &str),
    ) -> Result<(), RequestError> {
        let realm = self.realm();
        let what = format!("The {kind} `{id}`", kind = kind.as_str());
        if realm.names_tenant(kind, id) {
            return Err(itself(&what));
        }
        if let Some(context) = declared_context((kind, id), snapshot.tenants()) {
            realm.must_cover(&context, &what)?;
        }
        // Whoever declares a tenant that others' keys name already would have them.
        match keys_naming(snapshot, kind, id).all(|tenant| realm.covers(tenant)) {
            true => Ok(()),
            false => Err(realm.outside(what)),
        }
    }

    /// Judges a policy before and after a write; `None` where there is none.
    ///
    /// # Errors
    /// `outside_tenant`.
    pub(super) fn may_write_policy(
        &self,
        snapshot: &Snapshot,
        before: Option<&config::Policy>,
        after: Option<&Draft<'_>>,
    ) -> Result<(), RequestError> {
        let realm = self.realm();
        if let Some(before) = before
            && !realm.covers_policy(snapshot, &PolicySelectors::of(before))
        {
            return Err(realm.outside(format_args!("The policy `{}`", before.name)));
        }
        let Some(Draft { document, mode }) = after else {
            return Ok(());
        };
        let before = before.filter(|_| *mode == PutMode::Merge);
        match realm.covers_policy(snapshot, &PolicySelectors::after(document, before)) {
            true => Ok(()),
            false => Err(realm.outside("A policy that is not held to this tenant by its lists")),
        }
    }

    /// Whether this account's budgets may be topped up and raised.
    ///
    /// # Errors
    /// `outside_tenant`, `operator_only`.
    pub(super) fn may_adjust(
        &self,
        snapshot: &Snapshot,
        account: &AccountRef,
    ) -> Result<(), RequestError> {
        match tenant_kind(account.kind) {
            Some(kind) => self.may_remove_tenant(snapshot, (kind, &account.id)),
            None => {
                self.may_stop_key(snapshot, &account.id)?;
                self.refuse_itself(&account.id)
            }
        }
    }

    fn refuse_itself(&self, id: &str) -> Result<(), RequestError> {
        match self.is_own_tenant_key(id) {
            true => Err(itself(&format!("The key `{id}`"))),
            false => Ok(()),
        }
    }
}

fn itself(what: &str) -> RequestError {
    RequestError::new(
        ErrorKind::OperatorOnly,
        format!(
            "{what} is the admin key's own, and what it may do and spend is the operator's to set."
        ),
    )
}

#[cfg(test)]
mod tests;
