//! Deadlines are tested on paused time over an in-memory stream, so that they are exact; caps and closing on sockets.

use std::{os::fd::AsRawFd, time::Duration};

use pingora::protocols::{GetSocketDigest, SocketDigest, l4::stream::Stream as SocketStream};
use tokio::{
    io::DuplexStream,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::Instant,
};

use super::*;
use crate::tasks::Tasks;

pub(super) fn limits() -> Limits {
    Limits {
        header_max_bytes: 8 * 1024,
        auth_failures_per_minute_max: 60,
        request_body_max_bytes: 1 << 20,
        proxy_request_body_max_bytes: 1 << 20,
        header_timeout: Duration::from_secs(10),
        body_timeout: Duration::from_secs(300),
        body_min_bytes_per_sec: 1024,
        write_timeout: Duration::from_secs(30),
        keepalive_timeout: Duration::from_secs(75),
        connections_max: 64,
        connections_per_address_max: 64,
        trusted_proxies: Vec::new(),
        gateway_config_request_headers: Vec::new(),
    }
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\n\r\n";
const SECOND: Duration = Duration::from_secs(1);

/// Answers every request head with what `answer` holds, and tells HTTP/2 from HTTP/1 as Pingora does.
struct App {
    answer: Vec<u8>,
}

impl App {
    async fn serve(&self, stream: &mut Stream) -> std::io::Result<()> {
        let mut preface = [0; 24];
        stream.try_peek(&mut preface).await?;
        if preface == PREFACE {
            let mut all = Vec::new();
            stream.read_to_end(&mut all).await?;
            assert!(all.starts_with(PREFACE), "what was peeked at is read again");
            return Ok(());
        }
        loop {
            let mut head = Vec::new();
            while memchr::memmem::find(&head, b"\r\n\r\n").is_none() {
                if stream.read_buf(&mut head).await? == 0 {
                    return Ok(());
                }
            }
            set_state(stream, State::Body);
            stream.write_all(&self.answer).await?;
            stream.flush().await?;
            if head.starts_with(b"POST") {
                return Ok(());
            }
            set_state(stream, State::Idle);
        }
    }
}

#[async_trait]
impl ServerApp for App {
    async fn process_new(
        self: &Arc<Self>,
        mut stream: Stream,
        _: &ShutdownWatch,
    ) -> Option<Stream> {
        let served = self.serve(&mut stream).await;
        tracing::trace!(?served);
        AsyncWriteExt::shutdown(&mut stream).await.ok();
        None
    }
}

fn guarded(answer: &[u8], limits: Limits) -> (Arc<GuardedApp<App>>, Arc<Connections>) {
    let limits = Arc::new(limits);
    let connections = Connections::new(Arc::clone(&limits));
    let app = App {
        answer: answer.to_vec(),
    };
    (
        Arc::new(GuardedApp::new(app, limits, Arc::clone(&connections))),
        connections,
    )
}

fn serve(app: &Arc<GuardedApp<App>>, stream: Stream) -> JoinHandle<()> {
    let app = Arc::clone(app);
    Tasks::default().spawn("test", async move {
        let (_stop, stopped) = tokio::sync::watch::channel(false);
        app.process_new(stream, &stopped).await;
    })
}

/// A client whose server answers "ok", over memory.
fn connect(limits: Limits) -> (DuplexStream, JoinHandle<()>) {
    let (client, server) = tokio::io::duplex(16 * 1024);
    let (app, _) = guarded(b"ok", limits);
    let serving = serve(&app, Box::new(server));
    (client, serving)
}

/// When the server closed, in seconds since the call.
async fn closed_after(client: &mut DuplexStream) -> u64 {
    let start = Instant::now();
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.ok();
    start.elapsed().as_secs()
}

#[tokio::test(start_paused = true)]
async fn a_header_sent_a_byte_a_second_is_closed_at_the_deadline() {
    let (mut client, serving) = connect(limits());
    let start = Instant::now();
    let mut dripping = b"GET / HTTP/1.1\r\nHost: example\r\n".iter();
    while !serving.is_finished() {
        client.write_all(&[*dripping.next().unwrap()]).await.ok();
        tokio::time::sleep(SECOND).await;
    }
    let took = start.elapsed();
    assert!((10..=11).contains(&took.as_secs()), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_is_closed_at_the_deadline() {
    let (mut client, _) = connect(limits());
    assert_eq!(closed_after(&mut client).await, 10);
}

#[tokio::test(start_paused = true)]
async fn half_of_the_http2_preface_does_not_hold_a_connection() {
    let (mut client, _) = connect(limits());
    client.write_all(&PREFACE[..12]).await.unwrap();
    assert_eq!(closed_after(&mut client).await, 10);
}

#[tokio::test(start_paused = true)]
async fn an_http2_connection_outlives_the_header_deadline() {
    let (mut client, serving) = connect(limits());
    client.write_all(PREFACE).await.unwrap();
    tokio::time::sleep(Duration::from_secs(600)).await;
    client.write_all(b"frames").await.unwrap();
    assert!(!serving.is_finished());
    drop(client);
    serving.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_request_shorter_than_the_preface_is_served_at_once() {
    let (mut client, _) = connect(limits());
    let start = Instant::now();
    client.write_all(b"P / HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = [0; 2];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!((&answer, start.elapsed()), (b"ok", Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn between_requests_the_keepalive_limit_holds_and_then_the_header_deadline_again() {
    let (mut client, serving) = connect(limits());
    let mut answer = [0; 2];
    for _ in 0..3 {
        client.write_all(REQUEST).await.unwrap();
        client.read_exact(&mut answer).await.unwrap();
        tokio::time::sleep(SECOND * 74).await;
    }
    client.write_all(b"GET").await.unwrap();
    assert_eq!(
        closed_after(&mut client).await,
        10,
        "one byte of a request ends the idling"
    );
    serving.await.unwrap();

    let (mut client, _) = connect(limits());
    client.write_all(REQUEST).await.unwrap();
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(closed_after(&mut client).await, 75);
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_take_its_time() {
    let (client, server) = tokio::io::duplex(1024);
    let (connections, limits) = (guarded(b"", limits()).1, Arc::new(limits()));
    let refusals = Refusals {
        too_many_connections: Bytes::new(),
        header_too_large: Bytes::new(),
    };
    let slot = connections.admit(None).unwrap();
    let stream: Stream = Box::new(Guarded::new(
        Box::new(server),
        limits,
        Arc::new(refusals),
        slot,
    ));
    set_state(&stream, State::Body);
    let mut stream = stream;
    let read = tokio::time::timeout(SECOND * 3600, stream.read_u8()).await;
    assert!(
        read.is_err(),
        "reading has no deadline while an answer streams"
    );
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_closed_at_the_write_limit() {
    let (mut client, server) = tokio::io::duplex(1024);
    let (app, connections) = guarded(&vec![b'x'; 1 << 20], limits());
    let serving = serve(&app, Box::new(server));
    client.write_all(REQUEST).await.unwrap();
    let start = Instant::now();
    // It reads a little in between, which starts the limit anew.
    tokio::time::sleep(SECOND * 20).await;
    let mut some = [0; 512];
    client.read_exact(&mut some).await.unwrap();
    serving.await.unwrap();
    assert_eq!(start.elapsed().as_secs(), 50);
    assert_eq!(connections.open(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_endless_header_is_answered_431_at_the_cap() {
    let (mut client, serving) = connect(limits());
    client.write_all(b"GET / HTTP/1.1\r\nx: ").await.unwrap();
    for _ in 0..20 {
        client.write_all(&[b'x'; 1024]).await.unwrap();
    }
    client.shutdown().await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    assert!(answer.contains("header_too_large"));
    serving.await.unwrap();
}

#[test]
fn headers_are_measured_in_all_protocols() {
    let limits = limits();
    let mut request = RequestHeader::build("GET", b"/", None).unwrap();
    assert!(check_header_size(&request, &limits).is_ok());
    request
        .insert_header("x-large", "x".repeat(limits.header_max_bytes))
        .unwrap();
    let error = check_header_size(&request, &limits).unwrap_err();
    assert_eq!(error.kind, ErrorKind::HeaderTooLarge);
}

/// Accepts on a socket as Pingora does, for as many connections as the test makes.
async fn listen(answer: &[u8], limits: Limits) -> (std::net::SocketAddr, Arc<Connections>) {
    let (app, connections) = guarded(answer, limits);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    Tasks::default().spawn("test-listener", async move {
        while let Ok((stream, _)) = listener.accept().await {
            let digest = SocketDigest::from_raw_fd(stream.as_raw_fd());
            let mut stream = SocketStream::from(stream);
            stream.set_socket_digest(digest);
            serve(&app, Box::new(stream));
        }
    });
    (address, connections)
}

#[tokio::test]
async fn a_connection_over_the_cap_is_told_so_and_closed() {
    let per_address = Limits {
        connections_per_address_max: 1,
        ..limits()
    };
    let (address, connections) = listen(b"ok", per_address).await;
    let mut first = TcpStream::connect(address).await.unwrap();
    first.write_all(REQUEST).await.unwrap();
    first.read_exact(&mut [0; 2]).await.unwrap();

    let mut second = TcpStream::connect(address).await.unwrap();
    let mut answer = String::new();
    second.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("too_many_connections"));
    assert_eq!((connections.open(), connections.refused()), (1, 1));

    drop(first);
    while connections.open() > 0 {
        tokio::task::yield_now().await;
    }
    let mut third = TcpStream::connect(address).await.unwrap();
    third.write_all(REQUEST).await.unwrap();
    third.read_exact(&mut [0; 2]).await.unwrap();
}

#[tokio::test]
async fn an_answer_before_the_body_reaches_a_client_that_is_still_sending() {
    let (address, connections) = listen(b"refused", limits()).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"POST / HTTP/1.1\r\n\r\n").await.unwrap();
    client.write_all(&[0; 100 * 1024]).await.unwrap();
    client.shutdown().await.unwrap();
    let mut answer = String::new();
    client
        .read_to_string(&mut answer)
        .await
        .expect("the connection is not reset");
    assert_eq!(answer, "refused");
    while connections.open() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn lingering_for_a_client_that_stays_has_an_end() {
    let (mut client, serving) = connect(limits());
    let start = Instant::now();
    client.write_all(b"POST / HTTP/1.1\r\n\r\n").await.unwrap();
    serving.await.unwrap();
    assert_eq!(start.elapsed().as_secs(), 2);
}

/// The smallest proxy: it answers every request itself, and reports states as a proxy must.
struct Proxy;

#[async_trait]
impl pingora::proxy::ProxyHttp for Proxy {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn request_filter(
        &self,
        session: &mut pingora::proxy::Session,
        (): &mut (),
    ) -> pingora::Result<bool> {
        if let Some(stream) = session.stream() {
            set_state(stream, State::Body);
        }
        let meta = respond::ResponseMeta {
            request_id: "id",
            trace_id: "trace",
            surface: crate::routes::Surface::OpenAi,
            headers: &[],
        };
        let answer = respond::Answer::text(http::StatusCode::OK, "ok");
        respond::write(session, answer, &meta).await?;
        Ok(true)
    }

    async fn logging(
        &self,
        session: &mut pingora::proxy::Session,
        _: Option<&pingora::Error>,
        (): &mut (),
    ) {
        if let Some(stream) = session.stream() {
            set_state(stream, State::Idle);
        }
    }

    async fn upstream_peer(
        &self,
        _: &mut pingora::proxy::Session,
        (): &mut (),
    ) -> pingora::Result<Box<pingora::upstreams::peer::HttpPeer>> {
        Err(pingora::Error::new(pingora::ErrorType::InternalError))
    }
}

/// A client's end of a connection to Pingora's own HTTP server, guarded.
fn connect_to_pingora() -> (DuplexStream, JoinHandle<()>) {
    let conf = Arc::new(pingora::server::configuration::ServerConf::default());
    let mut proxy = pingora::proxy::http_proxy(&conf, Proxy);
    let mut options = pingora::apps::HttpServerOptions::default();
    options.h2c = true;
    proxy.server_options = Some(options);
    let limits = Arc::new(limits());
    let connections = Connections::new(Arc::clone(&limits));
    let app = Arc::new(GuardedApp::new(proxy, limits, connections));
    let (client, server) = tokio::io::duplex(64 * 1024);
    let serving = Tasks::default().spawn("test", async move {
        let (_stop, stopped) = tokio::sync::watch::channel(false);
        app.process_new(Box::new(server), &stopped).await;
    });
    (client, serving)
}

fn get() -> http::Request<http_body_util::Empty<Bytes>> {
    http::Request::get("http://example/x")
        .header("host", "example")
        .body(http_body_util::Empty::new())
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn pingora_behind_the_guard_keeps_http1_connections() {
    let (client, serving) = connect_to_pingora();
    let io = hyper_util::rt::TokioIo::new(client);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    Tasks::default().spawn("test-client", connection);
    for _ in 0..3 {
        sender.ready().await.unwrap();
        assert_eq!(sender.send_request(get()).await.unwrap().status(), 200);
        tokio::time::sleep(SECOND * 60).await;
    }
    let start = Instant::now();
    serving.await.unwrap();
    assert_eq!(start.elapsed().as_secs(), 15, "75 s after the last answer");
}

#[tokio::test(start_paused = true)]
async fn pingora_behind_the_guard_speaks_http2_in_clear_for_as_long_as_the_client_stays() {
    let (client, serving) = connect_to_pingora();
    let io = hyper_util::rt::TokioIo::new(client);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io)
        .await
        .unwrap();
    Tasks::default().spawn("test-client", connection);
    for _ in 0..3 {
        sender.ready().await.unwrap();
        let response = sender.send_request(get()).await.unwrap();
        assert_eq!(
            (response.status().as_u16(), response.version()),
            (200, http::Version::HTTP_2)
        );
        drop(response);
        tokio::time::sleep(SECOND * 60).await;
    }
    assert!(!serving.is_finished());
    drop(sender);
    serving.await.unwrap();
}
