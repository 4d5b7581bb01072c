use std::{os::unix::fs::PermissionsExt, time::Duration};

use axum::{Extension, Router, routing::get};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UnixStream},
};

use super::*;
use crate::peer::PeerIdentity;
use crate::tasks::Tasks;

const ANY: &str = "127.0.0.1:0";

fn any_port() -> TcpListener {
    bind(ANY.parse().unwrap(), "listen").unwrap()
}

fn server(router: Router, tasks: &Tasks) -> HttpServer {
    HttpServer {
        router,
        header_timeout: Duration::from_millis(200),
        header_max_bytes: 8 * 1024,
        connections_max: 8,
        drain_timeout: Duration::from_secs(5),
        tasks: tasks.clone(),
    }
}

fn whoami() -> Router {
    let handler = async |Extension(peer): Extension<PeerIdentity>| format!("{peer:?}");
    Router::new().route("/", get(handler))
}

#[test]
fn a_taken_port_is_an_error_at_once_that_says_what_to_do() {
    let first = any_port();
    let address = first.local_addr().unwrap();
    let error = bind(address, "[admin] listen").unwrap_err();
    assert!(matches!(error, ListenError::Taken { .. }));
    let message = error.to_string();
    assert!(
        message.contains(&address.to_string()) && message.contains("[admin] listen"),
        "{message}"
    );
    drop(first);
    assert!(bind(address, "listen").is_ok());
}

#[test]
fn a_stale_socket_is_replaced_and_a_live_one_or_a_file_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    let first = bind_unix(&path, 0o600, "socket").unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(matches!(
        bind_unix(&path, 0o600, "socket"),
        Err(ListenError::SocketTaken { .. })
    ));
    drop(first);
    assert!(bind_unix(&path, 0o660, "socket").is_ok());

    let file = folder.path().join("precious");
    std::fs::write(&file, "data").unwrap();
    assert!(matches!(
        bind_unix(&file, 0o600, "socket"),
        Err(ListenError::NotASocket { .. })
    ));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "data");

    let nowhere = folder.path().join("missing").join("x.sock");
    assert!(matches!(
        bind_unix(&nowhere, 0o600, "socket"),
        Err(ListenError::BindSocket { .. })
    ));
}

#[tokio::test]
async fn a_request_knows_the_uid_behind_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    let listener = bind_unix(&path, 0o600, "socket").unwrap();
    let tasks = Tasks::default();
    tasks.spawn("admin", server(whoami(), &tasks).serve_unix(listener));

    let mut client = UnixStream::connect(&path).await.unwrap();
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    let uid = nix::unistd::getuid();
    assert!(
        answer.ends_with(&format!("Unix {{ uid: {uid} }}")),
        "{answer}"
    );
    tasks.drain().await;
}

#[tokio::test]
async fn a_silent_admin_connection_is_closed() {
    let listener = any_port();
    let address = listener.local_addr().unwrap();
    let tasks = Tasks::default();
    tasks.spawn("admin", server(whoami(), &tasks).serve_tcp(listener));
    let mut client = TcpStream::connect(address).await.unwrap();
    let mut answer = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(5), client.read_to_end(&mut answer));
    closed.await.expect("closed within its limit").ok();
    tasks.drain().await;
}

#[tokio::test]
async fn a_stop_lets_the_answer_in_flight_finish_and_says_close() {
    let listener = any_port();
    let address = listener.local_addr().unwrap();
    let tasks = Tasks::default();
    let (asked, mut was_asked) = tokio::sync::mpsc::channel(1);
    let stopping = tasks.clone();
    let handler = async move || {
        asked.send(()).await.unwrap();
        stopping.stopping().await;
        "done"
    };
    let router = Router::new().route("/", get(handler));
    tasks.spawn("admin", server(router, &tasks).serve_tcp(listener));

    let mut client = TcpStream::connect(address).await.unwrap();
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        .await
        .unwrap();
    was_asked.recv().await.unwrap();
    tasks.drain().await;
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.to_lowercase().contains("connection: close"),
        "{answer}"
    );
    assert!(answer.ends_with("done"), "{answer}");
}

#[tokio::test]
async fn pingora_serves_the_socket_that_we_bound() {
    use pingora::{
        apps::ServerApp, protocols::Stream, server::ShutdownWatch, services::Service as _,
    };

    struct Greeter;
    #[async_trait::async_trait]
    impl ServerApp for Greeter {
        async fn process_new(
            self: &Arc<Self>,
            mut stream: Stream,
            _: &ShutdownWatch,
        ) -> Option<Stream> {
            stream.write_all(b"hello").await.unwrap();
            stream.flush().await.unwrap();
            None
        }
    }

    let table = FdTable::new();
    let address = table.register(any_port()).unwrap();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut service = service("gateway", Greeter, address);
    let fds = table.fds();
    let tasks = Tasks::default();
    let serving = tasks.spawn("gateway", async move {
        service.start_service(Some(fds), stopped, 1).await;
    });

    let mut greeting = String::new();
    TcpStream::connect(address)
        .await
        .unwrap()
        .read_to_string(&mut greeting)
        .await
        .unwrap();
    assert_eq!(greeting, "hello");
    stop.send(true).unwrap();
    serving.await.unwrap();
    assert!(
        TcpStream::connect(address).await.is_err(),
        "the descriptor was Pingora's and is closed"
    );
}
