//! `GET /admin/v1/events`: the live feed, as server-sent events.
//!
//! A comment every 15 seconds tells a reader that the connection lives; the stream ends when the gateway shuts down.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    response::{
        Sse,
        sse::{self, KeepAlive},
    },
};
use ferrogate_api::Event;
use futures_util::{Stream, StreamExt as _, stream};
use http::Uri;

use super::{query::Parameters, respond::Failure};
use crate::error::{ErrorKind, RequestError};
use crate::gateway::Gateway;
use crate::live::{Subscription, TooManyReaders};

const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub(super) async fn stream(
    State(gateway): State<Arc<Gateway>>,
    uri: Uri,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, Failure> {
    Parameters::none(&uri)?;
    let subscription = gateway.live.subscribe().map_err(too_many_readers)?;
    let tasks = gateway.tasks.clone();
    let stopping = async move { tasks.stopping().await };
    let events = events(subscription).take_until(Box::pin(stopping));
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

fn events(subscription: Subscription) -> impl Stream<Item = Result<sse::Event, Infallible>> {
    stream::unfold(subscription, |mut subscription| async {
        let event = subscription.next().await;
        Some((Ok(encode(&event)), subscription))
    })
}

fn encode(event: &Event) -> sse::Event {
    let named = sse::Event::default().event(event.name());
    let encoded = match event {
        Event::Finished(log) => named.json_data(log),
        Event::Second(second) => named.json_data(second),
        Event::InFlight(in_flight) => named.json_data(in_flight),
        Event::BudgetThreshold(threshold) => named.json_data(threshold),
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
