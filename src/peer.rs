//! Who is at the other end of an accepted connection, in the operating system's words.
//!
//! Not who the caller claims to be: headers play no part here.

use std::net::SocketAddr;

/// The far end of one connection. The admin listeners put it into every request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerIdentity {
    /// A process on this host, by the user it ran as when it connected.
    Unix {
        uid: u32,
    },
    Tcp(SocketAddr),
    /// A client of the gateway's own listener, where the admin API is served there too.
    Gateway(SocketAddr),
}
