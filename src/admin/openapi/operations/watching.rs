//! What is happening.

use ferrogate_api::{
    Event, EventQuery, InFlightQuery, InFlightRequest, KilledRequest, Status, Timeseries,
    TimeseriesQuery,
};
use utoipa::openapi::{Object, schema::Type};

use super::super::{endpoint::Endpoint, information::WATCHING, parameters, resource::sort};

const TOPICS: &str =
    "^(requests|health|alerts|audit|logs|config)(,(requests|health|alerts|audit|logs|config))*$";

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get(
            "/admin/v1/status",
            "getStatus",
            "Show the gateway at a glance",
        )
        .tag(WATCHING)
        .operators()
        .about("What this process is, what it holds, and how its databases, its cache and its node are doing.")
        .answers::<Status>("How it is doing."),
        Endpoint::get(
            "/admin/v1/events",
            "streamEvents",
            "Follow what happens, live",
        )
        .tag(WATCHING)
        .about(
            "Server-sent events, one for each thing that happens. The `event:` of one is the `event` of the schema \
             `Event`, its `data:` the JSON of the `data` there, its `id:` what a reader that comes back sends as \
             `Last-Event-ID` to be told what it has missed. A comment every 15 seconds shows that the connection lives. \
             At most `[admin] event_readers_max` readers; the next gets 503 `too_many_connections`.",
        )
        .query::<EventQuery>()
        .with(parameters::pattern_in_query(
            "topics",
            "Which events, with commas between them; `requests,alerts` where nothing is said. Keys of a tenant may ask for \
             these two alone.",
            (TOPICS, "requests,health"),
        ))
        .mentions::<Event>()
        .answers_as("text/event-stream", server_sent_event(), "The feed.")
        .may_fail(&[503]),
        Endpoint::get(
            "/admin/v1/timeseries",
            "getTimeseries",
            "Show how a metric went over time",
        )
        .tag(WATCHING)
        .about(
            "A chart: some lines over the same steps, from sums that are kept for each minute, hour and day. Percentiles \
             are read from merged histograms, never from other percentiles.",
        )
        .query::<TimeseriesQuery>()
        .with(parameters::pattern_in_query(
            "window",
            "How far back from now: a number and `m`, `h` or `d`; `1h` where nothing is said. Not beside `since`.",
            ("^[0-9]{1,9}[mhd]$", "24h"),
        ))
        .with(parameters::word_in_query(
            "step",
            "How long one step is; `auto`, where nothing is said, takes the finest that makes at most 300 steps.",
            &["1m", "5m", "1h", "1d", "auto"].map(str::to_owned),
        ))
        .answers::<Timeseries>("The chart."),
        Endpoint::get(
            "/admin/v1/requests/in-flight",
            "listInFlightRequests",
            "List the requests that have not ended",
        )
        .tag(WATCHING)
        .query::<InFlightQuery>()
        .with(sort(&["started_at"], "started_at"))
        .lists::<InFlightRequest>("A page of them, the oldest first unless something else is asked for."),
        Endpoint::delete(
            "/admin/v1/requests/in-flight/{id}",
            "killInFlightRequest",
            "End a request",
        )
        .tag(WATCHING)
        .writes()
        .about(
            "The provider is hung up on, the client gets the error 503 `request_killed` in its own dialect, and what was \
             made until then is charged.",
        )
        .with(parameters::request_id())
        .answers::<KilledRequest>("It ends. What became of it is in its request log."),
        Endpoint::get(
            "/metrics",
            "getMetrics",
            "Show the metrics for Prometheus",
        )
        .tag(WATCHING)
        .operators()
        .answers_as(
            "text/plain",
            Object::builder().schema_type(Type::String),
            "Prometheus' text format, version 0.0.4.",
        ),
        Endpoint::get(
            "/admin/v1/openapi.json",
            "getOpenApi",
            "Show this document",
        )
        .tag(WATCHING)
        .answers_as(
            "application/json",
            Object::builder().schema_type(Type::Object),
            "The OpenAPI 3.1 document of the admin API.",
        ),
    ]
}

/// One event of the stream, field by field.
fn server_sent_event() -> Object {
    let text = || Object::builder().schema_type(Type::String);
    Object::builder()
        .description(Some("One event of the stream."))
        .property(
            "event",
            text().description(Some("What happened: an `event` of the schema `Event`.")),
        )
        .property(
            "data",
            text()
                .content_media_type("application/json")
                .description(Some("The `data` of the schema `Event` that belongs to it.")),
        )
        .property(
            "id",
            text().description(Some(
                "Where the feed goes on after it, for `Last-Event-ID`.",
            )),
        )
        .required("event")
        .required("data")
        .build()
}
