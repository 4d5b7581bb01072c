//! A connection to a provider that sends head and body of a request together.
//!
//! Pingora writes and flushes them one after the other: two system calls, two packets, and a provider that is woken
//! twice. While a [`Corked`] stream is corked, flushes are put off; when it is uncorked the next one sends everything.

use std::{
    fmt, io,
    pin::Pin,
    sync::atomic::{AtomicBool, Ordering},
    task::{Context, Poll, ready},
};

use async_trait::async_trait;
use bytes::{Buf, BytesMut};
use pingora::protocols::{Peek, Shutdown, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::stream_facts::pass_on_stream_facts;

/// A stream whose flushes can be put off. Reading is untouched.
pub(super) struct Corked {
    inner: Stream,
    /// Written and not yet handed to `inner`; empty but for the time between cork and flush.
    pending: BytesMut,
    corked: AtomicBool,
}

impl Corked {
    /// `stream`, corkable; as it is when it is that already.
    pub(super) fn around(stream: Stream) -> Stream {
        if (*stream).as_any().is::<Self>() {
            return stream;
        }
        Box::new(Self {
            inner: stream,
            pending: BytesMut::new(),
            corked: AtomicBool::new(false),
        })
    }

    /// Corks or uncorks `stream`, if it can be.
    pub(super) fn set(stream: &Stream, corked: bool) {
        if let Some(stream) = (**stream).as_any().downcast_ref::<Self>() {
            stream.corked.store(corked, Ordering::Relaxed);
        }
    }

    /// Hands over everything that is pending.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.pending.is_empty() {
            let written = ready!(Pin::new(&mut *self.inner).poll_write(cx, &self.pending))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.pending.advance(written);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Corked {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for Corked {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let corked = self.corked.load(Ordering::Relaxed);
        if corked || !self.pending.is_empty() {
            // Bounded by one request's head and the body that follows it, which is in memory anyway.
            self.pending.extend_from_slice(buf);
            return Poll::Ready(Ok(buf.len()));
        }
        Pin::new(&mut *self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.corked.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut *self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.inner).poll_shutdown(cx)
    }
}

impl fmt::Debug for Corked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Corked")
            .field("inner", &self.inner)
            .field("pending", &self.pending.len())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Shutdown for Corked {
    async fn shutdown(&mut self) {
        Shutdown::shutdown(&mut *self.inner).await;
    }
}

#[async_trait]
impl Peek for Corked {
    async fn try_peek(&mut self, buf: &mut [u8]) -> io::Result<bool> {
        self.inner.try_peek(buf).await
    }
}

pass_on_stream_facts!(Corked);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn what_is_written_while_corked_leaves_in_one_piece_with_what_follows() {
        let (near, mut far) = tokio::io::duplex(1024);
        let mut stream = Corked::around(Box::new(near));
        Corked::set(&stream, true);
        stream.write_all(b"head").await.unwrap();
        stream.flush().await.unwrap();
        let mut seen = [0; 16];
        let early = futures_util::FutureExt::now_or_never(far.read(&mut seen));
        assert!(early.is_none(), "nothing leaves while corked");
        Corked::set(&stream, false);
        stream.write_all(b"body").await.unwrap();
        stream.flush().await.unwrap();
        let read = far.read(&mut seen).await.unwrap();
        assert_eq!(&seen[..read], b"headbody");
        stream.write_all(b"more").await.unwrap();
        let read = far.read(&mut seen).await.unwrap();
        assert_eq!(&seen[..read], b"more", "uncorked, it holds nothing back");
    }

    #[test]
    fn a_corked_stream_is_not_wrapped_twice() {
        let (near, _far) = tokio::io::duplex(16);
        let stream = Corked::around(Corked::around(Box::new(near)));
        let corked = (*stream).as_any().downcast_ref::<Corked>().unwrap();
        assert!(!(*corked.inner).as_any().is::<Corked>());
    }
}
