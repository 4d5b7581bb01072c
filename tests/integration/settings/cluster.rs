//! `[cluster]`: who a node is, where it counts, and how it reaches Redis and the shared file.

use serde_json::json;

use crate::support::{
    Gateway, KEY, PROVIDER_KEY, Provider, Redis, Request, Socket, chat_body, eventually,
    gateway_for, standard,
};

/// A key whose budget has to be counted somewhere.
const SPENDER: &str = r#"
    [[api_keys]]
    id = "spender"
    key = "spender-secret"
    budgets = [{ tokens = 100000, period = "total" }]
"#;

fn ask(gateway: &Gateway, secret: &str) -> Request {
    let request = gateway.request("POST", "/v1/chat/completions").key(secret);
    request.json(&chat_body("hello"))
}

async fn answers(gateway: &Gateway) {
    eventually("the counters are open", || async {
        let answer = ask(gateway, "spender-secret").send().await;
        (answer.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_node_says_who_it_is_and_where() {
    let config = r#"
        [cluster]
        enabled = true
        cluster_id = "europe"
        node_id = "one"
        node_region = "eu-west"
        node_zone = "b"
    "#;
    let cluster = Gateway::start(config).await.status().await.cluster;
    assert!(cluster.enabled);
    assert_eq!((&*cluster.cluster_id, &*cluster.node_id), ("europe", "one"));
    assert_eq!(cluster.node_region.as_deref(), Some("eu-west"));
    assert_eq!(cluster.node_zone.as_deref(), Some("b"));
}

#[tokio::test]
async fn a_node_counts_by_itself_until_it_is_told_that_there_are_others() {
    let provider = Provider::start().await;
    let check = async |enabled: bool, backend: &str, expected: u16| {
        // Nobody is there.
        let config = format!(
            "[cluster]\nenabled = {enabled}\nnode_id = \"a\"\ncounter_backend = \"{backend}\"\n\
             redis_url = \"redis://127.0.0.1:9\"\n{SPENDER}"
        );
        let gateway = gateway_for(&provider.base_url(), &config).await;
        let answer = ask(&gateway, "spender-secret").send().await;
        assert_eq!(answer.status, expected, "{enabled} {backend}");
        if expected == 503 {
            assert_eq!(answer.refusal().1, "governance_counter_unavailable");
        }
    };
    check(false, "redis", 200).await;
    check(true, "local", 200).await;
    check(true, "redis", 503).await;
}

/// How many connections Redis has, but for the one that asks.
async fn connections(redis: &Redis) -> usize {
    let address = redis.url().replace("redis://", "");
    let mut socket = Socket::connect(address.parse().unwrap()).await;
    socket.send("CLIENT LIST\r\nPING\r\n").await;
    let listed = socket.read_until("+PONG\r\n").await;
    listed.matches(" fd=").count() - 1
}

#[tokio::test]
async fn redis_is_found_in_a_variable_reached_over_so_many_connections_and_waited_for_so_long() {
    const LANES: usize = 6;
    let (redis, provider) = (Redis::start().await, Provider::start().await);
    let url = redis.url();
    let gateway = async |node: &str, timeout_ms: u32| {
        let config = format!(
            r#"
            {}
            [cluster]
            enabled = true
            node_id = "{node}"
            counter_backend = "redis"
            redis_url_env = "COUNTERS"
            redis_connections = {LANES}
            counter_timeout_millis = {timeout_ms}
            {SPENDER}
            "#,
            standard(&provider.base_url())
        );
        let environment = [("PROVIDER_KEY", PROVIDER_KEY), ("COUNTERS", &*url)];
        let gateway = Gateway::start_with(&config, &environment).await;
        answers(&gateway).await;
        gateway
    };
    let patient = gateway("patient", 20_000).await;
    eventually(
        "each lane has its connection, and so do the heartbeats",
        || async { (connections(&redis).await == LANES + 1).then_some(()) },
    )
    .await;
    let hasty = gateway("hasty", 100).await;
    assert_eq!(redis.ask("CLIENT PAUSE 3000 ALL").await, "+OK");
    let (refused, answered) = tokio::join!(
        ask(&hasty, "spender-secret").send(),
        ask(&patient, "spender-secret").send(),
    );
    let expected = (503, "governance_counter_unavailable".to_owned());
    assert_eq!(refused.refusal(), expected);
    answered.expect(200);
}

#[tokio::test]
async fn the_shared_file_is_looked_at_as_often_as_it_is_told() {
    let provider = Provider::start().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.json");
    let gateway = async |node: &str, poll_secs: u32| {
        let config = format!(
            "[cluster]\nenabled = true\nnode_id = \"{node}\"\nstate_backend = \"file\"\n\
             file_state_path = {path:?}\nconfig_poll_interval_secs = {poll_secs}\n\
             [limits]\nauth_failures_per_minute_max = 0\n"
        );
        gateway_for(&provider.base_url(), &config).await
    };
    let writing = gateway("writing", 3600).await;
    let often = gateway("often", 1).await;
    let seldom = gateway("seldom", 3600).await;
    let mut secrets = Vec::new();
    // Who looks no more often than the other has looked once between its first and its second news.
    for id in ["first", "second"] {
        let made = writing.made("POST", "api-keys", &json!({"id": id})).await;
        let secret = made.json()["secret"].as_str().unwrap().to_owned();
        eventually("who looks often has it", || async {
            (ask(&often, &secret).send().await.status == 200).then_some(())
        })
        .await;
        secrets.push(secret);
    }
    for secret in &secrets {
        let unknown = ask(&seldom, secret).send().await;
        assert_eq!(unknown.refusal(), (401, "invalid_api_key".into()));
    }
    ask(&seldom, KEY).send().await.expect(200);
}
