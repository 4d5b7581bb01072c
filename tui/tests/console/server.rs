//! A small admin API to test the client against: answers by path, on TCP or on a unix socket.

use std::{
    convert::Infallible,
    future::ready,
    path::Path,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::{
    body::{Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    task::JoinSet,
};

use crate::fixture;

type Body = BoxBody<Bytes, Infallible>;

/// What was asked: path with query, and the authorization header.
pub(crate) type Asked = Arc<Mutex<Vec<(String, Option<String>)>>>;

/// A running server; it ends with the value.
pub(crate) struct Server {
    pub(crate) address: String,
    pub(crate) asked: Asked,
    _tasks: JoinSet<()>,
}

impl Server {
    pub(crate) async fn on_tcp() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        Self::start(address, Listener::Tcp(listener))
    }

    pub(crate) fn on_socket(path: &Path) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        Self::start(path.display().to_string(), Listener::Unix(listener))
    }

    fn start(address: String, listener: Listener) -> Self {
        let asked = Asked::default();
        let seen = Arc::clone(&asked);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let stream = listener.accept().await;
                let seen = Arc::clone(&seen);
                connections.spawn(async move {
                    let service = service_fn(move |request| {
                        ready(Ok::<_, Infallible>(answer(&request, &seen)))
                    });
                    let connection = http1::Builder::new();
                    connection
                        .serve_connection(TokioIo::new(stream), service)
                        .await
                        .ok();
                });
            }
        });
        Self {
            address,
            asked,
            _tasks: tasks,
        }
    }
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl Listener {
    async fn accept(&self) -> Box<dyn Stream> {
        match self {
            Self::Tcp(listener) => Box::new(listener.accept().await.unwrap().0),
            Self::Unix(listener) => Box::new(listener.accept().await.unwrap().0),
        }
    }
}

fn answer(request: &Request<Incoming>, asked: &Asked) -> Response<Body> {
    let authorization = request
        .headers()
        .get(header::AUTHORIZATION)
        .map(|value| value.to_str().unwrap().to_owned());
    let path = request.uri().path_and_query().unwrap().to_string();
    asked.lock().unwrap().push((path, authorization.clone()));
    let json = |status: StatusCode, text: String| {
        let body = Full::new(Bytes::from(text)).boxed();
        Response::builder().status(status).body(body).unwrap()
    };
    let wrong_key = authorization.is_some_and(|value| value != "Bearer fg_admin_right");
    match request.uri().path() {
        _ if wrong_key => json(StatusCode::UNAUTHORIZED, refusal()),
        "/admin/v1/status" => {
            let status = serde_json::to_string(&fixture::status()).unwrap();
            json(StatusCode::OK, status)
        }
        "/admin/v1/request-logs" => {
            let mut log = fixture::request(0);
            log.path = "/v1/\u{202e}evil\u{1b}[2J".to_owned();
            let page = ferrogate_api::Page::new(vec![log], Some("next".to_owned()));
            json(StatusCode::OK, serde_json::to_string(&page).unwrap())
        }
        "/admin/v1/events" => Response::new(feed()),
        "/admin/v1/api-keys" => json(StatusCode::OK, "{\"object\":\"table\"}".to_owned()),
        _ => json(StatusCode::NOT_FOUND, "<h1>not here</h1>".to_owned()),
    }
}

fn refusal() -> String {
    r#"{"error":{"message":"the key is not known","type":"authentication_error","param":null,"code":"invalid_api_key","request_id":"0198"}}"#.to_owned()
}

/// Events in small pieces, one of a kind that no client knows; then the end.
fn feed() -> Body {
    let finished = serde_json::to_string(&fixture::request(3)).unwrap();
    let text = format!(
        ": welcome\n\nevent: second\ndata: {second}\n\nevent: from_the_future\ndata: 1\n\n\
         event: finished\ndata: {finished}\n\nevent: skipped\ndata: {{\"count\":9}}\n\n",
        second = serde_json::to_string(&ferrogate_api::Second {
            requests: 412,
            ..ferrogate_api::Second::default()
        })
        .unwrap(),
    );
    let pieces: Vec<Bytes> = text
        .into_bytes()
        .chunks(7)
        .map(Bytes::copy_from_slice)
        .collect();
    let frames = stream::iter(pieces).map(|piece| Ok(Frame::data(piece)));
    BodyExt::boxed(StreamBody::new(frames))
}
