//! `[cluster]`: who this node is, and what it shares with others.

use std::{path::PathBuf, time::Duration};

use super::{Secret, findings::Place, names, origins::Located, reader::Section, variables};

/// This node's identity, and where shared state is.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// `enabled`; default false: nothing is shared, whatever the rest says.
    pub enabled: bool,
    /// `cluster_id`: keeps clusters apart that use the same Redis; default `default`.
    pub cluster_id: String,
    /// `node_id`; default `auto`, which is here resolved to `FERROGATE_NODE_ID`, else `HOSTNAME`, else `ferrogate-<pid>`.
    pub node_id: String,
    pub node_region: Option<String>,
    pub node_zone: Option<String>,
    /// `state_backend`: where what the admin API changes is kept; default `local`.
    pub state_backend: StateBackend,
    /// `file_state_path`: there with [`StateBackend::File`].
    pub file_state_path: Option<PathBuf>,
    /// `counter_backend`: where limits and budgets are counted; default `local`.
    pub counter_backend: CounterBackend,
    /// `redis_url`, or what `redis_url_env` names: there with [`CounterBackend::Redis`] while enabled. It may hold a
    /// password.
    pub redis_url: Option<Secret>,
    /// `redis_connections` that are kept open; default 4.
    pub redis_connections: u32,
    /// `counter_timeout_millis` of one question to Redis; default 500.
    pub counter_timeout: Duration,
    /// `heartbeat_interval_secs`: how often the node shows that it lives; default 10.
    pub heartbeat_interval: Duration,
    /// `config_poll_interval_secs`: how often the shared file is looked at; default 5.
    pub config_poll_interval: Duration,
}

/// Where what the admin API changes is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateBackend {
    /// In this node's database.
    Local,
    /// In a file that all nodes read.
    File,
}

/// Where limits and budgets are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CounterBackend {
    /// By this node alone.
    Local,
    /// By all nodes together.
    Redis,
}

impl Cluster {
    pub(super) const LATER: &'static [&'static str] = &[];

    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        const HOUR: u64 = 3600;
        let enabled = section.flag("enabled", false);
        let state_backend =
            section.choice("state_backend", StateBackend::Local, &StateBackend::WORDS);
        let counter_backend = section.choice(
            "counter_backend",
            CounterBackend::Local,
            &CounterBackend::WORDS,
        );
        warn_if_idle(section, enabled);
        Self {
            enabled,
            cluster_id: read_id(section, "cluster_id").unwrap_or_else(|| "default".to_owned()),
            node_id: read_node_id(section, enabled && counter_backend == CounterBackend::Redis),
            node_region: read_id(section, "node_region"),
            node_zone: read_id(section, "node_zone"),
            state_backend,
            file_state_path: read_state_path(
                section,
                enabled && state_backend == StateBackend::File,
            ),
            counter_backend,
            redis_url: read_redis_url(section, enabled && counter_backend == CounterBackend::Redis),
            redis_connections: section.number("redis_connections", 4, 1..=256),
            counter_timeout: section.millis("counter_timeout_millis", 500, 1..=60_000),
            heartbeat_interval: section.seconds("heartbeat_interval_secs", 10, 1..=HOUR),
            config_poll_interval: section.seconds("config_poll_interval_secs", 5, 1..=HOUR),
        }
    }
}

impl StateBackend {
    const WORDS: [(&'static str, Self); 2] = [("local", Self::Local), ("file", Self::File)];
}

impl CounterBackend {
    const WORDS: [(&'static str, Self); 2] = [("local", Self::Local), ("redis", Self::Redis)];
}

/// Who chose a shared backend and forgot `enabled` would have limits for each node alone.
fn warn_if_idle(section: &mut Section<'_, '_>, enabled: bool) {
    for key in ["state_backend", "counter_backend"] {
        if !enabled && section.has(key) && !section.holds_text(key, "local") {
            let place = section.place_of(key);
            section.warn(&place, "has no effect while `enabled` is false");
        }
    }
}

fn read_id(section: &mut Section<'_, '_>, key: &'static str) -> Option<String> {
    section.parsed(key, |text| names::id(text).map(|id| id.as_ref().to_owned()))
}

fn read_node_id(section: &mut Section<'_, '_>, counts_in_redis: bool) -> String {
    let written = section.parsed("node_id", |text| match text {
        "auto" => Ok(None),
        text => names::id(text).map(|id| Some(id.as_ref().to_owned())),
    });
    if let Some(Some(id)) = written {
        return id;
    }
    if let Some(id) = section.variable("FERROGATE_NODE_ID") {
        let place = Place {
            key: "FERROGATE_NODE_ID".to_owned(),
            ..section.place_of("node_id")
        };
        section.accept(&place, names::id(&id));
        return id;
    }
    // Nobody chose it with us in mind, so one that cannot be a name is no mistake.
    let host = section.variable("HOSTNAME");
    if let Some(host) = host.filter(|host| names::id(host).is_ok()) {
        return host;
    }
    if counts_in_redis {
        let place = section.place_of("node_id");
        section.warn(
            &place,
            "is another one at every start, because FERROGATE_NODE_ID and HOSTNAME are not set; give the node a name that stays",
        );
    }
    format!("ferrogate-{}", std::process::id())
}

fn read_state_path(section: &mut Section<'_, '_>, required: bool) -> Option<PathBuf> {
    let path = section.parsed("file_state_path", |text| match text {
        "" => Err("must not be empty".to_owned()),
        path => Ok(PathBuf::from(path)),
    });
    if required && !section.has("file_state_path") {
        let place = section.place_of("file_state_path");
        section.absence(&place, "is missing, which `state_backend = \"file\"` needs");
    }
    path
}

fn read_redis_url(section: &mut Section<'_, '_>, required: bool) -> Option<Secret> {
    let inline = section.text("redis_url");
    let env = section.text("redis_url_env");
    if section.has("redis_url") && section.has("redis_url_env") {
        let place = section.place_of("redis_url_env");
        section.error(
            &place,
            "takes the place of `redis_url`; set only one of them",
        );
    }
    if required && !section.has("redis_url") && !section.has("redis_url_env") {
        let place = section.place_of("redis_url");
        section.absence(
            &place,
            "is missing, which `counter_backend = \"redis\"` needs; `redis_url_env` can name a variable with it",
        );
    }
    let (url, place) = match (inline, env) {
        (Some(text), _) => (text.value.to_owned(), text.place),
        (None, Some(text)) => (read_variable(section, &text, required)?, text.place),
        (None, None) => return None,
    };
    section.accept(&place, check_redis_url(&url))?;
    Some(Secret::new(url))
}

fn read_variable(
    section: &mut Section<'_, '_>,
    text: &Located<&str>,
    required: bool,
) -> Option<String> {
    section.accept(&text.place, variables::check_name(text.value))?;
    let value = section.variable(text.value);
    if value.is_none() && required {
        section.error(&text.place, variables::unset(text.value));
    }
    value
}

/// Says what is wrong without quoting any of it: there may be a password in it.
fn check_redis_url(text: &str) -> Result<(), String> {
    let rest = text
        .strip_prefix("redis://")
        .or_else(|| text.strip_prefix("rediss://"))
        .ok_or("must begin with `redis://` or `rediss://`")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !host.ends_with(']') => {
            port.parse::<u16>()
                .ok()
                .filter(|port| *port > 0)
                .ok_or("must have a port from 1 to 65535, or none")?;
            name
        }
        _ => host,
    };
    if name.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("must be like `redis://host:6379`, with a host and without spaces".to_owned());
    }
    Ok(())
}
