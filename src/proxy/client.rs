//! A client of the AI path, over Pingora's session.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, StatusCode, Version, header};
use pingora::{http::ResponseHeader, proxy::Session};

use crate::ai::client::{Client, ClientGone};
use crate::config::Limits;
use crate::error::{ErrorKind, RequestError};
use crate::ids::RequestId;

use super::context::Identity;
use super::guard::BodyPace;

/// One session for as long as its request is an AI request.
pub(super) struct SessionClient<'s> {
    session: &'s mut Session,
    limits: &'s Limits,
    request_id: RequestId,
    /// Headers that every answer of this request carries.
    common: HeaderMap,
    pub(super) status_sent: Option<u16>,
    pub(super) bytes_sent: u64,
}

impl<'s> SessionClient<'s> {
    pub(super) fn new(session: &'s mut Session, limits: &'s Limits, identity: &Identity) -> Self {
        Self {
            session,
            limits,
            request_id: identity.request_id,
            common: identity.headers(),
            status_sent: None,
            bytes_sent: 0,
        }
    }

    /// The other end of the connection.
    pub(super) fn peer(&self) -> Option<SocketAddr> {
        let address = self.session.client_addr()?;
        address.as_inet().copied()
    }

    /// The request without its body.
    pub(super) fn request_head(&self) -> http::request::Parts {
        let mut head = self.session.req_header().as_owned_parts();
        head.extensions.insert(self.request_id);
        head
    }

    fn header_number(&self, name: header::HeaderName) -> Option<u64> {
        self.headers().get(name)?.to_str().ok()?.parse().ok()
    }

    async fn read_piece(&mut self, pace: &BodyPace) -> Result<Option<Bytes>, RequestError> {
        let reading = self.session.downstream_session.read_request_body();
        let read = match pace.deadline(self.limits) {
            Some(deadline) => tokio::time::timeout_at(deadline, reading)
                .await
                .map_err(|_| pace.too_slow(self.limits))?,
            None => reading.await,
        };
        read.map_err(|error| {
            tracing::debug!(%error, "a request body broke off");
            RequestError::new(
                ErrorKind::ClientClosedRequest,
                "The request body broke off before it was complete.",
            )
        })
    }
}

impl Client for SessionClient<'_> {
    fn headers(&self) -> &HeaderMap {
        &self.session.req_header().headers
    }

    fn query(&self) -> Option<&str> {
        self.session.req_header().uri.query()
    }

    async fn read_body(&mut self, max_bytes: u64) -> Result<Bytes, RequestError> {
        let announced = self.header_number(header::CONTENT_LENGTH);
        if announced.is_some_and(|bytes| bytes > max_bytes) {
            return Err(too_large(max_bytes));
        }
        let expects_continue = self
            .headers()
            .get(header::EXPECT)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
        if expects_continue {
            // Only now: whoever is refused from the headers alone never sends the body.
            self.session
                .downstream_session
                .write_continue_response()
                .await
                .map_err(|_| RequestError::client_gone())?;
        }
        let mut pace = BodyPace::whole();
        let Some(first) = self.read_piece(&pace).await? else {
            return Ok(Bytes::new());
        };
        pace.add(first.len());
        if announced == Some(pace.bytes()) {
            // The usual case: it all came at once and need not be copied.
            return Ok(first);
        }
        // Room for all that was announced, which is within the limit: growing step by step would copy it over and over.
        let capacity = announced.and_then(|bytes| usize::try_from(bytes).ok());
        let mut body = BytesMut::with_capacity(capacity.unwrap_or_default().max(first.len()));
        body.extend_from_slice(&first);
        while let Some(piece) = self.read_piece(&pace).await? {
            pace.add(piece.len());
            if pace.bytes() > max_bytes {
                return Err(too_large(max_bytes));
            }
            body.extend_from_slice(&piece);
        }
        Ok(body.freeze())
    }

    async fn send_head(
        &mut self,
        status: u16,
        mut headers: HeaderMap,
        content_length: Option<usize>,
    ) -> Result<(), ClientGone> {
        headers.extend(std::mem::take(&mut self.common));
        match content_length {
            Some(length) => {
                headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
            }
            None if self.session.req_header().version == Version::HTTP_11 => {
                let chunked = HeaderValue::from_static("chunked");
                headers.insert(header::TRANSFER_ENCODING, chunked);
            }
            // HTTP/2 frames its own bodies; HTTP/1.0 ends them with the connection.
            None => {}
        }
        let (mut head, ()) = http::Response::new(()).into_parts();
        head.status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
        head.headers = headers;
        self.session
            .downstream_session
            .write_response_header(Box::new(ResponseHeader::from(head)))
            .await
            .map_err(|_| ClientGone)?;
        self.status_sent = Some(status);
        Ok(())
    }

    async fn send(&mut self, piece: Bytes, last: bool) -> Result<(), ClientGone> {
        let bytes = piece.len();
        if bytes > 0 || !last {
            self.session
                .downstream_session
                .write_response_body(piece, last)
                .await
                .map_err(|_| ClientGone)?;
        }
        if last {
            self.session
                .downstream_session
                .finish_body()
                .await
                .map_err(|_| ClientGone)?;
        }
        self.bytes_sent += u64::try_from(bytes).unwrap_or_default();
        Ok(())
    }

    async fn gone(&mut self) {
        // With pipelining switched on, bytes of a next request are kept for it; only a closed connection ends this.
        while self
            .session
            .downstream_session
            .read_body_or_idle(true)
            .await
            .is_ok()
        {}
    }
}

fn too_large(max_bytes: u64) -> RequestError {
    RequestError::new(
        ErrorKind::PayloadTooLarge,
        format!(
            "The body is over {max_bytes} bytes. Send less, or raise `[limits] request_body_max_bytes`."
        ),
    )
}
