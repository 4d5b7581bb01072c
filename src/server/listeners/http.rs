//! The accept loop of the admin listeners: an axum router over HTTP/1.1, on TCP or a unix socket.
//!
//! HTTP/1.1 alone, by choice: the console, `curl` and Prometheus speak it, and looking for HTTP/2 would mean waiting for
//! a preface without a time limit. A connection waits for its request no longer than `header_timeout`, first or later.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use axum::Router;
use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    sync::Semaphore,
};
use tower::ServiceExt;

use crate::peer::PeerIdentity;
use crate::tasks::Tasks;

/// After a failed `accept`: out of file descriptors, most likely, and asking again at once would fail the same way.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How an axum router is served. Every request carries its [`PeerIdentity`] as an extension.
#[derive(Debug, Clone)]
pub struct HttpServer {
    pub router: Router,
    pub header_timeout: Duration,
    pub header_max_bytes: usize,
    /// Further clients wait in the operating system's queue.
    pub connections_max: usize,
    /// After the stop, how long requests in flight may take. Streams should end by themselves when told to stop.
    pub drain_timeout: Duration,
    pub tasks: Tasks,
}

impl HttpServer {
    /// Serves a TCP listener until the process stops. Connections end with their answer in flight, which says
    /// `connection: close`, or at once where they are idle.
    ///
    /// # Errors
    /// When the listener cannot be used on this runtime.
    pub async fn serve_tcp(self, listener: std::net::TcpListener) -> io::Result<()> {
        self.accept(TcpListener::from_std(listener)?).await;
        Ok(())
    }

    /// Serves a unix socket until the process stops.
    ///
    /// # Errors
    /// When the listener cannot be used on this runtime.
    pub async fn serve_unix(self, listener: std::os::unix::net::UnixListener) -> io::Result<()> {
        self.accept(UnixListener::from_std(listener)?).await;
        Ok(())
    }

    async fn accept(self, listener: impl Listener) {
        let places = Arc::new(Semaphore::new(self.connections_max));
        loop {
            let accepted = async {
                // The semaphore is never closed.
                let place = Arc::clone(&places)
                    .acquire_owned()
                    .await
                    .map_err(io::Error::other)?;
                Ok::<_, io::Error>((place, listener.next().await?))
            };
            let (place, (stream, peer)) = tokio::select! {
                accepted = accepted => match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        tracing::warn!(%error, "an admin connection could not be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                },
                () = self.tasks.stopping() => return,
            };
            let connection = self.clone().connection(stream, peer);
            self.tasks.spawn("admin-connection", async move {
                connection.await;
                drop(place);
            });
        }
    }

    async fn connection<S>(self, stream: S, peer: PeerIdentity)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let router = self.router;
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            let router = router.clone();
            async move {
                Ok::<_, Infallible>(
                    router
                        .oneshot(request)
                        .await
                        .unwrap_or_else(|never| match never {}),
                )
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.header_timeout)
            // hyper's least is 8 KiB.
            .max_buf_size(self.header_max_bytes.max(8 * 1024))
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let served = tokio::select! {
            // The stop first: an answer that becomes ready in the same moment must still say `connection: close`.
            biased;
            () = self.tasks.stopping() => {
                connection.as_mut().graceful_shutdown();
                match tokio::time::timeout(self.drain_timeout, connection).await {
                    Ok(served) => served,
                    Err(_) => return,
                }
            }
            served = connection.as_mut() => served,
        };
        if let Err(error) = served {
            tracing::debug!(%error, ?peer, "an admin connection ended early");
        }
    }
}

/// What the accept loop needs of a listener.
trait Listener: Send + Sync {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    fn next(&self) -> impl Future<Output = io::Result<(Self::Stream, PeerIdentity)>> + Send;
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn next(&self) -> io::Result<(TcpStream, PeerIdentity)> {
        let (stream, address) = self.accept().await?;
        stream.set_nodelay(true)?;
        Ok((stream, PeerIdentity::Tcp(address)))
    }
}

impl Listener for UnixListener {
    type Stream = UnixStream;

    async fn next(&self) -> io::Result<(UnixStream, PeerIdentity)> {
        let (stream, _) = self.accept().await?;
        let uid = stream.peer_cred()?.uid();
        Ok((stream, PeerIdentity::Unix { uid }))
    }
}
