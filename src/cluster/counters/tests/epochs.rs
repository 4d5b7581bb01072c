//! Redis that has lost its keys, and how the nodes fill it again.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::{
    super::SharedRefusal,
    budgets::{Witness, shares},
    node::{Ledger, Node, Options, ask, budget, organization, total_of},
    server::{RedisServer, eventually},
};
use crate::error::ErrorKind;

#[tokio::test]
async fn redis_killed_and_back_empty_knows_again_what_was_spent_and_held() {
    let mut server = RedisServer::start().await;
    let options = Options {
        timeout: std::time::Duration::from_secs(2),
        ..Options::quick()
    };
    let a = Node::start(&server, "a", options.clone()).await;
    let b = Node::start(&server, "b", options).await;
    let organization = organization();
    let path = |amount| ask(vec![budget(&organization, 100, amount)]);
    let spent = a.admit(&path(30)).await.unwrap();
    a.settle(spent, &total_of(&organization), 30);
    let held = b.admit(&path(50)).await.unwrap();

    server.kill();
    for node in [&a, &b] {
        let refused = node.counters.admit(&path(1)).await;
        let Err(SharedRefusal::Unavailable(error)) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(error.kind, ErrorKind::GovernanceCounterUnavailable);
        assert!(error.retry_after.is_some());
        eventually("the status says so", || async {
            let status = node.counters.status();
            let told = status.closed_reason == Some("unreachable") && status.last_error.is_some();
            (!status.connected && told).then_some(())
        })
        .await;
    }

    server.restart().await;
    a.opens().await;
    assert!(matches!(
        b.admit(&path(21)).await,
        Err(SharedRefusal::Limited(_))
    ));
    assert!(matches!(
        a.admit(&path(21)).await,
        Err(SharedRefusal::Limited(_))
    ));
    drop(a.admit(&path(20)).await.unwrap());
    b.settle(held, &total_of(&organization), 10);
    eventually("all is written", || async {
        (shares(&server, &organization).await == (40, 40)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_flushed_under_load_cost_no_token_more() {
    const LIMIT: i64 = 30_000;
    let server = RedisServer::start().await;
    let mut nodes = Vec::new();
    for id in ["a", "b", "c"] {
        nodes.push(Arc::new(Node::start(&server, id, Options::quick()).await));
    }
    let witness = Arc::new(Witness::default());
    let mut clients = JoinSet::new();
    for client in 0..30_usize {
        let (node, witness) = (Arc::clone(&nodes[client % 3]), Arc::clone(&witness));
        clients.spawn(async move {
            let organization = organization();
            // A node that was slow, and buried, may count twice for a moment: only the whole budget ends this.
            while witness.spent() < LIMIT {
                let path = ask(vec![budget(&organization, LIMIT, 10)]);
                let Ok(hold) = node.admit(&path).await else {
                    continue;
                };
                witness.granted(10, LIMIT);
                tokio::task::yield_now().await;
                node.settle(hold, &total_of(&organization), 10);
            }
        });
    }
    for part in 1..=3 {
        eventually("a part is spent", || async {
            (witness.spent() >= LIMIT / 5 * part).then_some(())
        })
        .await;
        server.ask::<String>(&["FLUSHALL"]).await;
    }
    clients.join_all().await;
    assert_eq!(witness.spent(), LIMIT);
    eventually("Redis and the ledgers agree", || async {
        (shares(&server, &organization()).await == (LIMIT, LIMIT)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_newcomer_that_makes_the_epoch_waits_for_those_it_does_not_know() {
    let server = RedisServer::start().await;
    let old = Node::start(&server, "old", Options::default()).await;
    let organization = organization();
    let path = |amount| ask(vec![budget(&organization, 100, amount)]);
    let spent = old.admit(&path(70)).await.unwrap();
    old.settle(spent, &total_of(&organization), 70);
    let held = old.admit(&path(20)).await.unwrap();
    server.ask::<String>(&["FLUSHALL"]).await;
    let new = Node::start(&server, "new", Options::default()).await;
    assert_eq!(shares(&server, &organization).await, (90, 90));
    assert!(matches!(
        new.admit(&path(11)).await,
        Err(SharedRefusal::Limited(_))
    ));
    drop(new.admit(&path(10)).await.unwrap());
    drop(held);
}

#[tokio::test]
async fn an_epoch_waits_for_a_node_that_is_known_and_slow() {
    let server = RedisServer::start().await;
    let a = Node::start(&server, "a", Options::default()).await;
    let b = Node::start(&server, "b", Options::default()).await;
    eventually("they know each other", || async {
        (a.counters.status().live_nodes == ["a", "b"]).then_some(())
    })
    .await;
    let organization = organization();
    let path = |amount| ask(vec![budget(&organization, 100, amount)]);
    let held = b.admit(&path(95)).await.unwrap();
    let still = b.stand_still();
    server.ask::<String>(&["FLUSHALL"]).await;
    // Longer than an epoch that waits for nobody stays closed.
    eventually("the epoch is no longer young", || async {
        let created: Option<i64> = server
            .ask(&["HGET", "ferrogate:{test}:epoch", "created"])
            .await;
        let now: (i64, i64) = server.ask(&["TIME"]).await;
        (now.0 * 1000 > created? + 1500).then_some(())
    })
    .await;
    assert_eq!(a.counters.status().closed_reason, Some("gathering"));
    drop(still);
    assert!(matches!(
        a.admit(&path(6)).await,
        Err(SharedRefusal::Limited(_))
    ));
    drop(held);
}

#[tokio::test]
async fn an_epoch_does_not_wait_for_ever_for_a_node_that_is_gone() {
    let server = RedisServer::start().await;
    let a = Node::start(&server, "a", Options::quick()).await;
    let b = Node::start(&server, "b", Options::quick()).await;
    eventually("they know each other", || async {
        (a.counters.status().live_nodes == ["a", "b"]).then_some(())
    })
    .await;
    drop(b.vanish());
    server.ask::<String>(&["FLUSHALL"]).await;
    eventually("it waits", || async {
        (a.counters.status().closed_reason == Some("gathering")).then_some(())
    })
    .await;
    a.opens().await;
}

#[tokio::test]
async fn a_node_whose_ledger_is_being_read_lets_nobody_through() {
    let server = RedisServer::start().await;
    let ledger = Arc::new(Ledger::default());
    ledger.add(&total_of(&organization()), 95);
    ledger.set_asking(true);
    let node = Node::begin(&server.url(), "a", Options::default(), Arc::clone(&ledger));
    eventually("it says why", || async {
        (node.counters.status().closed_reason == Some("ledger_opening")).then_some(())
    })
    .await;
    let organization = organization();
    let path = |amount| ask(vec![budget(&organization, 100, amount)]);
    let refused = node.counters.admit(&path(1)).await;
    assert!(
        matches!(refused, Err(SharedRefusal::Unavailable(_))),
        "{refused:?}"
    );
    ledger.set_asking(false);
    node.counters.refresh();
    assert!(matches!(
        node.admit(&path(6)).await,
        Err(SharedRefusal::Limited(_))
    ));
    drop(node.admit(&path(5)).await.unwrap());
}

#[tokio::test]
async fn a_budget_that_was_opened_is_seen_by_the_others_at_once() {
    let server = RedisServer::start().await;
    let a = Node::start(&server, "a", Options::slow()).await;
    let b = Node::start(&server, "b", Options::slow()).await;
    a.ledger.add(&total_of(&organization()), 95);
    a.counters.refresh();
    let organization = organization();
    eventually("the other node knows", || async {
        let path = ask(vec![budget(&organization, 100, 10)]);
        matches!(b.admit(&path).await, Err(SharedRefusal::Limited(_))).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_balance_that_the_ledger_is_asked_about_lets_nobody_through() {
    let server = RedisServer::start().await;
    let node = Node::start(&server, "a", Options::slow()).await;
    let organization = organization();
    let path = || ask(vec![budget(&organization, 100, 1)]);
    node.ledger.set_asking(true);
    let refused = node.counters.admit(&path()).await;
    let Err(SharedRefusal::Unavailable(error)) = refused else {
        panic!("{refused:?}");
    };
    assert!(error.message.contains("adding up"), "{error}");
    node.ledger.set_asking(false);
    drop(node.counters.admit(&path()).await.unwrap());
}
