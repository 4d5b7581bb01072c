//! Alert rules: the six endpoints of every resource, taking one on, and trying its webhook.

use ferrogate_api::{AcknowledgeAlert, Alert, AlertDelivery, AlertDocument, AlertFilter};
use utoipa::openapi::path::Parameter;

use super::super::{endpoint::Endpoint, information::ALERTS, parameters, resource::Resource};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let mut all = Resource {
        path: "/admin/v1/alerts",
        tag: ALERTS,
        ids: ("Alert", "Alerts"),
        nouns: ("an alert", "alerts"),
        name: ("{name}", vec![name()], &["name"]),
        sorts: &[
            "name",
            "state",
            "severity",
            "metric",
            "created_at",
            "updated_at",
        ],
        about: (
            "Rules about the gateway itself, and how they stand on this node.",
            "There are at most `[alerting] alerts_max`, those of the file included. It is looked at within \
             `[alerting] interval_secs`.",
        ),
        operators: (true, true),
    }
    .endpoints::<Alert, AlertDocument, AlertFilter, Alert>();
    all.extend(on_one());
    all
}

fn on_one() -> Vec<Endpoint> {
    let all = vec![
        Endpoint::post(
            "/admin/v1/alerts/{name}/acknowledge",
            "acknowledgeAlert",
            "Take an alert on",
        )
        .about(
            "Its webhook is told nothing more of it until it was resolved, or until `silence_secs` have passed and it \
             still fires. 400 `invalid_request` while it is `ok`.",
        )
        .command::<AcknowledgeAlert>("Why, and for how long.")
        .answers::<Alert>("It is taken on.")
        .tagged(),
        Endpoint::post(
            "/admin/v1/alerts/{name}/test",
            "testAlert",
            "Try the webhook of an alert",
        )
        .about(
            "It is told once, with `\"state\": \"test\"`. What it makes of that is the answer, and no error. 400 \
             `invalid_request` where the rule has no webhook.",
        )
        .answers::<AlertDelivery>("What came of it."),
    ];
    all.into_iter()
        .map(|endpoint| endpoint.tag(ALERTS).writes().operators().with(name()))
        .collect()
}

fn name() -> Parameter {
    parameters::name("name", "The alert's name.", "many-errors")
}
