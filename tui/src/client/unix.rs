//! The admin API over the gateway's unix socket. No credential is sent: the gateway asks the kernel who we are.

use std::{
    future::Future,
    io,
    path::{Path, PathBuf},
    pin::Pin,
    task::{Context, Poll},
};

use http::Uri;
use hyper_util::{
    client::legacy::connect::{Connected, Connection},
    rt::TokioIo,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::UnixStream,
};
use tower::Service;

use crate::client::{ClientError, admin_client::AdminClient};

/// Opens connections to one socket, whatever the request's address says.
#[derive(Debug, Clone)]
pub struct UnixConnector {
    path: PathBuf,
}

pub(super) fn client(path: &Path) -> Result<AdminClient<UnixConnector>, ClientError> {
    let connector = UnixConnector {
        path: path.to_path_buf(),
    };
    // `Host` must be present and is not used for anything.
    AdminClient::new(
        connector,
        "http://localhost",
        None,
        path.display().to_string(),
    )
}

impl Service<Uri> for UnixConnector {
    type Response = TokioIo<UnixConnection>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let path = self.path.clone();
        Box::pin(async move {
            let stream = UnixStream::connect(path).await?;
            Ok(TokioIo::new(UnixConnection(stream)))
        })
    }
}

/// A unix stream that hyper's client can pool.
#[derive(Debug)]
pub struct UnixConnection(UnixStream);

impl Connection for UnixConnection {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

// hyper asks `Connection` of the wrapped stream; only pass reads and writes on.
impl AsyncRead for UnixConnection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for UnixConnection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
