//! Plain reverse proxying: which request goes where, and what changes on the way.

use std::collections::BTreeSet;

use ferrogate_api::Outcome;

use crate::support::{Gateway, KEY, Listener, Provider, Request, Socket, eventually};

/// Routes to `upstream`, and a key for those that need one.
fn config(upstream: &str, routes: &str) -> String {
    format!(
        r#"
        [[upstreams]]
        name = "echo"
        {upstream}

        [[api_keys]]
        id = "dev"
        key = "{KEY}"

        {routes}
        "#
    )
}

fn url(provider: &Provider) -> String {
    format!("url = \"http://{}\"", provider.address())
}

const ANYTHING: &str = "[[routes]]\nname = \"all\"\nupstream = \"echo\"\n";

#[tokio::test]
async fn a_prefix_is_cut_off_and_another_put_in_front() {
    let echo = Provider::start().await;
    let routes = r#"
        [[routes]]
        name = "api"
        upstream = "echo"
        path_prefixes = ["/api", "/also"]
        strip_prefix = "/api"
        add_prefix = "/internal"

        [[routes]]
        name = "rest"
        upstream = "echo"
    "#;
    let gateway = Gateway::start(&config(&url(&echo), routes)).await;
    let check = async |asked: &str, seen: &str| {
        let answer = gateway.request("GET", asked).send().await.expect(200);
        assert_eq!(answer.json()["path"], seen, "{asked}");
        answer
    };
    let answer = check("/api/users/1?a=1&b=two", "/internal/users/1").await;
    assert_eq!(
        answer.json()["args"],
        serde_json::json!({"a": "1", "b": "two"})
    );
    let log = gateway.log_of(answer.request_id()).await;
    assert_eq!(&*log.endpoint, "route:api");
    assert_eq!((log.status, log.outcome), (200, Outcome::Complete));
    assert_eq!(log.path, "/api/users/1", "as asked, and without its query");
    check("/api", "/internal").await;
    check("/also/x", "/internal/also/x").await;
    check("/apis", "/apis").await;
    check("/other/../api/x", "/internal/x").await;
}

#[tokio::test]
async fn hosts_and_headers_decide_the_route() {
    let echo = Provider::start().await;
    let routes = r#"
        [[routes]]
        name = "blue"
        upstream = "echo"
        hosts = ["a.example.com"]
        add_prefix = "/blue"
        [[routes.match_headers]]
        name = "x-team"
        value = "blue"

        [[routes]]
        name = "a"
        upstream = "echo"
        hosts = ["a.example.com"]
        add_prefix = "/a"
    "#;
    let gateway = Gateway::start(&config(&url(&echo), routes)).await;
    let ask = |host: &str| gateway.request("GET", "/x").header("host", host);
    let path = async |request: Request| {
        let answer = request.send().await.expect(200);
        answer.json()["path"].as_str().unwrap().to_owned()
    };
    assert_eq!(path(ask("a.example.com")).await, "/a/x");
    assert_eq!(path(ask("A.Example.Com:8080")).await, "/a/x");
    let blue = ask("a.example.com").header("x-team", "blue");
    assert_eq!(path(blue).await, "/blue/x");
    let answer = ask("b.example.com").send().await;
    assert_eq!(answer.refusal(), (404, "route_not_found".into()));
    let log = gateway.log_of(answer.request_id()).await;
    assert_eq!((log.status, log.outcome), (404, Outcome::Refused));
}

