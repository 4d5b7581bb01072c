//! WebSockets through a plain route.

use ferrogate_api::Outcome;
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::{accept_async, client_async, tungstenite::Message};

use crate::support::{Gateway, Listener, Socket, within};

fn route_to(upstream: &Listener) -> String {
    format!(
        "[[upstreams]]\nname = \"echo\"\nurl = \"http://{}\"\n[[routes]]\nname = \"ws\"\nupstream = \"echo\"\n",
        upstream.address()
    )
}

#[tokio::test]
async fn a_websocket_passes_in_both_directions_until_it_is_closed() {
    let upstream = Listener::open().await;
    let gateway = Gateway::start(&route_to(&upstream)).await;

    let echo = async {
        let stream = upstream.accept_stream().await;
        let mut server = accept_async(stream).await.unwrap();
        server.send(Message::text("welcome")).await.unwrap();
        while let Some(Ok(message)) = server.next().await {
            if message.is_close() {
                break;
            }
            server.send(message).await.unwrap();
        }
    };
    let talk = async {
        let stream = TcpStream::connect(gateway.address()).await.unwrap();
        let uri = format!("ws://{}/socket", gateway.address());
        let (mut client, answer) = client_async(uri, stream).await.unwrap();
        let welcome = client.next().await.unwrap().unwrap();
        assert_eq!(welcome, Message::text("welcome"));
        for text in ["one", "two"] {
            client.send(Message::text(text)).await.unwrap();
            let echoed = client.next().await.unwrap().unwrap();
            assert_eq!(echoed, Message::text(text));
        }
        client
            .send(Message::binary(vec![7; 100_000]))
            .await
            .unwrap();
        let echoed = client.next().await.unwrap().unwrap();
        assert_eq!(echoed.len(), 100_000);
        client.close(None).await.unwrap();
        while let Some(Ok(_)) = client.next().await {}
        answer.headers()["x-request-id"]
            .to_str()
            .unwrap()
            .to_owned()
    };
    let both = Box::pin(async { tokio::join!(echo, talk) });
    let ((), id) = within("the conversation", both).await;
    let log = gateway.log_of(&id).await;
    assert_eq!((log.status, log.outcome), (101, Outcome::Complete));
}

/// Regression: an agreement that came while the request was still being passed on ended the conversation.
#[tokio::test]
async fn a_server_may_agree_at_once_and_speak_first() {
    let upstream = Listener::open().await;
    let gateway = Gateway::start(&route_to(&upstream)).await;
    for _ in 0..100 {
        let mut client = Socket::connect(gateway.address()).await;
        client
            .send("GET /socket HTTP/1.1\r\nhost: gateway\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
            .await;
        let mut server = upstream.accept().await;
        // Before it has even read the request.
        server
            .send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nwelcome")
            .await;
        client.read_until("\r\n\r\nwelcome").await;
        client.send("thanks").await;
        server.read_until("thanks").await;
        server.send("more").await;
        client.read_until("more").await;
    }
}
