//! `/admin/v1/requests/in-flight`: the requests that have not ended, and ending one of them.

use std::sync::Arc;

use axum::{Json, extract::State};
use ferrogate_api::{InFlightRequest, KilledRequest, Page, Phase};
use http::Uri;

use super::{
    caller::Caller,
    listing::{Listing, SortKey},
    path::Named,
    preconditions::By,
    query::Parameters,
    realm::Realm,
    respond::{Failure, not_found},
};
use crate::error::RequestError;
use crate::gateway::Gateway;
use crate::ids::RequestId;
use crate::live::{NotInFlight, Selection, Sight};

/// Lists requests in flight, the oldest first.
pub(super) async fn list(
    State(gateway): State<Arc<Gateway>>,
    caller: Caller,
    uri: Uri,
) -> Result<Json<Page<InFlightRequest>>, Failure> {
    let mut parameters = Parameters::of(&uri)?;
    let bounds = &gateway.snapshot().config.admin;
    let listing = Listing::take(&mut parameters, bounds, &["started_at"])?;
    let mut selection = take_selection(&mut parameters, &gateway, &caller)?;
    selection.endpoint = parameters.take("endpoint")?;
    let phase: Option<Phase> = parameters.take_with("phase", str::parse)?;
    let min_age_secs: Option<u32> = parameters.take("min_age_secs")?;
    parameters.finish()?;
    let began_by = min_age_secs.map(|secs| gateway.clock.unix_ms() - i64::from(secs) * 1000);
    let found = gateway
        .live
        .in_flight_of(&selection)
        .into_iter()
        .filter(|request| phase.is_none_or(|phase| request.phase == phase))
        .filter(|request| began_by.is_none_or(|by| request.started_at_unix_ms <= by))
        .filter(|request| listing.finds(texts(request)))
        .map(|request| {
            let key = SortKey::Number(request.started_at_unix_ms);
            (key, request.request_id.clone(), request)
        })
        .collect();
    let (requests, next) = listing.part(found);
    Ok(Json(Page::new(requests, next)))
}

fn texts(request: &InFlightRequest) -> impl Iterator<Item = &str> {
    let known = [&request.api_key_id, &request.model, &request.provider];
    [request.path.as_str(), request.request_id.as_str()]
        .into_iter()
        .chain(known.into_iter().filter_map(|text| text.as_deref()))
}

/// Ends one request, whatever it is doing.
pub(super) async fn kill(
    State(gateway): State<Arc<Gateway>>,
    by: By,
    Named(id): Named<String>,
    uri: Uri,
) -> Result<Json<KilledRequest>, Failure> {
    Parameters::none(&uri)?;
    let by = by.unconditional()?;
    let selection = Selection {
        sight: sight(&gateway, &by.caller.realm()),
        ..Selection::default()
    };
    let killed = match RequestId::parse(&id) {
        Some(request) => gateway.live.kill(request, &selection),
        None => Err(NotInFlight),
    };
    killed.map_err(|NotInFlight| not_found("request in flight", &id))?;
    // After the deed: a request that goes on costs money, and a log that cannot be written must not keep it going.
    let target = format!("request:{id}");
    gateway
        .audit_event(&by.change, "request.kill", target, None)
        .await?;
    Ok(Json(KilledRequest {
        object: "in_flight_request".into(),
        id,
        killed: true,
    }))
}

/// Reads which requests are meant; a key of a tenant means its own.
pub(super) fn take_selection(
    parameters: &mut Parameters,
    gateway: &Arc<Gateway>,
    caller: &Caller,
) -> Result<Selection, RequestError> {
    let realm = caller.realm();
    let selection = Selection {
        key: parameters.take("key")?,
        model: parameters.take("model")?,
        provider: parameters.take("provider")?,
        endpoint: None,
        organization: parameters.take("organization")?,
        team: parameters.take("team")?,
        project: parameters.take("project")?,
        user: parameters.take("user")?,
        sight: sight(gateway, &realm),
    };
    // Asking for somebody else's is refused. What is not asked for stays so: the sight knows what is the caller's own,
    // and the budgets of its teams are.
    let mut asked = selection.clone();
    realm.narrow([
        &mut asked.organization,
        &mut asked.team,
        &mut asked.project,
        &mut asked.user,
    ])?;
    Ok(selection)
}

/// What `realm` sees; `None`: everything.
fn sight(gateway: &Arc<Gateway>, realm: &Realm) -> Option<Sight> {
    if realm.is_everything() {
        return None;
    }
    let (of_tenants, of_accounts) = (realm.clone(), realm.clone());
    let gateway = Arc::clone(gateway);
    Some(Sight {
        tenant: Arc::new(move |tenant| of_tenants.covers(tenant)),
        account: Arc::new(move |account| of_accounts.sees_account(&gateway.snapshot(), account)),
    })
}
