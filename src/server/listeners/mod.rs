//! Sockets to listen on: bound by us before anything else starts, so that a taken port is an error at once and every
//! descriptor can be handed on.
//!
//! Pingora would wait half a minute for a taken port and then panic in a task; instead it finds its listeners in our
//! [`FdTable`]. The admin API has an accept loop of its own ([`HttpServer`]), since it needs unix peers' credentials.

mod http;
mod unix;

pub use http::HttpServer;
pub use unix::bind_unix;

use std::{
    io,
    net::{SocketAddr, TcpListener},
    os::fd::IntoRawFd,
    path::PathBuf,
    sync::Arc,
};

use parking_lot::Mutex;
use pingora::{
    listeners::{L4BufferSettings, ListenerConfig},
    server::{Fds, ListenFds},
    services::listening::Service,
};

/// Nothing is read ahead below HTTP: Pingora's parser and body reader have buffers of their own, and its default of
/// 64 KiB a connection would be most of the memory of an idle stream. Raise it (to 16 KiB) for TLS, which reads records.
const READ_BUFFER_BYTES: usize = 0;
/// Enough for headers and a short answer, which then leave in one write.
const WRITE_BUFFER_BYTES: usize = 4096;

/// Why a socket cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error(
        "{address} is in use: another process listens there; stop it, or set `{key}` to another address (port 0 takes any free one)"
    )]
    Taken {
        address: SocketAddr,
        key: &'static str,
    },
    #[error(
        "{address} may not be listened on: ports below 1024 need CAP_NET_BIND_SERVICE; set `{key}` to a higher port, or grant it"
    )]
    Denied {
        address: SocketAddr,
        key: &'static str,
    },
    #[error("cannot listen on {address}; check that this host has the address, or change `{key}`")]
    Bind {
        address: SocketAddr,
        key: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("the unix socket {path} is in use: another gateway answers there; stop it, or set `{key}` to another path", path = path.display())]
    SocketTaken { path: PathBuf, key: &'static str },
    #[error("{path} is no socket and is left alone; move it away, or set `{key}` to another path", path = path.display())]
    NotASocket { path: PathBuf, key: &'static str },
    #[error("cannot listen on the unix socket {path}; check that its folder exists and is writable, and that the path is under 108 bytes (`{key}`)", path = path.display())]
    BindSocket {
        path: PathBuf,
        key: &'static str,
        #[source]
        source: io::Error,
    },
}

/// Binds `address`, once and without waiting. `key` is the setting it came from, for the error.
///
/// # Errors
/// [`ListenError`], naming the address and what to do.
pub fn bind(address: SocketAddr, key: &'static str) -> Result<TcpListener, ListenError> {
    // The standard library sets SO_REUSEADDR, so connections of a predecessor in TIME_WAIT do not stand in the way.
    let bound = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    bound.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => ListenError::Taken { address, key },
        io::ErrorKind::PermissionDenied => ListenError::Denied { address, key },
        _ => ListenError::Bind {
            address,
            key,
            source,
        },
    })
}

/// The listening sockets that Pingora serves, by the address it knows them by.
#[derive(Clone)]
pub struct FdTable(ListenFds);

impl FdTable {
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Fds::new())))
    }

    /// Puts `listener` into the table and gives its address, port 0 resolved. Ownership of the descriptor passes to the
    /// service that is started with this table; until then it stays open, even if the table is dropped.
    ///
    /// # Errors
    /// The operating system's, when it cannot tell the address.
    pub fn register(&self, listener: TcpListener) -> io::Result<SocketAddr> {
        let address = listener.local_addr()?;
        self.0
            .lock()
            .add(address.to_string(), listener.into_raw_fd());
        Ok(address)
    }

    /// What `Service::start_service` takes.
    pub fn fds(&self) -> ListenFds {
        Arc::clone(&self.0)
    }
}

impl Default for FdTable {
    fn default() -> Self {
        Self::new()
    }
}

/// A Pingora service for `app` on a registered address. Start it with [`FdTable::fds`].
pub fn service<A>(name: &str, app: A, address: SocketAddr) -> Service<A> {
    let mut service = Service::new(name.to_owned(), app);
    let buffers = L4BufferSettings::new(READ_BUFFER_BYTES, WRITE_BUFFER_BYTES);
    // The literal must be the table's key, or Pingora binds a socket of its own.
    service.add_listener(ListenerConfig::tcp(address.to_string()).l4_buffer(buffers));
    service
}

#[cfg(test)]
mod tests;