#[tokio::test]
async fn a_route_that_lends_out_a_secret_needs_a_key_unless_it_is_public() {
    let echo = Provider::start().await;
    let secret = "[[routes.request_headers]]\nname = \"x-upstream-token\"\nvalue = \"{env.TOKEN}\"";
    let routes = format!(
        r#"
        [[routes]]
        name = "private"
        upstream = "echo"
        path_prefixes = ["/private"]
        {secret}

        [[routes]]
        name = "public"
        upstream = "echo"
        path_prefixes = ["/public"]
        public = true
        {secret}

        {ANYTHING}
        "#
    );
    let text = config(&url(&echo), &routes);
    let gateway = Gateway::start_with(&text, &[("TOKEN", "t0ken")]).await;
    let ask = |path: &str| gateway.request("GET", path);

    let refused = ask("/private").send().await;
    assert_eq!(refused.refusal(), (401, "missing_api_key".into()));
    let v1 = ask("/v1/anything").send().await;
    assert_eq!(v1.refusal(), (401, "missing_api_key".into()));
    assert_eq!(echo.count("calls").await, 0);

    for request in [ask("/private").key(KEY), ask("/public")] {
        let headers = &request.send().await.expect(200).json()["headers"];
        assert_eq!(headers["x-upstream-token"], "t0ken");
        assert_eq!(headers.get("authorization"), None, "the key is ours alone");
    }
    ask("/v1/anything").key(KEY).send().await.expect(200);
    let own = ask("/open").header("authorization", "Basic dTpw");
    let headers = &own.send().await.expect(200).json()["headers"];
    assert_eq!(headers["authorization"], "Basic dTpw");
    assert_eq!(headers.get("x-upstream-token"), None);
}

#[tokio::test]
async fn the_upstream_learns_where_a_request_came_from_and_only_trusted_proxies_may_say_so() {
    let echo = Provider::start().await;
    let ask = async |gateway: &Gateway| {
        let request = gateway
            .request("GET", "/x")
            .header("host", "gateway.example.com")
            .header("x-forwarded-for", "203.0.113.7")
            .header("x-forwarded-proto", "https")
            .header("connection", "x-private")
            .header("x-private", "hop")
            .header("te", "trailers");
        request.send().await.expect(200)
    };
    let stranger = Gateway::start(&config(&url(&echo), ANYTHING)).await;
    let answer = ask(&stranger).await;
    let headers = &answer.json()["headers"];
    assert_eq!(headers["x-forwarded-for"], "127.0.0.1");
    assert_eq!(headers["x-forwarded-proto"], "http");
    assert_eq!(headers["x-forwarded-host"], "gateway.example.com");
    assert_eq!(headers["x-request-id"], answer.request_id());
    let trace = headers["traceparent"].as_str().unwrap();
    assert!(trace.contains(answer.header("x-trace-id")));
    assert_eq!(headers["host"], echo.address().to_string());
    assert_eq!(headers.get("x-private"), None, "it was for this hop alone");
    let log = stranger.log_of(answer.request_id()).await;
    assert_eq!(log.client_address.as_deref(), Some("127.0.0.1"));

    let trusting = format!("{ANYTHING}\n[limits]\ntrusted_proxies = [\"127.0.0.0/8\"]");
    let trusting = Gateway::start(&config(&url(&echo), &trusting)).await;
    let answer = ask(&trusting).await;
    let headers = &answer.json()["headers"];
    assert_eq!(headers["x-forwarded-for"], "203.0.113.7, 127.0.0.1");
    assert_eq!(headers["x-forwarded-proto"], "https");
    let log = trusting.log_of(answer.request_id()).await;
    assert_eq!(log.client_address.as_deref(), Some("203.0.113.7"));
}

#[tokio::test]
async fn response_headers_are_set_towards_the_client() {
    let echo = Provider::start().await;
    let headers = "[[routes.response_headers]]\nname = \"x-served-by\"\nvalue = \"ferrogate\"";
    let gateway = Gateway::start(&config(&url(&echo), &format!("{ANYTHING}{headers}"))).await;
    let answer = gateway.request("GET", "/x").send().await.expect(200);
    assert_eq!(answer.header("x-served-by"), "ferrogate");
    assert_ne!(answer.header("x-trace-id"), "");
}

