//! Time zones by their names in the IANA database.

use std::sync::Arc;

use jiff::tz::{self, TimeZone};

use super::nearest;

/// A time zone and its name.
#[derive(Debug, Clone)]
pub(super) struct Zone {
    pub(super) zone: TimeZone,
    pub(super) name: Arc<str>,
}

impl Zone {
    pub(super) fn utc() -> Self {
        Self {
            zone: TimeZone::UTC,
            name: "UTC".into(),
        }
    }

    pub(super) fn is_utc(&self) -> bool {
        self.zone == TimeZone::UTC
    }
}

/// A zone such as `Europe/Berlin`, in any case.
pub(super) fn parse(name: &str) -> Result<Zone, String> {
    let zone = tz::db().get(name).map_err(|_| unknown(name))?;
    let name = zone.iana_name().unwrap_or(name).into();
    Ok(Zone { zone, name })
}

fn unknown(name: &str) -> String {
    let names: Vec<_> = tz::db()
        .available()
        .map(|name| name.as_str().to_owned())
        .collect();
    let guess = nearest::suggestion(name, names.iter().map(String::as_str));
    let name = name.escape_debug();
    format!("there is no time zone `{name}`{guess}")
}
