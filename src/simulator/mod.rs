//! `ferrogate mock`: a provider to play against.
//!
//! It speaks the APIs of OpenAI, Azure, Anthropic and Google, streaming too, with answers that follow from the
//! request, at any pace, and with any fault a provider can have. It holds requests to each provider's rules, and
//! tells what it understood of them.
//!
//! The demo, the tests and the benchmark use it. It imports nothing of the gateway but names and background tasks,
//! so that it can judge it, and it is cheap enough not to be what a benchmark measures.

pub mod answers;
pub mod breaking;
pub mod calls;
pub mod connection;
pub mod credentials;
pub mod dialects;
pub mod echo;
pub mod errors;
pub mod faults;
pub mod heard;
pub mod memory;
pub mod playback;
pub mod record;
pub mod reply;
pub mod route;
pub mod schema;
pub mod state;
pub mod stats;
#[cfg(test)]
mod tests;
pub mod tokens;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use self::{
    answers::Answers, connection::Shared, credentials::Credentials, faults::Directive,
    memory::Memory, stats::Stats,
};
use crate::tasks::Tasks;

/// Connections the system may hold for us before we accept them: a benchmark opens hundreds at once.
const BACKLOG: u32 = 4096;

/// The pause after a failed accept, which usually means that the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How a simulator behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// For every request; its own directive has the last word.
    pub directive: Directive,
    /// What random usage follows from, together with the call's number.
    pub seed: u64,
    /// How many of the last calls `GET /sim/calls` shows; 0 saves the work of keeping them.
    pub recent_calls_max: usize,
    /// `GET /sim/calls` shows the requests' bodies too, up to a bound.
    pub keeps_bodies: bool,
    /// How many of the last responses are kept for `GET /v1/responses/{id}` and `previous_response_id`.
    pub responses_max: usize,
    /// Which API keys are let in; without any, all are.
    pub credentials: Credentials,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            directive: Directive::default(),
            seed: 0,
            recent_calls_max: 256,
            keeps_bodies: false,
            responses_max: 256,
            credentials: Credentials::default(),
        }
    }
}

/// A provider that is bound to its address and not serving yet.
#[derive(Debug)]
pub struct Simulator {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Simulator {
    /// Listens on `address`; port 0 asks for a free one. Call it inside a tokio runtime.
    ///
    /// # Errors
    /// The operating system's, when the address cannot be had.
    pub fn bind(address: SocketAddr, options: Options) -> io::Result<Self> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let listener = socket.listen(BACKLOG)?;
        Ok(Self {
            address: listener.local_addr()?,
            listener,
            shared: Arc::new(Shared {
                answers: Answers::new(
                    options.directive,
                    options.seed,
                    Memory::new(options.responses_max),
                ),
                stats: Stats::new(options.recent_calls_max),
                credentials: options.credentials,
                keeps_bodies: options.keeps_bodies,
            }),
        })
    }

    /// Where it listens, with the port that was really bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `tasks` is told to stop; then every connection is dropped where it stands.
    pub async fn serve(self, tasks: Tasks) {
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = tasks.stopping() => return,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let serving =
                        serve_connection(stream, peer, self.shared.clone(), tasks.clone());
                    drop(tasks.spawn("simulator-connection", serving));
                }
                Err(error) => {
                    tracing::warn!(%error, "the simulator could not accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

async fn serve_connection(stream: TcpStream, peer: SocketAddr, shared: Arc<Shared>, tasks: Tasks) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection was gone before it was served");
        return;
    }
    let service = service_fn(|request| connection::answer(shared.clone(), peer, request));
    let mut builder = auto::Builder::new(Executor(tasks.clone()));
    builder.http1().timer(TokioTimer::new());
    builder.http2().timer(TokioTimer::new());
    let serving = builder.serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // A client that hangs up, and a cut that was asked for, end here too: the statistics know.
        ended = serving => if let Err(error) = ended {
            tracing::debug!(error, "a connection ended early");
        },
        () = tasks.stopping() => {}
    }
}

/// Runs the streams of HTTP/2 connections as tasks of ours.
#[derive(Clone)]
struct Executor(Tasks);

impl<F> hyper::rt::Executor<F> for Executor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, work: F) {
        drop(self.0.spawn("simulator-stream", work));
    }
}
