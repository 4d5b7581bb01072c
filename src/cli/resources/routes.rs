//! `ferrogate routes`: which requests are passed on to which upstream.

use super::{
    fields::{Reads, field},
    kind::{Id, Kind, Resource},
};
use crate::cli::listing::column;

/// Routes of the reverse proxy.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Routes;

impl Resource for Routes {
    const KIND: &'static Kind = &Kind {
        noun: "route",
        path: "routes",
        id: Id::Field("name"),
        columns: &[
            column("NAME", "name"),
            column("ENABLED", "enabled"),
            column("HOSTS", "hosts"),
            column("PATHS", "path_prefixes"),
            column("UPSTREAM", "upstream"),
            column("PUBLIC", "public"),
            column("ORIGIN", "origin"),
        ],
        fields: &[
            field("name", "name", Reads::Text, "What it is called"),
            field("upstream", "upstream", Reads::Text, "Where its requests go"),
            field("hosts", "hosts", Reads::Texts, "The hosts it answers to"),
            field(
                "paths",
                "path_prefixes",
                Reads::Texts,
                "What the path begins with, such as /proxy",
            ),
            field(
                "strip-prefix",
                "strip_prefix",
                Reads::Text,
                "What is taken from the front of the path",
            ),
            field(
                "add-prefix",
                "add_prefix",
                Reads::Text,
                "What is then put in front of it",
            ),
            field(
                "public",
                "public",
                Reads::Switch,
                "Whether requests need no key",
            ),
        ],
        defaults: &[],
        secret_keys: &[],
    };
}
