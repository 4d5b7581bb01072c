//! `[admin]`: where the admin API is served, and to how many at a time.

use std::fs;

use crate::support::{
    Gateway, Process, Request, Rig, Socket, Target, eventually, ferrogate, within,
};

const ADMIN: &str = "[[api_keys]]\nid = \"boss\"\nkey = \"boss-secret\"\nscopes = [\"admin.read\", \"admin.write\"]\n";

#[tokio::test]
async fn without_a_listener_the_admin_api_is_on_its_socket_alone() {
    let gateway = Gateway::start(ADMIN).await;
    let over_tcp = Target::Tcp(gateway.admin_address());
    let asked = Request::new(over_tcp, "GET", "/admin/v1/status").key("boss-secret");
    asked.send().await.expect(200);

    let off = Gateway::start(&format!("[admin]\nlisten = \"off\"\n{ADMIN}")).await;
    assert_eq!(off.status().await.admin_listen, None);
}

#[tokio::test]
async fn the_socket_is_where_it_is_told_to_be() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("elsewhere.sock");
    let data = directory.path().join("data");
    let config = directory.path().join("ferrogate.toml");
    let text = format!(
        "listen = \"127.0.0.1:0\"\n[admin]\nlisten = \"off\"\nsocket = {socket:?}\n[storage]\npath = {data:?}\n"
    );
    fs::write(&config, text).unwrap();
    let command = ferrogate(&["run", "--config", config.to_str().unwrap()]);
    let _gateway = Process::start(command, &directory.path().join("gateway.log"));
    eventually("it answers there", || async {
        let target = Target::Unix(socket.clone());
        let asked = Request::new(target, "GET", "/admin/v1/status");
        let answer = asked.try_send().await.ok()?;
        (answer.status == 200).then_some(())
    })
    .await;
    assert!(!data.join("admin.sock").exists());
}

async fn ask(socket: &mut Socket) {
    socket
        .send("GET /admin/v1/status HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer boss-secret\r\n\r\n")
        .await;
    let (head, body) = socket.read_message().await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}{body}");
}

#[tokio::test]
async fn a_client_beyond_the_connections_of_a_listener_waits_for_one_to_end() {
    let gateway = Gateway::start(&format!("[admin]\nconnections_max = 1\n{ADMIN}")).await;
    let mut first = Socket::connect(gateway.admin_address()).await;
    ask(&mut first).await;
    let target = Target::Tcp(gateway.admin_address());
    let second = Request::new(target, "GET", "/admin/v1/status").key("boss-secret");
    let second = tokio::spawn(second.send());
    // While the first one goes on, for longer than an answer takes.
    for _ in 0..5 {
        ask(&mut first).await;
    }
    assert!(!second.is_finished());
    drop(first);
    second.await.unwrap().expect(200);
}

#[tokio::test]
async fn so_many_follow_the_events_and_so_many_requests_in_flight_are_listed() {
    let rig = Rig::start("[admin]\nevent_readers_max = 1\nin_flight_list_max = 2").await;
    let mut feed = rig.gateway.admin("/admin/v1/events").open().await;
    assert_eq!(feed.status, 200);
    let refused = rig.gateway.admin("/admin/v1/events").open().await;
    assert_eq!(refused.status, 503);

    let mut streams = Vec::new();
    for _ in 0..3 {
        let endless = rig.chat_stream("sim: delay_ms=50 tokens=100000\nhello");
        let stream = endless.open().await;
        assert_eq!(stream.status, 200);
        streams.push(stream);
    }
    let listed = within("all three are told of", async {
        loop {
            let event = feed.event().await.unwrap();
            if event.field("event") == "in_flight" && event.json()["total"] == 3 {
                return event.json();
            }
        }
    })
    .await;
    assert_eq!(listed["requests"].as_array().unwrap().len(), 2, "{listed}");
}
