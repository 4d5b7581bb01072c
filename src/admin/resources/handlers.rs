//! The endpoints of a kind of resource.

use std::sync::Arc;

use axum::{Json, extract::State, response::Response};
use ferrogate_api::{Deleted, Page};
use http::Uri;

use super::{
    AdminResource, Of, ResourceName, Shown, Viewing, Writer,
    show::{alert_statuses, last_used},
    shown,
};
use crate::admin::{
    body::Document,
    caller::Caller,
    listing::{Listing, SortKey},
    path::Named,
    query::Parameters,
    respond::Failure,
};
use crate::gateway::{Gateway, PutMode};

/// Those that are asked for and that the caller may know of.
pub(in crate::admin) async fn list<R: AdminResource>(
    State(gateway): State<Arc<Gateway>>,
    caller: Caller,
    uri: Uri,
) -> Result<Json<Page<R::View>>, Failure> {
    let mut parameters = Parameters::of(&uri)?;
    let listing = Listing::take(&mut parameters, &gateway.snapshot().config.admin, R::SORTS)?;
    let filter = R::filter(&mut parameters)?;
    parameters.finish()?;
    let last_used = last_used::<R>(&gateway).await?;
    let snapshot = gateway.snapshot();
    let viewing = Viewing {
        snapshot: &snapshot,
        caller: &caller,
        now_unix_ms: gateway.clock.unix_ms(),
        last_used,
        alerts: alert_statuses::<R>(&gateway),
    };
    let found = R::all(&snapshot)
        .into_iter()
        .filter(|entry| R::fits(&filter, entry))
        .filter(|entry| {
            let name = std::iter::once(&*entry.name);
            listing.finds(name.chain(R::texts(entry)))
        })
        .filter(|entry| R::is_visible(entry, &viewing))
        .map(|entry| {
            let key = sort_key::<R>(&entry, listing.field(), &viewing);
            (key, entry.name.clone(), entry)
        })
        .collect();
    let (part, next_cursor) = listing.part(found);
    let views = part.iter().map(|entry| R::view(entry, &viewing));
    Ok(Json(Page::new(views.collect(), next_cursor)))
}

fn sort_key<R: AdminResource>(entry: &Of<'_, R>, field: &str, viewing: &Viewing<'_>) -> SortKey {
    match field {
        "created_at" => entry.declared().created_at_unix_ms.into(),
        "updated_at" => entry.declared().updated_at_unix_ms.into(),
        _ => R::sort_key(entry, field, viewing),
    }
}

pub(in crate::admin) async fn show<R: AdminResource>(
    State(gateway): State<Arc<Gateway>>,
    caller: Caller,
    Named(name): Named<R::Name>,
    uri: Uri,
) -> Result<Shown<R::View>, Failure> {
    Parameters::none(&uri)?;
    shown::<R>(&gateway, &caller, &name.id()?).await
}

/// There must be none of its name yet.
pub(in crate::admin) async fn create<R: AdminResource>(
    State(gateway): State<Arc<Gateway>>,
    writer: Writer,
    Document(document): Document,
) -> Result<Response, Failure> {
    let name = R::Name::in_body(&document)?;
    let made = writer
        .put::<R>(&gateway, &name, (document, PutMode::Create))
        .await?;
    Ok(made.made())
}

/// What the body leaves out gets its default, but for secrets, which stay.
pub(in crate::admin) async fn replace<R: AdminResource>(
    State(gateway): State<Arc<Gateway>>,
    writer: Writer,
    Named(name): Named<R::Name>,
    Document(document): Document,
) -> Result<Shown<R::View>, Failure> {
    writer
        .put::<R>(&gateway, &name, (document, PutMode::Replace))
        .await
}

/// What the body leaves out stays, and what is null there goes (RFC 7396, one level deep).
pub(in crate::admin) async fn merge<R: AdminResource>(
    State(gateway): State<Arc<Gateway>>,
    writer: Writer,
    Named(name): Named<R::Name>,
    Document(document): Document,
) -> Result<Shown<R::View>, Failure> {
    writer
        .put::<R>(&gateway, &name, (document, PutMode::Merge))
        .await
}

pub(in crate::admin) async fn remove<R: AdminResource>(
    State(gateway): State<Arc<Gateway>>,
    writer: Writer,
    Named(name): Named<R::Name>,
) -> Result<Json<Deleted>, Failure> {
    let id = name.id()?;
    writer.remove::<R>(&gateway, &id).await?;
    Ok(Json(Deleted::of(R::KIND.as_str(), id)))
}
