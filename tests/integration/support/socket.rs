//! Sockets without HTTP, for what a well-behaved client or server never does.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::within;

/// Between two bytes of [`Socket::trickle`].
const TRICKLE: Duration = Duration::from_millis(100);

/// One end of a connection.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    /// Read and not yet asked for.
    unread: Vec<u8>,
}

/// A server that does what its test writes.
#[derive(Debug)]
pub(crate) struct Listener(TcpListener);

impl Socket {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        Self::new(stream)
    }

    fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            unread: Vec::new(),
        }
    }

    pub(crate) async fn send(&mut self, text: impl AsRef<[u8]>) {
        self.try_send(text).await.unwrap();
    }

    /// An error means that the other end has closed.
    pub(crate) async fn try_send(&mut self, text: impl AsRef<[u8]>) -> std::io::Result<()> {
        within("a write", self.stream.write_all(text.as_ref())).await
    }

    /// Sends a byte at a time until all is sent or the other end has closed, and says how many bytes that were.
    pub(crate) async fn trickle(&mut self, text: &str) -> usize {
        for (sent, byte) in text.bytes().enumerate() {
            if self.try_send([byte]).await.is_err() {
                return sent;
            }
            // Waiting for the end sets the pace, and notices it at once.
            let listening = self.read_more();
            if let Ok(0) = tokio::time::timeout(TRICKLE, listening).await {
                return sent + 1;
            }
        }
        text.len()
    }

    /// One server-sent event as one chunk of a chunked body.
    pub(crate) async fn send_chunk(&mut self, text: &str) {
        self.send(format!("{:x}\r\n{text}\r\n", text.len())).await;
    }

    /// What comes up to `mark`, with it.
    pub(crate) async fn read_until(&mut self, mark: &str) -> String {
        let mark = mark.as_bytes();
        loop {
            let found = self.unread.windows(mark.len()).position(|at| at == mark);
            if let Some(start) = found {
                let read = self.unread.drain(..start + mark.len()).collect();
                return String::from_utf8(read).unwrap();
            }
            let seen = String::from_utf8_lossy(&self.unread).into_owned();
            assert!(
                self.read_more().await > 0,
                "closed before {mark:?} in {seen}"
            );
        }
    }

    /// The head of a request or an answer.
    pub(crate) async fn read_head(&mut self) -> String {
        self.read_until("\r\n\r\n").await
    }

    /// A whole request or answer: its head and as much as `content-length` announces.
    pub(crate) async fn read_message(&mut self) -> (String, String) {
        let head = self.read_head().await;
        let announced = head.to_lowercase().lines().find_map(|line| {
            let length = line.strip_prefix("content-length:")?;
            Some(length.trim().parse::<usize>().unwrap())
        });
        let length = announced.unwrap_or_default();
        while self.unread.len() < length {
            assert!(self.read_more().await > 0, "closed within a body");
        }
        let body = self.unread.drain(..length).collect();
        (head, String::from_utf8(body).unwrap())
    }

    /// Everything until the other end closes; a reset is an end too.
    pub(crate) async fn read_to_end(&mut self) -> String {
        while self.read_more().await > 0 {}
        String::from_utf8(std::mem::take(&mut self.unread)).unwrap()
    }

    async fn read_more(&mut self) -> usize {
        let reading = self.stream.read_buf(&mut self.unread);
        within("a read", reading).await.unwrap_or_default()
    }
}

impl Listener {
    pub(crate) async fn open() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    pub(crate) async fn accept(&self) -> Socket {
        let (stream, _) = within("a connection", self.0.accept()).await.unwrap();
        Socket::new(stream)
    }

    /// The same for a server that does not know whether anybody will come.
    pub(crate) async fn accept_whenever(&self) -> Socket {
        Socket::new(self.0.accept().await.unwrap().0)
    }

    /// The listener itself, for a server that speaks a protocol of its own.
    pub(crate) async fn accept_stream(&self) -> TcpStream {
        within("a connection", self.0.accept()).await.unwrap().0
    }
}
