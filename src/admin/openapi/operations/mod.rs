//! Every endpoint of the admin API, in the order in which the document tells them.

mod accounts;
mod alerts;
mod configuration;
mod logs;
mod passing;
mod running;
mod serving;
mod watching;

use super::endpoint::Endpoint;

pub(in crate::admin) fn all() -> Vec<Endpoint> {
    [
        watching::endpoints(),
        logs::endpoints(),
        accounts::endpoints(),
        serving::endpoints(),
        passing::endpoints(),
        configuration::endpoints(),
        running::endpoints(),
        alerts::endpoints(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
