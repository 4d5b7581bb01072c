//! A lean HTTP/1.1 client for the load generator: prebuilt request bytes, one keep-alive connection, no pooling.
//!
//! It does as little as it can per request, because it shares the machine with what it measures.

use std::{io, time::Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::dialect::Dialect;

/// No answer to the benchmark has more headers.
const HEADERS_MAX: usize = 64;

/// Nor a longer head, or a longer chunk.
const UNPARSED_BYTES_MAX: usize = 1 << 20;

/// One connection, over TCP or a unix socket.
#[derive(Debug)]
pub(super) struct Connection<S> {
    stream: S,
    /// What is spoken over it: what content looks like.
    dialect: Dialect,
    /// What has arrived and is not parsed yet.
    unparsed: Vec<u8>,
    body: Vec<u8>,
}

/// What came back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// When the first content of a stream was there.
    pub(super) first_content: Option<Instant>,
}

/// Why an exchange failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    #[error("the request could not be sent")]
    Send(#[source] io::Error),
    #[error("the answer could not be read")]
    Receive(#[source] io::Error),
    #[error("the connection was closed before the answer was complete")]
    Closed,
    #[error("the answer is no valid HTTP")]
    Syntax(#[source] httparse::Error),
    #[error("the answer has neither a length nor chunks")]
    Framing,
}

/// How the end of a body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// So many bytes are still to come.
    Length(usize),
    Chunked,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(super) fn new(stream: S, dialect: Dialect) -> Self {
        Self {
            stream,
            dialect,
            unparsed: Vec::with_capacity(16 * 1024),
            body: Vec::new(),
        }
    }

    /// Sends `request` and reads the whole answer, whose body is then [`Connection::body`].
    ///
    /// # Errors
    /// When the connection breaks or the answer is no HTTP.
    pub(super) async fn exchange(&mut self, request: &[u8]) -> Result<Answer, ClientError> {
        self.answer(request, false).await
    }

    /// Sends `request` and reads until the first content of a stream is there, or to the end where none comes.
    /// The connection is then good for nothing but to be held and dropped.
    ///
    /// # Errors
    /// As [`Connection::exchange`].
    pub(super) async fn open_stream(&mut self, request: &[u8]) -> Result<Answer, ClientError> {
        self.answer(request, true).await
    }

    /// The body of the last answer, as far as it was read.
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    /// Whether that was a stream of so many events with content, to its proper end.
    ///
    /// # Errors
    /// What it was instead, in words.
    pub(super) fn check_stream(&self, content_events: usize) -> Result<(), String> {
        let found = self.dialect.content_events(&self.body);
        if found != content_events {
            return Err(format!(
                "a stream had {found} content events instead of {content_events}"
            ));
        }
        if !self.dialect.ends_well(&self.body) {
            return Err("a stream ended without its closing event".to_owned());
        }
        Ok(())
    }

    async fn answer(&mut self, request: &[u8], until_content: bool) -> Result<Answer, ClientError> {
        self.body.clear();
        self.stream
            .write_all(request)
            .await
            .map_err(ClientError::Send)?;
        let (status, mut framing) = self.read_head().await?;
        let mut answer = Answer {
            status,
            first_content: None,
        };
        loop {
            let complete = self.take_body(&mut framing)?;
            // Streams have content after a few hundred bytes; of whole answers nobody asks when it came.
            if answer.first_content.is_none()
                && framing == Framing::Chunked
                && self.dialect.has_content(&self.body)
            {
                answer.first_content = Some(Instant::now());
            }
            if complete || (until_content && answer.first_content.is_some()) {
                return Ok(answer);
            }
            self.receive().await?;
        }
    }

    async fn read_head(&mut self) -> Result<(u16, Framing), ClientError> {
        loop {
            if let Some((head_bytes, status, framing)) = parse_head(&self.unparsed)? {
                self.unparsed.drain(..head_bytes);
                return Ok((status, framing));
            }
            self.receive().await?;
        }
    }

    async fn receive(&mut self) -> Result<(), ClientError> {
        if self.unparsed.len() > UNPARSED_BYTES_MAX {
            return Err(ClientError::Syntax(httparse::Error::TooManyHeaders));
        }
        let received = self
            .stream
            .read_buf(&mut self.unparsed)
            .await
            .map_err(ClientError::Receive)?;
        if received == 0 {
            return Err(ClientError::Closed);
        }
        Ok(())
    }

    /// Moves what has arrived of the body over; `true` at its end.
    fn take_body(&mut self, framing: &mut Framing) -> Result<bool, ClientError> {
        match framing {
            Framing::Length(left) => {
                let taken = self.unparsed.len().min(*left);
                self.body.extend(self.unparsed.drain(..taken));
                *left -= taken;
                Ok(*left == 0)
            }
            Framing::Chunked => {
                let (parsed, complete) = take_chunks(&self.unparsed, &mut self.body)?;
                self.unparsed.drain(..parsed);
                Ok(complete)
            }
        }
    }
}

/// Length, status and framing of the head in `bytes`, once it is complete.
fn parse_head(bytes: &[u8]) -> Result<Option<(usize, u16, Framing)>, ClientError> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head_bytes) =
        response.parse(bytes).map_err(ClientError::Syntax)?
    else {
        return Ok(None);
    };
    let mut framing = None;
    for header in &*response.headers {
        if header.name.eq_ignore_ascii_case("transfer-encoding") {
            framing = Some(Framing::Chunked);
        } else if header.name.eq_ignore_ascii_case("content-length") {
            let length = std::str::from_utf8(header.value).ok();
            let length = length.and_then(|length| length.parse().ok());
            framing = framing.or(length.map(Framing::Length));
        }
    }
    let status = response.code.unwrap_or_default();
    let framing = framing.ok_or(ClientError::Framing)?;
    Ok(Some((head_bytes, status, framing)))
}

