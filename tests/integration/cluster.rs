//! Several gateways that count together in Redis and share what their admin APIs made, as operators would run them.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use ferrogate_api::UsageAggregate;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{Answer, Gateway, KEY, Provider, Redis, Request, eventually, gateway_for};

const NODES: [&str; 3] = ["a", "b", "c"];

/// Three gateways in front of one provider, with one budget for all of them.
struct Trio {
    gateways: Vec<Gateway>,
    provider: Provider,
    redis: Redis,
}

impl Trio {
    /// `budget` tokens for the organization of the key `spender`; `config` goes behind the rest.
    async fn start(budget: u64, config: &str) -> Self {
        let redis = Redis::start().await;
        let provider = Provider::start().await;
        let mut gateways = Vec::new();
        for node in NODES {
            let url = redis.url();
            let config = format!(
                r#"
                [cluster]
                enabled = true
                cluster_id = "test"
                node_id = "{node}"
                counter_backend = "redis"
                redis_url = "{url}"
                counter_timeout_millis = 10000
                heartbeat_interval_secs = 1

                [[tenants]]
                kind = "organization"
                id = "acme"
                budgets = [{{ id = "all", tokens = {budget}, period = "total" }}]

                [[api_keys]]
                id = "spender"
                key = "spender-secret"
                organization_id = "acme"

                {config}
                "#
            );
            gateways.push(gateway_for(&provider.base_url(), &config).await);
        }
        let trio = Self {
            gateways,
            provider,
            redis,
        };
        for gateway in &trio.gateways {
            opens(gateway).await;
        }
        trio
    }

    /// What all ledgers together have, once nothing is on its way any more.
    async fn spent(&self) -> u64 {
        let mut spent = 0;
        for gateway in &self.gateways {
            spent += spent_at(gateway).await;
        }
        spent
    }
}

/// Waits until a gateway counts with the others, which costs a few tokens.
async fn opens(gateway: &Gateway) {
    eventually("the counters are open", || async {
        let answer = ask(gateway, 1).send().await;
        (answer.status == 200).then_some(())
    })
    .await;
}

/// A request of the key with the budget, which holds `max_tokens` and a few more, and uses eight and a few more.
fn ask(gateway: &Gateway, max_tokens: u64) -> Request {
    let tokens = max_tokens.min(8);
    let content = format!("sim: tokens={tokens}\nhello");
    let body = json!({
        "model": "fast", "max_tokens": max_tokens,
        "messages": [{"role": "user", "content": content}],
    });
    gateway
        .request("POST", "/v1/chat/completions")
        .key("spender-secret")
        .json(&body)
}

/// A stream that goes on until somebody ends it, and holds `max_tokens` and a few more.
fn ask_without_end(gateway: &Gateway, max_tokens: u64) -> Request {
    let body = json!({
        "model": "fast", "stream": true, "max_tokens": max_tokens,
        "messages": [{"role": "user", "content": "sim: tokens=100000 delay_ms=50\nhello"}],
    });
    gateway
        .request("POST", "/v1/chat/completions")
        .key("spender-secret")
        .json(&body)
}

/// What the client was told that its request has used.
fn used(answer: &Answer) -> u64 {
    answer.json()["usage"]["total_tokens"].as_u64().unwrap()
}

/// The tokens in a gateway's ledger, once nothing is on its way any more.
async fn spent_at(gateway: &Gateway) -> u64 {
    eventually("everything is on record", || async {
        let status = gateway.status().await;
        (status.in_flight == 0 && status.writer.queue_used == 0).then_some(())
    })
    .await;
    let all: Vec<UsageAggregate> = gateway.usage_aggregates("total").await;
    all.iter()
        .map(|aggregate| aggregate.tokens.input + aggregate.tokens.output)
        .sum()
}

/// What the clients of a load saw.
#[derive(Debug, Default)]
struct Seen {
    granted: AtomicU64,
    used: AtomicU64,
    refused: AtomicU64,
    unavailable: AtomicU64,
}