#[tokio::test]
async fn an_upstream_that_fails_is_reported_in_the_envelope() {
    let silent = Listener::open().await;
    let gone = Listener::open().await;
    let gone_address = gone.address();
    drop(gone);
    let broken = Listener::open().await;
    let routes = format!(
        r#"
        [[upstreams]]
        name = "gone"
        url = "http://{gone_address}"

        [[upstreams]]
        name = "broken"
        url = "http://{}"

        [[routes]]
        name = "gone"
        upstream = "gone"
        path_prefixes = ["/gone"]

        [[routes]]
        name = "broken"
        upstream = "broken"
        path_prefixes = ["/broken"]

        {ANYTHING}
        "#,
        broken.address(),
    );
    let url = format!(
        "url = \"http://{}\"\nread_timeout_secs = 1",
        silent.address()
    );
    let gateway = Gateway::start(&config(&url, &routes)).await;
    let check = async |path: &str, status: u16, code: &str, outcome: Outcome| {
        let answer = gateway.request("POST", path).body("{}").send().await;
        assert_eq!(answer.refusal(), (status, code.to_owned()));
        let log = gateway.log_of(answer.request_id()).await;
        assert_eq!((log.status, log.outcome), (status, outcome), "{path}");
        assert_eq!(log.error_code.as_deref(), Some(code));
    };
    let break_off = async {
        let mut call = broken.accept().await;
        call.read_message().await;
        call.send("this is not HTTP\r\n\r\n").await;
    };
    let say_nothing = async {
        let mut call = silent.accept().await;
        call.read_to_end().await
    };
    tokio::join!(
        check("/gone", 502, "upstream_unreachable", Outcome::UpstreamError),
        check("/broken", 502, "upstream_error", Outcome::UpstreamError),
        check("/slow", 504, "upstream_timeout", Outcome::TimeLimit),
        break_off,
        say_nothing,
    );
}

#[tokio::test]
async fn servers_take_turns_and_one_that_dies_is_passed_over() {
    let first = Provider::start().await;
    let second = Provider::start().await;
    let urls = format!(
        "urls = [\"http://{}\", \"http://{}\"]\nhealth_failures_max = 1",
        first.address(),
        second.address()
    );
    let gateway = Gateway::start(&config(&urls, ANYTHING)).await;
    let ask = || gateway.request("GET", "/x").send();
    for _ in 0..6 {
        ask().await.expect(200);
    }
    assert_eq!(first.count("calls").await, 3);
    assert_eq!(second.count("calls").await, 3);

    first.kill().await;
    eventually("the dead server is out of the rotation", || async {
        // While it is in, a request tries it first now and then; the client never notices.
        let mut attempts = BTreeSet::new();
        for _ in 0..4 {
            let answer = ask().await.expect(200);
            attempts.insert(gateway.log_of(answer.request_id()).await.attempts);
        }
        (attempts == BTreeSet::from([1])).then_some(())
    })
    .await;
}

#[tokio::test]
async fn bodies_stream_both_ways_before_either_is_complete() {
    let upstream = Listener::open().await;
    let url = format!("url = \"http://{}\"", upstream.address());
    let gateway = Gateway::start(&config(&url, ANYTHING)).await;
    let mut client = Socket::connect(gateway.address()).await;
    client
        .send("POST /x HTTP/1.1\r\nhost: gateway\r\ntransfer-encoding: chunked\r\n\r\n")
        .await;
    let mut server = upstream.accept().await;
    let head = server.read_head().await;
    assert!(head.starts_with("POST /x HTTP/1.1"), "{head}");
    client.send_chunk("first question").await;
    server.read_until("first question").await;
    server
        .send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        .await;
    server.send_chunk("first answer").await;
    client.read_until("first answer").await;
    client.send_chunk("second question").await;
    server.read_until("second question").await;
    client.send("0\r\n\r\n").await;
    server.read_until("0\r\n\r\n").await;
    server.send_chunk("second answer").await;
    client.read_until("second answer").await;
    server.send("0\r\n\r\n").await;
    client.read_until("0\r\n\r\n").await;
}

#[tokio::test]
async fn a_routed_body_over_the_limit_is_refused_announced_or_not() {
    let echo = Provider::start().await;
    let routes = format!("{ANYTHING}\n[limits]\nproxy_request_body_max_bytes = 2048");
    let gateway = Gateway::start(&config(&url(&echo), &routes)).await;
    let announced = gateway.request("POST", "/x").body("x".repeat(4096));
    let answer = announced.send().await;
    assert_eq!(answer.refusal(), (413, "payload_too_large".into()));

    let mut socket = Socket::connect(gateway.address()).await;
    socket
        .send("POST /x HTTP/1.1\r\nhost: gateway\r\ntransfer-encoding: chunked\r\n\r\n")
        .await;
    for _ in 0..3 {
        socket.send_chunk(&"x".repeat(1024)).await;
    }
    let answer = socket.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");

    let fits = gateway.request("POST", "/x").body("x".repeat(2048));
    let echoed = fits.send().await.expect(200).json();
    assert_eq!(echoed["body_bytes"], 2048);
}
