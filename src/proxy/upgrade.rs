//! Connections to servers for requests that ask for an upgrade, such as a WebSocket.
//!
//! Pingora passes the end of a request's (empty) body through a channel while it already waits for the answer. Where a
//! server agrees so quickly that the 101 is read first, it takes that end for the end of the whole conversation and
//! hangs up: about one upgrade in three hundred to a server on the same host. So here the first read after a write
//! gives way once, and what is in the channel is seen first.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use async_trait::async_trait;
use pingora::{
    Error, ErrorType,
    connectors::L4Connect,
    protocols::l4::{
        socket::SocketAddr,
        stream::Stream,
        virt::{VirtualSockOpt, VirtualSocket, VirtualSocketStream},
    },
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// Tells these connections apart from those that are kept for ordinary requests, which do not give way.
pub(super) const GROUP_KEY: u64 = 1;

/// Makes connections whose reads give way.
#[derive(Debug)]
pub(super) struct ConnectForUpgrade {
    pub(super) time_limit: Duration,
}

#[async_trait]
impl L4Connect for ConnectForUpgrade {
    async fn connect(&self, address: &SocketAddr) -> pingora::Result<Stream> {
        let address = address.as_inet().ok_or_else(|| {
            Error::explain(
                ErrorType::ConnectError,
                "servers of a pool have IP addresses",
            )
        })?;
        let connecting = tokio::time::timeout(self.time_limit, TcpStream::connect(address));
        let stream = match connecting.await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(refused(error)),
            Err(error) => {
                let context = "no connection for an upgrade in time";
                return Err(Error::because(ErrorType::ConnectTimedout, context, error));
            }
        };
        let socket = GivingWay {
            stream,
            gives_way: false,
        };
        Ok(VirtualSocketStream::new(Box::new(socket)).into())
    }
}

fn refused(error: io::Error) -> Box<Error> {
    let kind = match error.kind() {
        io::ErrorKind::ConnectionRefused => ErrorType::ConnectRefused,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            ErrorType::ConnectNoRoute
        }
        _ => ErrorType::ConnectError,
    };
    Error::because(kind, "no connection for an upgrade", error)
}

#[derive(Debug)]
struct GivingWay {
    stream: TcpStream,
    gives_way: bool,
}

impl AsyncRead for GivingWay {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if std::mem::take(&mut self.gives_way) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for GivingWay {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes));
        self.gives_way = true;
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl VirtualSocket for GivingWay {
    fn set_socket_option(&self, option: VirtualSockOpt) -> io::Result<()> {
        match option {
            VirtualSockOpt::NoDelay => self.stream.set_nodelay(true),
            // Pools set nothing else on their connections.
            _ => Ok(()),
        }
    }
}