impl Seen {
    fn note(&self, answer: &Answer) {
        if answer.status == 200 {
            self.granted.fetch_add(1, Ordering::SeqCst);
            self.used.fetch_add(used(answer), Ordering::SeqCst);
            return;
        }
        let refusal = answer.refusal();
        match (refusal.0, &*refusal.1) {
            (429, "token_budget_exceeded") => &self.refused,
            (503, "governance_counter_unavailable") => &self.unavailable,
            other => panic!("{other:?}"),
        }
        .fetch_add(1, Ordering::SeqCst);
    }

    fn get(&self, of: fn(&Self) -> &AtomicU64) -> u64 {
        of(self).load(Ordering::SeqCst)
    }
}

/// `requests` through all gateways at once, by `clients` that each wait for an answer before they ask again.
fn load(trio: &Arc<Trio>, seen: &Arc<Seen>, (clients, requests): (usize, usize)) -> JoinSet<()> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut running = JoinSet::new();
    for client in 0..clients {
        let (trio, seen, next) = (Arc::clone(trio), Arc::clone(seen), Arc::clone(&next));
        running.spawn(async move {
            while next.fetch_add(1, Ordering::SeqCst) < requests {
                let gateway = &trio.gateways[client % NODES.len()];
                // One token more than it uses: the provider counts the prompt one token longer than the estimate.
                seen.note(&ask(gateway, 9).send().await);
            }
        });
    }
    running
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_requests_through_three_gateways_spend_one_budget_and_no_token_more() {
    const BUDGET: u64 = 40_000;
    const REQUESTS: usize = 10_000;
    let trio = Arc::new(Trio::start(BUDGET, "").await);
    let before = trio.spent().await;
    let seen = Arc::new(Seen::default());
    load(&trio, &seen, (48, REQUESTS)).join_all().await;

    let (granted, refused) = (
        seen.get(|seen| &seen.granted),
        seen.get(|seen| &seen.refused),
    );
    let unavailable = seen.get(|seen| &seen.unavailable);
    assert_eq!(granted + refused, u64::try_from(REQUESTS).unwrap());
    assert_eq!(unavailable, 0, "the counters were there all the time");
    let spent = trio.spent().await;
    assert_eq!(
        spent,
        before + seen.get(|seen| &seen.used),
        "clients and ledgers agree"
    );
    assert!(spent <= BUDGET, "{spent} of {BUDGET} are spent");
    // A request holds less than 50 tokens: what is left is too little for one.
    assert!(spent + 50 > BUDGET, "only {spent} of {BUDGET} are spent");
    for gateway in &trio.gateways {
        assert!(spent_at(gateway).await > 0, "each of them had a part");
    }
    let calls = trio.provider.count("calls").await;
    assert_eq!(calls, granted + 3, "nothing was asked that was refused");
}

#[tokio::test]
async fn without_redis_what_has_a_budget_is_refused_and_with_it_the_budget_is_remembered() {
    const BUDGET: u64 = 1000;
    let mut trio = Trio::start(BUDGET, "").await;
    while trio.spent().await < BUDGET / 2 {
        for gateway in &trio.gateways {
            ask(gateway, 8).send().await.expect(200);
        }
    }
    trio.redis.kill().await;
    for gateway in &trio.gateways {
        let refused = ask(gateway, 8).send().await;
        let expected = (503, "governance_counter_unavailable".to_owned());
        assert_eq!(refused.refusal(), expected);
        let wait: u64 = refused.header("retry-after").parse().unwrap();
        assert!((1..=10).contains(&wait), "{wait}");
        // What nobody limits needs no counters.
        let free = gateway.request("POST", "/v1/chat/completions").key(KEY);
        let body = json!({"model": "fast", "messages": [{"role": "user", "content": "hello"}]});
        free.json(&body).send().await.expect(200);
    }
    let spent = spent_by_spender(&trio).await;
    trio.redis.restart().await;
    for gateway in &trio.gateways {
        opens(gateway).await;
        let refused = ask(gateway, BUDGET - spent).send().await;
        assert_eq!(refused.refusal(), (429, "token_budget_exceeded".into()));
    }
    let seen = Arc::new(Seen::default());
    let trio = Arc::new(trio);
    load(&trio, &seen, (6, 120)).join_all().await;
    assert!(seen.get(|seen| &seen.granted) > 0);
    assert!(seen.get(|seen| &seen.refused) > 0);
    let spent = spent_by_spender(&trio).await;
    assert!(spent <= BUDGET, "{spent} of {BUDGET} are spent");
}

