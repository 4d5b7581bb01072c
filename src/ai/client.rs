//! What the AI path needs of a client's connection; Pingora's session implements it in `proxy`, tests with a script.

use std::future::Future;

use bytes::Bytes;
use http::HeaderMap;

use crate::error::RequestError;

/// The connection broke: nobody is there to write to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientGone;

/// One client waiting for one answer.
pub trait Client: Send {
    /// The request's headers.
    fn headers(&self) -> &HeaderMap;

    /// The request's query string, without the `?`.
    fn query(&self) -> Option<&str>;

    /// Reads the request body whole, up to `max_bytes`.
    fn read_body(
        &mut self,
        max_bytes: u64,
    ) -> impl Future<Output = Result<Bytes, RequestError>> + Send;

    /// Sends status and headers. With `content_length` the body is exactly that long, else it is a stream.
    fn send_head(
        &mut self,
        status: u16,
        headers: HeaderMap,
        content_length: Option<usize>,
    ) -> impl Future<Output = Result<(), ClientGone>> + Send;

    /// Sends a piece of the body and flushes it.
    fn send(
        &mut self,
        piece: Bytes,
        last: bool,
    ) -> impl Future<Output = Result<(), ClientGone>> + Send;

    /// Resolves when the client has left. Cancelling it loses nothing.
    fn gone(&mut self) -> impl Future<Output = ()> + Send;
}
