//! What every client connection is held to before Pingora sees it.
//!
//! Caps, a deadline for headers, limits on idling and on clients that do not read. Pingora's own time limits are per
//! read, so one byte a second would satisfy them.
//!
//! ```text
//!  accepted ──▶ Head ──(headers complete)──▶ Body ──(answer written)──▶ Idle ──(first byte)──▶ Head
//!                 └──(HTTP/2 preface)──▶ Http2
//! ```
//! - Head: ends within `header_timeout` and `header_max_bytes`. It begins with the connection and not with its first
//!   byte, so that a silent client, or one that stops within the HTTP/2 preface, is closed too.
//! - Body: reading has no deadline here (see [`BodyPace`]); the answer may stream for an hour.
//! - Idle: between two requests, for `keepalive_timeout`.
//! - Http2: one state for the connection, whose streams come and go; idling is judged by Pingora's `h2_idle_timeout`,
//!   which counts streams. Set it to `keepalive_timeout`.
//! - In every state one write that makes no progress within `write_timeout` ends the connection.
//!
//! Only the proxy knows when headers end and an answer is written; it says so with [`set_state`].

mod body_pace;
mod connections;
mod stream;

pub use body_pace::BodyPace;
pub use connections::{Connections, Slot};
pub use stream::{Guarded, State, set_kill_switch, set_state};

use std::{net::IpAddr, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt;
use pingora::{
    apps::ServerApp,
    http::RequestHeader,
    protocols::{ALPN, Stream},
    server::ShutdownWatch,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::config::Limits;
use crate::error::{ErrorKind, RequestError};

use super::respond;

/// A Pingora application whose connections are guarded.
#[derive(Debug)]
pub struct GuardedApp<A> {
    app: Arc<A>,
    limits: Arc<Limits>,
    connections: Arc<Connections>,
    refusals: Arc<Refusals>,
}

/// Answers given below HTTP, prepared once: whoever floods us must not make us format JSON.
#[derive(Debug)]
struct Refusals {
    too_many_connections: Bytes,
    header_too_large: Bytes,
}

impl<A> GuardedApp<A> {
    pub fn new(app: A, limits: Arc<Limits>, connections: Arc<Connections>) -> Self {
        let refusals = Arc::new(Refusals {
            too_many_connections: respond::http1_answer(&too_many_connections()),
            header_too_large: respond::http1_answer(&header_too_large(&limits)),
        });
        Self {
            app: Arc::new(app),
            limits,
            connections,
            refusals,
        }
    }
}

#[async_trait]
impl<A: ServerApp + Send + Sync + 'static> ServerApp for GuardedApp<A> {
    async fn process_new(
        self: &Arc<Self>,
        stream: Stream,
        shutdown: &ShutdownWatch,
    ) -> Option<Stream> {
        let Some(slot) = self.connections.admit(client_ip(&stream)) else {
            refuse(stream, &self.refusals.too_many_connections);
            return None;
        };
        let guarded = Guarded::new(
            stream,
            Arc::clone(&self.limits),
            Arc::clone(&self.refusals),
            slot,
        );
        self.app.process_new(Box::new(guarded), shutdown).await
    }

    async fn cleanup(&self) {
        self.app.cleanup().await;
    }
}

/// Refuses a request whose headers are over `header_max_bytes`.
///
/// The stream enforces the same limit on what arrives in pieces; this catches headers that came in one read, and
/// HTTP/2, whose headers the stream cannot see.
///
/// # Errors
/// [`ErrorKind::HeaderTooLarge`].
pub fn check_header_size(request: &RequestHeader, limits: &Limits) -> Result<(), RequestError> {
    // Per line: the colon, a space and the line's end; per request line: two spaces and the version.
    let lines: usize = request
        .headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum();
    let request_line = request.method.as_str().len() + request.raw_path().len() + 12;
    if lines + request_line > limits.header_max_bytes {
        return Err(header_too_large(limits));
    }
    Ok(())
}

/// The address of the other end of `stream`; `None` on a unix socket.
fn client_ip(stream: &Stream) -> Option<IpAddr> {
    let digest = stream.get_socket_digest()?;
    Some(digest.peer_addr()?.as_inet()?.ip())
}

/// Answers and closes without waiting for anything: a fresh connection's send buffer has room, and whatever the client
/// has sent already is read first, because closing over unread bytes would reset the connection and could take the
/// answer with it. An HTTP/2 client gets the close alone.
fn refuse(mut stream: Stream, answer: &[u8]) {
    if matches!(stream.selected_alpn_proto(), Some(ALPN::H2)) {
        return;
    }
    let mut unread = [0; 4096];
    let answered = async {
        stream.write_all(answer).await?;
        stream.flush().await
    }
    .now_or_never();
    let read = stream.read(&mut unread).now_or_never();
    tracing::trace!(
        ?answered,
        ?read,
        "a connection was refused: too many are open"
    );
}

fn too_many_connections() -> RequestError {
    RequestError::new(
        ErrorKind::TooManyConnections,
        "Too many connections are open to this gateway, in all or from this address. Reuse connections, or ask its \
         operator to raise `[limits] connections_max` or `connections_per_address_max`.",
    )
}

fn header_too_large(limits: &Limits) -> RequestError {
    RequestError::new(
        ErrorKind::HeaderTooLarge,
        format!(
            "The request line and headers are over {} bytes. Send less, or raise `[limits] header_max_bytes`.",
            limits.header_max_bytes
        ),
    )
}

#[cfg(test)]
mod tests;