/// What the key with the budget has spent, on all gateways.
async fn spent_by_spender(trio: &Trio) -> u64 {
    let mut spent = 0;
    for gateway in &trio.gateways {
        spent_at(gateway).await;
        for event in gateway.metering_events().await {
            if *event.api_key_id == *"spender" {
                spent += event.tokens.input + event.tokens.output;
            }
        }
    }
    spent
}

#[tokio::test]
async fn what_a_killed_gateway_held_stays_charged() {
    const BUDGET: u64 = 1000;
    let mut trio = Trio::start(BUDGET, "[storage]\nsettle = \"before-last-byte\"").await;
    let last = trio.gateways.pop().unwrap();
    let mut streams = Vec::new();
    for _ in 0..2 {
        let stream = ask_without_end(&last, 300).open().await;
        assert_eq!(stream.status, 200);
        streams.push(stream);
    }
    let first = &trio.gateways[0];
    let is_charged = async || {
        let refused = ask(first, 400).send().await;
        assert_eq!(refused.refusal(), (429, "token_budget_exceeded".into()));
        ask(first, 1).send().await.expect(200);
    };
    is_charged().await;
    let stopped = last.kill().await;
    drop(streams);
    is_charged().await;
    eventually("the others have missed it", || async {
        let nodes = trio.redis.ask("ZCARD ferrogate:{test}:nodes").await;
        (nodes == ":2").then_some(())
    })
    .await;
    is_charged().await;

    // Its ledger charges what was open, and says so to the others: once.
    let last = stopped.restart().await;
    opens(&last).await;
    is_charged().await;
    let orphaned = spent_at(&last).await;
    assert!((600..800).contains(&orphaned), "{orphaned}");
    ask(first, 100).send().await.expect(200);

    // Redis forgets; the ledger does not.
    trio.redis.ask("FLUSHALL").await;
    opens(first).await;
    is_charged().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_flushed_under_load_cost_no_token_more() {
    const BUDGET: u64 = 12_000;
    let trio = Arc::new(Trio::start(BUDGET, "").await);
    let seen = Arc::new(Seen::default());
    let mut running = load(&trio, &seen, (18, usize::MAX));
    for part in 1..=3 {
        eventually("a part of the budget is spent", || async {
            (seen.get(|seen| &seen.used) >= BUDGET / 5 * part).then_some(())
        })
        .await;
        assert_eq!(trio.redis.ask("FLUSHALL").await, "+OK");
    }
    eventually("the budget is used up", || async {
        (seen.get(|seen| &seen.refused) > 50).then_some(())
    })
    .await;
    running.abort_all();
    while let Some(ended) = running.join_next().await {
        if let Err(error) = ended {
            assert!(error.is_cancelled(), "{error}");
        }
    }
    let spent = trio.spent().await;
    assert!(spent <= BUDGET, "{spent} of {BUDGET} are spent");
    assert!(seen.get(|seen| &seen.unavailable) > 0, "closed meanwhile");
}

/// A request of `secret`.
fn with_key(gateway: &Gateway, secret: &str) -> Request {
    let body = json!({"model": "fast", "messages": [{"role": "user", "content": "hello"}]});
    let request = gateway.request("POST", "/v1/chat/completions").key(secret);
    request.json(&body)
}

async fn comes_to(gateway: &Gateway, secret: &str, status: u16) {
    eventually("the other gateway has read the file", || async {
        let answer = with_key(gateway, secret).send().await;
        (answer.status == status).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_one_gateways_admin_api_makes_the_other_goes_by() {
    let provider = Provider::start().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.json");
    let mut gateways = Vec::new();
    for node in ["a", "b"] {
        let config = format!(
            r#"
            [cluster]
            enabled = true
            node_id = "{node}"
            state_backend = "file"
            file_state_path = "{}"
            config_poll_interval_secs = 1
            "#,
            path.display()
        );
        gateways.push(gateway_for(&provider.base_url(), &config).await);
    }
    let [a, b] = &gateways[..] else {
        panic!("there are two");
    };

    let made = a
        .change("POST", "api-keys", &json!({"id": "made"}))
        .send()
        .await;
    let made = made.expect(201).json();
    let first = made["secret"].as_str().unwrap();
    // Whoever wrote it need not wait for it.
    with_key(a, first).send().await.expect(200);
    comes_to(b, first, 200).await;

    // And the other way round, from the revision that both know by now.
    let made = b
        .change("POST", "api-keys", &json!({"id": "of-b"}))
        .send()
        .await;
    let made = made.expect(201).json();
    let second = made["secret"].as_str().unwrap();
    comes_to(a, second, 200).await;
    b.change("DELETE", "api-keys/made", &json!({})).send().await;
    comes_to(a, first, 401).await;

    for gateway in &gateways {
        let cluster = eventually("both are at the same revision", || async {
            let cluster = gateway.status().await.cluster;
            (cluster.active_revision >= Some(3)).then_some(cluster)
        })
        .await;
        assert_eq!(cluster.readiness_reason, "state_loaded", "{cluster:?}");
        assert!(cluster.ready && !cluster.stale, "{cluster:?}");
        gateway.request("GET", "/readyz").send().await.expect(200);
    }
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("of-b"), "{text}");
    assert!(!text.contains(second), "a secret is in the file");

    // A file that somebody broke is told, and what was loaded goes on.
    std::fs::write(&path, "{").unwrap();
    for gateway in &gateways {
        let cluster = eventually("the damage is noticed", || async {
            let cluster = gateway.status().await.cluster;
            cluster.last_sync_error.is_some().then_some(cluster)
        })
        .await;
        assert!(cluster.ready && cluster.stale, "{cluster:?}");
        with_key(gateway, second).send().await.expect(200);
    }
    let refused = a
        .change("POST", "api-keys", &json!({"id": "lost"}))
        .send()
        .await;
    assert!(refused.status >= 400, "{}", refused.text());
    std::fs::write(&path, text).unwrap();
    eventually("it is sound again", || async {
        let cluster = a.status().await.cluster;
        cluster.last_sync_error.is_none().then_some(())
    })
    .await;
}

#[tokio::test]
async fn of_many_changes_through_both_gateways_at_once_none_is_lost() {
    const EACH: usize = 10;
    let provider = Provider::start().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.json");
    let mut changes = JoinSet::new();
    let mut gateways = Vec::new();
    for node in ["a", "b"] {
        let config = format!(
            "[cluster]\nenabled = true\nnode_id = \"{node}\"\nstate_backend = \"file\"\n\
             file_state_path = \"{}\"\nconfig_poll_interval_secs = 1\n",
            path.display()
        );
        gateways.push(Arc::new(gateway_for(&provider.base_url(), &config).await));
    }
    for (node, gateway) in gateways.iter().enumerate() {
        for number in 0..EACH {
            let gateway = Arc::clone(gateway);
            changes.spawn(async move {
                let body = json!({"id": format!("k{node}-{number}")});
                // Who loses is told so, and tries again.
                eventually("it is made", || async {
                    let answer = gateway.change("POST", "api-keys", &body).send().await;
                    match answer.status {
                        201 => Some(()),
                        409 => {
                            assert_eq!(answer.json()["error"]["code"], "revision_conflict");
                            None
                        }
                        _ => panic!("{}", answer.text()),
                    }
                })
                .await;
            });
        }
    }
    changes.join_all().await;
    for gateway in &gateways {
        eventually("both know all of them", || async {
            let keys: Vec<Value> = gateway.list("/admin/v1/api-keys?limit=100").await;
            let made = keys.iter().filter(|key| {
                let id = key["id"].as_str().unwrap_or_default();
                id.starts_with("k0-") || id.starts_with("k1-")
            });
            (made.count() == 2 * EACH).then_some(())
        })
        .await;
    }
}