/// Appends the complete chunks of `bytes` to `body`: how many bytes that took, and whether the last one was among them.
fn take_chunks(bytes: &[u8], body: &mut Vec<u8>) -> Result<(usize, bool), ClientError> {
    let mut parsed = 0;
    loop {
        let rest = &bytes[parsed..];
        let size = httparse::parse_chunk_size(rest)
            .map_err(|_| ClientError::Syntax(httparse::Error::Token))?;
        let httparse::Status::Complete((start, size)) = size else {
            return Ok((parsed, false));
        };
        let size = usize::try_from(size).map_err(|_| ClientError::Framing)?;
        // Chunk and line end together: none is so large that half of it would matter.
        let end = start.saturating_add(size).saturating_add(2);
        let Some(chunk) = rest.get(start..end) else {
            return Ok((parsed, false));
        };
        body.extend_from_slice(&chunk[..size]);
        parsed += end;
        if size == 0 {
            return Ok((parsed, true));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    /// Answers every request with `pieces`, one write each.
    async fn against(pieces: &[&str]) -> (Result<Answer, ClientError>, String) {
        let (near, mut far) = duplex(64 * 1024);
        let mut connection = Connection::new(near, Dialect::Chat);
        let serve = async {
            let mut request = [0; 7];
            far.read_exact(&mut request).await.unwrap();
            for piece in pieces {
                far.write_all(piece.as_bytes()).await.unwrap();
                tokio::task::yield_now().await;
            }
            drop(far);
        };
        let (answer, ()) = tokio::join!(connection.exchange(b"request"), serve);
        let body = String::from_utf8(connection.body().to_vec()).unwrap();
        (answer, body)
    }

    #[tokio::test]
    async fn bodies_are_read_by_length_and_by_chunks() {
        let (answer, body) =
            against(&["HTTP/1.1 200 OK\r\ncontent-", "length: 5\r\n\r\nhel", "lo"]).await;
        assert_eq!((answer.unwrap().status, body.as_str()), (200, "hello"));
        let (answer, body) = against(&[
            "HTTP/1.1 429 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n",
            "2\r\nl",
            "o\r\n0\r\n",
            "\r\n",
        ])
        .await;
        assert_eq!((answer.unwrap().status, body.as_str()), (429, "hello"));
    }

    #[tokio::test]
    async fn the_first_content_is_not_the_role() {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let chunk = |data: &str| format!("{:x}\r\n{data}\r\n", data.len());
        let role = chunk("data: {\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}\n\n");
        let (answer, _) = against(&[head, &role, "0\r\n\r\n"]).await;
        assert!(answer.unwrap().first_content.is_none());
        let content = chunk("data: {\"delta\":{\"content\":\"a\"}}\n\n");
        let (answer, _) = against(&[head, &role, &content, "0\r\n\r\n"]).await;
        assert!(answer.unwrap().first_content.is_some());
    }

    #[tokio::test]
    async fn a_stream_is_whole_when_all_content_and_its_end_came() {
        let check = async |body: &str, expected: Result<(), &str>| {
            let (near, mut far) = duplex(64 * 1024);
            let mut connection = Connection::new(near, Dialect::Chat);
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            far.write_all(answer.as_bytes()).await.unwrap();
            connection.exchange(b"request").await.unwrap();
            let found = connection.check_stream(2);
            assert_eq!(found, expected.map_err(str::to_owned), "{body}");
        };
        let content = "data: {\"delta\":{\"content\":\"a\"}}\n\n";
        let done = "data: [DONE]\n\n";
        check(&format!("{content}{content}{done}"), Ok(())).await;
        check(
            &format!("{content}{done}"),
            Err("a stream had 1 content events instead of 2"),
        )
        .await;
        check(
            &format!("{content}{content}"),
            Err("a stream ended without its closing event"),
        )
        .await;
    }

    #[tokio::test]
    async fn what_breaks_off_or_is_no_http_is_an_error() {
        let cut = against(&["HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel"])
            .await
            .0;
        assert!(matches!(cut, Err(ClientError::Closed)));
        let endless = against(&["HTTP/1.1 200 OK\r\n\r\nhello"]).await.0;
        assert!(matches!(endless, Err(ClientError::Framing)));
        let nonsense = against(&["SSH-2.0-OpenSSH\r\n\r\n"]).await.0;
        assert!(matches!(nonsense, Err(ClientError::Syntax(_))));
    }
}
