//! A client that uses a fresh connection for every request and hides nothing of the answer.

use std::{net::SocketAddr, path::PathBuf};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use http_body_util::Full;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
};
use tokio_util::task::AbortOnDropHandle;

use super::{Opened, within};

/// Where to connect.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// A request that is being put together.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    target: Target,
    http2: bool,
    method: String,
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Request {
    pub(crate) fn new(target: Target, method: &str, path: &str) -> Self {
        let host = match &target {
            Target::Tcp(address) => address.to_string(),
            Target::Unix(_) => "localhost".to_owned(),
        };
        Self {
            target,
            http2: false,
            method: method.to_owned(),
            path: path.to_owned(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
        .header("host", &host)
    }

    /// Sets a header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::try_from(name).unwrap();
        self.headers
            .insert(name, HeaderValue::try_from(value).unwrap());
        self
    }

    pub(crate) fn key(self, secret: &str) -> Self {
        self.header("authorization", &format!("Bearer {secret}"))
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.text(&body.to_string())
    }

    /// JSON as it is written, where its bytes matter.
    pub(crate) fn text(self, body: &str) -> Self {
        self.header("content-type", "application/json")
            .body(body.to_owned())
    }

    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// HTTP/2 without TLS and without asking first.
    pub(crate) fn http2(mut self) -> Self {
        self.http2 = true;
        self
    }

    pub(crate) async fn send(self) -> Answer {
        self.try_send().await.unwrap()
    }

    /// For servers that may die meanwhile: an error is an answer that did not arrive, or not all of it.
    pub(crate) async fn try_send(self) -> Result<Answer, String> {
        self.try_open().await?.try_rest().await
    }

    /// Waits for the head of the answer only.
    pub(crate) async fn open(self) -> Opened {
        self.try_open().await.unwrap()
    }

    async fn try_open(self) -> Result<Opened, String> {
        let opening = async move {
            match self.target.clone() {
                Target::Tcp(address) => {
                    let stream = TcpStream::connect(address).await.map_err(text)?;
                    stream.set_nodelay(true).map_err(text)?;
                    self.over(stream).await
                }
                Target::Unix(path) => {
                    let stream = UnixStream::connect(path).await.map_err(text)?;
                    self.over(stream).await
                }
            }
        };
        within("the answer's head", opening).await
    }

    async fn over<S>(mut self, stream: S) -> Result<Opened, String>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let stream = TokioIo::new(stream);
        let (answer, connection) = if self.http2 {
            let host = self.headers.remove(header::HOST).unwrap();
            let uri = format!("http://{}{}", host.to_str().unwrap(), self.path);
            let request = self.hyper(&uri);
            let handshake = http2::handshake(TokioExecutor::new(), stream).await;
            let (mut sender, connection) = handshake.map_err(text)?;
            let connection = tokio::spawn(async move { connection.await.map_err(text) });
            (sender.send_request(request).await, connection)
        } else {
            let path = self.path.clone();
            let request = self.hyper(&path);
            let (mut sender, connection) = http1::handshake(stream).await.map_err(text)?;
            let connection = tokio::spawn(async move { connection.await.map_err(text) });
            (sender.send_request(request).await, connection)
        };
        // The connection ends with its answer, so that dropping the answer is hanging up.
        let connection = AbortOnDropHandle::new(connection);
        Ok(Opened::new(answer.map_err(text)?, connection))
    }

    fn hyper(self, uri: &str) -> http::Request<Full<Bytes>> {
        let mut request = http::Request::builder()
            .method(&*self.method)
            .uri(uri)
            .body(Full::new(self.body))
            .unwrap();
        *request.headers_mut() = self.headers;
        request
    }
}

fn text(error: impl std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

impl Answer {
    /// A header's value; empty when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {}", self.text()))
    }

    pub(crate) fn request_id(&self) -> &str {
        self.header("x-request-id")
    }

    /// Status and code of an error, whose envelope must be complete and carry the answer's own request id.
    pub(crate) fn refusal(&self) -> (u16, String) {
        let body = self.json();
        let Some(error) = body["error"].as_object() else {
            panic!("{} is no error: {body}", self.status);
        };
        let fields: Vec<_> = error.keys().map(String::as_str).collect();
        assert_eq!(fields, ["message", "type", "param", "code", "request_id"]);
        assert_eq!(error["request_id"], self.request_id());
        assert_ne!(error["message"], "");
        (self.status, error["code"].as_str().unwrap().to_owned())
    }

    /// Fails with the answer's own words unless its status is `expected`.
    #[track_caller]
    pub(crate) fn expect(self, expected: u16) -> Self {
        assert_eq!(self.status, expected, "{}", self.text());
        self
    }
}
