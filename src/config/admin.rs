//! `[admin]`: where the admin API is served.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{reader::Section, storage::ListBounds, url};

/// What the unix socket is called, in the data directory.
pub const ADMIN_SOCKET: &str = "admin.sock";
/// The kernel's `sun_path` takes 108 bytes with the closing zero.
const SOCKET_PATH_BYTES_MAX: usize = 107;
const HOUR: Duration = Duration::from_secs(3600);

/// The admin API's listeners and bounds.
#[derive(Debug, Clone)]
pub struct Admin {
    /// `listen`; default `127.0.0.1:2019`. `"off"` serves it on the unix socket alone.
    pub listen: Option<SocketAddr>,
    /// `socket`; default `admin.sock` in the data directory. Who may connect is decided by the peer's uid.
    pub socket: PathBuf,
    /// `on_gateway`: also serve it on the gateway listener. Default: only while `listen` is a loopback address.
    pub on_gateway: bool,
    /// `body_max_bytes` of one admin request; default 1 MiB.
    pub body_max_bytes: u64,
    /// `list_default_limit`/`list_max_limit` are `[storage] admin_list_default_limit` and `admin_list_max_limit`.
    pub list_default_limit: u32,
    pub list_max_limit: u32,
    /// `connections_max` on each admin listener; further clients wait. Default 128.
    pub connections_max: usize,
    /// `event_buffer_max`: live events kept for one slow reader before some are skipped; default 4096.
    pub event_buffer_max: usize,
    /// `event_replay_max`: events kept for readers that come back, of rare ones and of others each; default 512.
    pub event_replay_max: usize,
    /// `events_per_second_max`: finished requests sent to one reader each second; default 200.
    pub events_per_second_max: u32,
    /// `event_readers_max`: concurrent readers of the live feed; default 32.
    pub event_readers_max: usize,
    /// `in_flight_list_max`: requests in flight listed at once; default 200.
    pub in_flight_list_max: usize,
    /// `requests_per_minute_max` of one caller: a key, or a user of this host. Default 6000.
    pub requests_per_minute_max: u32,
    /// `idempotency_retention_hours`: how long an answer stands for its `Idempotency-Key`; default 24.
    pub idempotency_retention: Duration,
    /// `idempotency_keys_max`: beyond so many the oldest answers are forgotten; default 10000.
    pub idempotency_keys_max: u64,
}

impl Admin {
    pub(super) const LATER: &'static [&'static str] = &[];

    pub(super) fn read(
        section: &mut Section<'_, '_>,
        gateway: SocketAddr,
        data_dir: &Path,
        lists: ListBounds,
    ) -> Self {
        Self {
            listen: read_listen(section, gateway),
            socket: read_socket(section, data_dir),
            on_gateway: read_on_gateway(section, gateway),
            body_max_bytes: section.number("body_max_bytes", 1 << 20, 1024..=64 << 20),
            list_default_limit: lists.default_limit,
            list_max_limit: lists.max_limit,
            connections_max: section.number("connections_max", 128, 1..=65_536),
            event_buffer_max: section.number("event_buffer_max", 4096, 16..=1 << 20),
            event_replay_max: section.number("event_replay_max", 512, 0..=65_536),
            events_per_second_max: section.number("events_per_second_max", 200, 1..=100_000),
            event_readers_max: section.number("event_readers_max", 32, 1..=1024),
            in_flight_list_max: section.number("in_flight_list_max", 200, 1..=10_000),
            requests_per_minute_max: section.number("requests_per_minute_max", 6000, 1..=1_000_000),
            idempotency_retention: HOUR
                * section.number("idempotency_retention_hours", 24_u32, 1..=24 * 366),
            idempotency_keys_max: section.number("idempotency_keys_max", 10_000, 1..=1 << 20),
        }
    }
}

fn read_listen(section: &mut Section<'_, '_>, gateway: SocketAddr) -> Option<SocketAddr> {
    let listen = section.parsed("listen", |text| match text {
        "off" => Ok(None),
        _ => url::socket_address(text)
            .map(Some)
            .map_err(|message| message + ", or `off`"),
    });
    let default = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 2019);
    let address = listen.unwrap_or(Some(default))?;
    let place = section.place_of("listen");
    if collide(address, gateway) {
        section.error(
            &place,
            format!("{address} is taken by the gateway's own `listen`"),
        );
    } else if !address.ip().is_loopback() {
        section.warn(
            &place,
            format!("{address} offers the admin API to other machines"),
        );
    }
    Some(address)
}

fn read_socket(section: &mut Section<'_, '_>, data_dir: &Path) -> PathBuf {
    let socket = section.parsed("socket", |text| match text {
        "" => Err("must not be empty".to_owned()),
        path => Ok(PathBuf::from(path)),
    });
    let socket = socket.unwrap_or_else(|| data_dir.join(ADMIN_SOCKET));
    let length = socket.as_os_str().len();
    if length > SOCKET_PATH_BYTES_MAX {
        let place = section.place_of("socket");
        section.error(
            &place,
            format!("the path has {length} bytes; a unix socket takes {SOCKET_PATH_BYTES_MAX}"),
        );
    }
    socket
}

fn read_on_gateway(section: &mut Section<'_, '_>, gateway: SocketAddr) -> bool {
    let loopback = gateway.ip().is_loopback();
    let on_gateway = section.flag("on_gateway", loopback);
    if on_gateway && !loopback {
        let place = section.place_of("on_gateway");
        section.warn(
            &place,
            format!("the admin API is served on the gateway's public address {gateway}"),
        );
    }
    on_gateway
}

/// Whether binding both addresses must fail.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let same_ip = one.ip() == other.ip();
    let covered = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && (same_ip || covered)
}
