//! Whether the gateway can listen where it is told to, or does so already.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use ferrogate_api::Status;

use super::check::Check;
use crate::config::Config;

/// Looks at each address that the configuration names. `running` is the gateway that was found to run with it.
pub(super) fn check(config: &Config, running: Option<&Status>) -> Vec<Check> {
    let held = |address: Option<&str>| address.and_then(|address| address.parse().ok());
    let mut checks = vec![one(
        "port of `listen`",
        config.listen,
        running.and_then(|status| held(Some(&status.listen))),
    )];
    if let Some(address) = config.admin.listen {
        checks.push(one(
            "port of `admin.listen`",
            address,
            running.and_then(|status| held(status.admin_listen.as_deref())),
        ));
    }
    checks
}

fn one(name: &str, address: SocketAddr, held: Option<SocketAddr>) -> Check {
    if let Some(held) = held
        && (held == address || (address.port() == 0 && held.ip() == address.ip()))
    {
        return Check::ok(name, format!("the running gateway listens on {held}"));
    }
    if address.port() == 0 {
        return Check::ok(name, format!("{address} takes any free port"));
    }
    // Bound and let go of at once. The standard library sets SO_REUSEADDR, as the gateway does.
    match TcpListener::bind(address) {
        Ok(_) => Check::ok(name, format!("{address} is free")),
        Err(error) => match error.kind() {
            io::ErrorKind::AddrInUse => Check::fail(
                name,
                format!("{address} is in use by another process"),
                format!(
                    "`ss -ltnp 'sport = :{}'` shows which; stop it, or choose another port",
                    address.port()
                ),
            ),
            io::ErrorKind::PermissionDenied => Check::warn(
                name,
                format!("{address} may not be listened on by this user"),
                "ports below 1024 need CAP_NET_BIND_SERVICE, which the packaged service has",
            ),
            io::ErrorKind::AddrNotAvailable => Check::fail(
                name,
                format!("this machine does not have the address {}", address.ip()),
                "choose one that `ip addr` shows, or 0.0.0.0",
            ),
            _ => Check::fail(
                name,
                format!("{address} cannot be listened on: {error}"),
                "choose another address",
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::State;
    use super::*;

    #[test]
    fn a_port_is_free_or_ours_or_somebody_elses() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let state = |address: SocketAddr, held: Option<SocketAddr>| one("x", address, held).state;
        assert_eq!(state(address, None), State::Fail);
        assert_eq!(state(address, Some(address)), State::Ok);
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        assert_eq!(state(any, Some(address)), State::Ok);
        assert_eq!(state(any, None), State::Ok);
        drop(taken);
        assert_eq!(state(address, None), State::Ok);
        // Reserved for documentation: nobody has it.
        let elsewhere: SocketAddr = "192.0.2.1:18080".parse().unwrap();
        assert_eq!(state(elsewhere, None), State::Fail);
    }
}
