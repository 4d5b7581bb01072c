//! Tenants that are switched off.

use std::sync::Arc;

use ferrogate_api::{AccountRef, TenantContext};

use crate::config::{TenantIndex, TenantKind};

/// The first tenant of a key that is switched off, the widest first.
pub fn switched_off(context: &TenantContext, tenants: &TenantIndex) -> Option<AccountRef> {
    TenantKind::ALL.into_iter().find_map(|kind| {
        let id = context.get(kind.account())?;
        let tenant = tenants.get(kind, id)?;
        (!tenant.enabled).then(|| AccountRef {
            kind: kind.account(),
            id: Arc::clone(id),
        })
    })
}
