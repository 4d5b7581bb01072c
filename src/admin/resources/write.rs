//! A write: who asks for it, and what it is judged by before it goes to the gateway.
//!
//! Whether somebody may change a thing depends on what the thing is now, which another write may change before this one
//! has its turn. So whoever may not change everything changes only what was judged, by its tag, and is told to come
//! again where it is another thing by then.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde_json::{Map, Value};

use super::{AdminResource, Of, ResourceName, Shown, shown};
use crate::admin::{
    caller::Caller,
    preconditions::By,
    query::Parameters,
    respond::{Failure, not_found},
};
use crate::error::{ErrorKind, RequestError};
use crate::gateway::{self, Change, Gateway, IfMatch, PutMode, PutResource, Snapshot};
use crate::store::ResourceKind;

/// Who asks for a write, why, and on what condition. It takes no query.
pub(in crate::admin) struct Writer {
    pub(in crate::admin) caller: Caller,
    change: Change,
}

impl FromRequestParts<Arc<Gateway>> for Writer {
    type Rejection = Failure;

    async fn from_request_parts(
        parts: &mut Parts,
        gateway: &Arc<Gateway>,
    ) -> Result<Self, Failure> {
        let By { caller, change } = By::from_request_parts(parts, gateway).await?;
        Parameters::none(&parts.uri)?;
        Ok(Self { caller, change })
    }
}

/// What a write is judged by.
pub(in crate::admin) struct Write<'w> {
    pub(in crate::admin) gateway: &'w Gateway,
    pub(in crate::admin) snapshot: &'w Snapshot,
    pub(in crate::admin) caller: &'w Caller,
    pub(in crate::admin) name: &'w str,
    pub(in crate::admin) mode: PutMode,
}

/// A change that may be made.
pub(in crate::admin) struct Judged {
    change: Change,
    /// Whether the condition in it is the client's own.
    asked_for: bool,
}

impl Writer {
    /// Makes a write of which the kind itself judges, and shows what came of it.
    pub(in crate::admin) async fn put<R: AdminResource>(
        &self,
        gateway: &Gateway,
        name: &R::Name,
        (mut document, mode): (Map<String, Value>, PutMode),
    ) -> Result<Shown<R::View>, Failure> {
        let id = name.id()?;
        name.put_into(&mut document)?;
        let judged = {
            let snapshot = gateway.snapshot();
            let write = self.write(gateway, &snapshot, &id, mode);
            let before = R::find(&snapshot, &id);
            R::prepare(&mut document, before.as_ref(), &write)?;
            self.judged::<R>(before.as_ref(), &write)?
        };
        self.put_judged::<R>(gateway, judged, (id, document, mode))
            .await
    }

    /// Makes a write that has been judged.
    pub(in crate::admin) async fn put_judged<R: AdminResource>(
        &self,
        gateway: &Gateway,
        judged: Judged,
        (id, document, mode): (String, Map<String, Value>, PutMode),
    ) -> Result<Shown<R::View>, Failure> {
        let (by, told) = judged.into_change();
        let put = PutResource {
            kind: R::KIND,
            id: id.clone(),
            document: Value::Object(document),
            mode,
            by,
        };
        gateway.put_resource(put).await.map_err(told)?;
        shown::<R>(gateway, &self.caller, &id).await
    }

    /// Deletes one, if this caller may.
    pub(super) async fn remove<R: AdminResource>(
        &self,
        gateway: &Gateway,
        id: &str,
    ) -> Result<(), Failure> {
        let judged = {
            let snapshot = gateway.snapshot();
            let write = self.write(gateway, &snapshot, id, PutMode::Replace);
            let before = R::find(&snapshot, id).ok_or_else(|| not_found(R::NOUN, id))?;
            R::may_remove(&before, &write)?;
            self.judged::<R>(Some(&before), &write)?
        };
        let (by, told) = judged.into_change();
        gateway
            .delete_resource(R::KIND, id, &by)
            .await
            .map_err(told)?;
        Ok(())
    }

    pub(in crate::admin) fn write<'w>(
        &'w self,
        gateway: &'w Gateway,
        snapshot: &'w Snapshot,
        name: &'w str,
        mode: PutMode,
    ) -> Write<'w> {
        Write {
            gateway,
            snapshot,
            caller: &self.caller,
            name,
            mode,
        }
    }

    /// What a change that may be made of `before` goes by.
    ///
    /// # Errors
    /// 404 where there is nothing to change.
    pub(in crate::admin) fn judged<R: AdminResource>(
        &self,
        before: Option<&Of<'_, R>>,
        write: &Write<'_>,
    ) -> Result<Judged, Failure> {
        let mut change = self.change.clone();
        let asked_for = change.if_match.is_some();
        if write.mode == PutMode::Create {
            return Ok(Judged { change, asked_for });
        }
        let before = before.ok_or_else(|| not_found(R::NOUN, write.name))?;
        let may_change_all = match &self.caller {
            Caller::Operator(_) => true,
            // Even the operator's keys give only what they have.
            Caller::Key(_) => {
                R::KIND != ResourceKind::ApiKey && self.caller.realm().is_everything()
            }
        };
        if !may_change_all && let Some(row) = before.stored {
            let tag = gateway::etag(row);
            let wanted = match change.if_match {
                Some(IfMatch::Tags(tags)) => {
                    tags.into_iter().filter(|asked| *asked == tag).collect()
                }
                Some(IfMatch::Any) | None => vec![tag],
            };
            change.if_match = Some(IfMatch::Tags(wanted));
        }
        Ok(Judged { change, asked_for })
    }
}

impl Judged {
    /// The change, and how its error is told to the client.
    pub(in crate::admin) fn into_change(self) -> (Change, impl Fn(RequestError) -> RequestError) {
        let asked_for = self.asked_for;
        (self.change, move |error| overtaken(error, asked_for))
    }
}

/// Who sent no condition is not told that it does not hold.
fn overtaken(error: RequestError, asked_for: bool) -> RequestError {
    if error.kind != ErrorKind::PreconditionFailed || asked_for {
        return error;
    }
    RequestError::new(
        ErrorKind::RevisionConflict,
        "Somebody else changed it meanwhile, and what it is now has to be judged anew: repeat the change.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_sent_a_condition_is_told_that_it_does_not_hold() {
        let check = |kind, asked_for, expected| {
            let error = overtaken(RequestError::new(kind, "…"), asked_for);
            assert_eq!(error.kind, expected);
        };
        check(
            ErrorKind::PreconditionFailed,
            true,
            ErrorKind::PreconditionFailed,
        );
        check(
            ErrorKind::PreconditionFailed,
            false,
            ErrorKind::RevisionConflict,
        );
        check(ErrorKind::ResourceInUse, false, ErrorKind::ResourceInUse);
    }
}
