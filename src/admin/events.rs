//! `GET /admin/v1/events`: the live feed, as server-sent events.
//!
//! A comment every 15 seconds tells a reader that the connection lives; the stream ends when the gateway shuts down.
//! Each event has an id, and a reader that comes back with it as `Last-Event-ID` is told what it has missed.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    response::{
        Sse,
        sse::{self, KeepAlive},
    },
};
use ferrogate_api::{Event, LogLevel, Topic};
use futures_util::{Stream, StreamExt as _, stream};
use http::{HeaderMap, Uri};

use super::{
    caller::Caller,
    in_flight,
    query::Parameters,
    respond::{Failure, invalid},
};
use crate::error::{ErrorKind, RequestError};
use crate::gateway::Gateway;
use crate::live::{Subscription, Told, TooManyReaders, Topics, Wanted};

const KEEP_ALIVE: Duration = Duration::from_secs(15);
const LAST_EVENT_ID: &str = "last-event-id";
/// What a key of a tenant may ask for: the rest is the operator's.
const OF_A_TENANT: Topics = Topics::of(&[Topic::Requests, Topic::Alerts]);

/// The live feed.
pub(super) async fn stream(
    State(gateway): State<Arc<Gateway>>,
    caller: Caller,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, Failure> {
    let wanted = wanted(&gateway, &caller, &uri)?;
    let last = headers
        .get(LAST_EVENT_ID)
        .and_then(|value| value.to_str().ok());
    let subscription = gateway
        .live
        .subscribe_to(wanted, last)
        .map_err(too_many_readers)?;
    let tasks = gateway.tasks.clone();
    let stopping = async move { tasks.stopping().await };
    let events = events(subscription).take_until(Box::pin(stopping));
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

fn wanted(gateway: &Arc<Gateway>, caller: &Caller, uri: &Uri) -> Result<Wanted, RequestError> {
    let mut parameters = Parameters::of(uri)?;
    let topics = parameters.take_with("topics", read_topics)?;
    let topics = topics.map_or(Topics::USUAL, |topics| Topics::of(&topics));
    if !topics.without(OF_A_TENANT).is_empty() {
        caller.require_operator()?;
    }
    let wanted = Wanted {
        topics,
        selection: in_flight::take_selection(&mut parameters, gateway, caller)?,
        status: parameters.take("status")?,
        errors_only: parameters.take("errors_only")?.unwrap_or(false),
        level: parameters
            .take_with("level", str::parse)?
            .unwrap_or(LogLevel::Info),
    };
    parameters.finish()?;
    if wanted.errors_only && wanted.status.is_some() {
        return Err(invalid(
            "errors_only",
            "cannot stand beside `status`: send one of them",
        ));
    }
    Ok(wanted)
}

fn read_topics(list: &str) -> Result<Vec<Topic>, String> {
    list.split(',').map(|name| name.trim().parse()).collect()
}

fn events(subscription: Subscription) -> impl Stream<Item = Result<sse::Event, Infallible>> {
    stream::unfold(subscription, |mut subscription| async {
        let told = subscription.next().await;
        Some((Ok(encode(&told)), subscription))
    })
}

fn encode(told: &Told) -> sse::Event {
    let named = sse::Event::default()
        .event(told.event.name())
        .id(told.id.to_string());
    let encoded = match &told.event {
        Event::Finished(log) => named.json_data(log),
        Event::Second(second) => named.json_data(second),
        Event::InFlight(in_flight) => named.json_data(in_flight),
        Event::BudgetThreshold(threshold) => named.json_data(threshold),
        Event::Alert(event) => named.json_data(event),
        Event::BreakerChanged(change) => named.json_data(change),
        Event::CredentialChanged(change) => named.json_data(change),
        Event::Audit(event) => named.json_data(event),
        Event::Log(line) => named.json_data(line),
        Event::ConfigRevision(revision) => named.json_data(revision),
        Event::Skipped(skipped) => named.json_data(skipped),
    };
    encoded.expect("wire types are JSON objects with text for keys")
}

fn too_many_readers(TooManyReaders { max }: TooManyReaders) -> RequestError {
    RequestError::new(
        ErrorKind::TooManyConnections,
        format!(
            "All {max} readers of the live feed are connected. \
             Close a console, or raise `[admin] event_readers_max`."
        ),
    )
}
