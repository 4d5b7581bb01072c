//! The client against a real server: what it sends, what it makes of the answers, how it fails.

use std::{sync::Arc, time::Duration};

use ferrogate_api::{Event, RequestLogQuery};
use ferrogate_tui::{
    AdminToken, Target,
    app::{Cmd, Msg, command::Commands},
    client::{ClientError, connect},
};
use futures_util::StreamExt;
use tokio::sync::mpsc;

use crate::{fixture, server::Server};

fn url(address: &str, token: Option<&str>) -> Target {
    Target::Url {
        url: format!("{address}/"),
        token: token.map(AdminToken::new),
    }
}

#[tokio::test]
async fn over_tcp_the_admin_key_is_sent_and_the_status_read() {
    let server = Server::on_tcp().await;
    let api = connect(&url(&server.address, Some("fg_admin_right"))).unwrap();
    assert_eq!(api.status().await.unwrap(), fixture::status());
    let asked = server.asked.lock().unwrap();
    let bearer = Some("Bearer fg_admin_right".to_owned());
    assert_eq!(*asked, [("/admin/v1/status".to_owned(), bearer)]);
}

#[tokio::test]
async fn over_the_socket_no_key_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    let server = Server::on_socket(&path);
    let api = connect(&Target::Socket(path)).unwrap();
    assert_eq!(api.status().await.unwrap().version, "0.1.0");
    let asked = server.asked.lock().unwrap();
    assert_eq!(*asked, [("/admin/v1/status".to_owned(), None)]);
}

#[tokio::test]
async fn request_logs_are_asked_for_with_filters_and_cleaned() {
    let server = Server::on_tcp().await;
    let api = connect(&url(&server.address, None)).unwrap();
    let query = RequestLogQuery {
        status: Some("4xx".parse().unwrap()),
        cursor: Some("a/b".to_owned()),
        limit: Some(200),
        ..RequestLogQuery::default()
    };
    let page = api.request_logs(&query).await.unwrap();
    assert_eq!(page.data[0].path, "/v1/\u{FFFD}evil\u{FFFD}[2J");
    assert_eq!(page.next_cursor.as_deref(), Some("next"));
    let (path, _) = server.asked.lock().unwrap()[0].clone();
    assert_eq!(
        path,
        "/admin/v1/request-logs?status=4xx&cursor=a%2Fb&limit=200"
    );
}

#[tokio::test]
async fn a_refusal_carries_the_gateways_words_and_a_hint() {
    let server = Server::on_tcp().await;
    let api = connect(&url(&server.address, Some("fg_admin_wrong"))).unwrap();
    let error = api.status().await.unwrap_err();
    assert_eq!(error.to_string(), "the key is not known");
    assert!(error.hint().contains("--admin-token"), "{}", error.hint());
    let ClientError::Refused { detail, .. } = error else {
        panic!("expected a refusal, got {error:?}");
    };
    assert_eq!(detail.code, "invalid_api_key");
}

#[tokio::test]
async fn what_is_not_the_admin_api_is_told_apart() {
    let server = Server::on_tcp().await;
    let api = connect(&url(&format!("{}/elsewhere", server.address), None)).unwrap();
    let error = api.status().await.unwrap_err();
    assert!(matches!(error, ClientError::Foreign { .. }), "{error:?}");
    let api = connect(&url(&server.address, None)).unwrap();
    let error = api.api_keys().await.unwrap_err();
    assert!(matches!(error, ClientError::Decode { .. }), "{error:?}");
}

#[tokio::test]
async fn an_unreachable_gateway_says_why_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let api = connect(&Target::Socket(folder.path().join("none.sock"))).unwrap();
    let error = api.status().await.unwrap_err();
    assert_eq!(error.root_cause(), "No such file or directory (os error 2)");
    assert!(error.hint().contains("ferrogate run"), "{}", error.hint());
    for wrong in ["127.0.0.1:2019", "ftp://host", "http://"] {
        let error = connect(&url(wrong, None)).err();
        assert!(
            matches!(error, Some(ClientError::Address { .. })),
            "{wrong}"
        );
    }
    let debug = format!("{:?}", url("http://host", Some("fg_admin_secret")));
    assert!(!debug.contains("secret"), "{debug}");
}

#[tokio::test]
async fn the_feed_is_read_in_pieces_and_its_end_is_an_error() {
    let server = Server::on_tcp().await;
    let api = connect(&url(&server.address, None)).unwrap();
    let events: Vec<_> = api.events().await.unwrap().collect().await;
    let mut events = events.into_iter();
    assert!(matches!(events.next(), Some(Ok(Event::Second(second))) if second.requests == 412));
    assert!(
        matches!(events.next(), Some(Ok(Event::Finished(log))) if *log == fixture::request(3)),
        "the unknown event is passed over"
    );
    assert!(matches!(events.next(), Some(Ok(Event::Skipped(skipped))) if skipped.count == 9));
    assert!(matches!(events.next(), Some(Err(ClientError::FeedEnded))));
    assert!(events.next().is_none());
}

#[tokio::test]
async fn the_console_loses_the_feed_and_connects_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    let api = connect(&Target::Socket(path.clone())).unwrap();
    let (answers_in, mut answers) = mpsc::channel(64);
    let mut commands = Commands::new(Arc::clone(&api), answers_in);
    let mut console = fixture::Console::started(80, 24);
    let mut connections = 0;
    let mut server = None;

    // Nobody is there at first; then the server's feed ends after its few events, and it is connected to again.
    while connections < 2 {
        for command in console.commands.drain(..) {
            match command {
                // The wait is `Connection`'s own test; here it would only be slow.
                Cmd::Wait { generation, .. } => commands.start(Cmd::Wait {
                    generation,
                    wait_ms: 1,
                }),
                command => commands.start(command),
            }
        }
        let message = tokio::time::timeout(Duration::from_secs(10), answers.recv()).await;
        let message = message.unwrap().unwrap();
        match &message {
            Msg::Lost { .. } if server.is_none() => server = Some(Server::on_socket(&path)),
            Msg::Connected { .. } => connections += 1,
            _ => {}
        }
        console.send(message);
    }
    assert!(console.model.status.is_some());
    assert_eq!(console.model.history.latest().unwrap().requests, 412);
}
