//! Nodes that die, stand still, come back, or have a double; answers that never come.

use std::{sync::Arc, time::Duration};

use super::{
    super::{LimitedBy, SharedRefusal},
    budgets::shares,
    node::{Node, Options, ask, budget, organization, total_of},
    server::{RedisServer, eventually},
};

async fn know_each_other(a: &Node, b: &Node) {
    eventually("they know each other", || async {
        let known = |node: &Node| node.counters.status().live_nodes == ["a", "b"];
        (known(a) && known(b)).then_some(())
    })
    .await;
}

/// Waits until the other node of two is not only silent, but gone.
async fn is_alone(server: &RedisServer) {
    eventually("the other node is gone", || async {
        let nodes: i64 = server.ask(&["ZCARD", "ferrogate:{test}:nodes"]).await;
        (nodes == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_a_dead_node_held_is_charged_and_its_places_in_flight_are_free_again() {
    let server = RedisServer::start().await;
    let a = Node::start(&server, "a", Options::quick()).await;
    let b = Node::start(&server, "b", Options::quick()).await;
    let organization = organization();
    let path = |amount| {
        let mut account = budget(&organization, 100, amount);
        account.concurrency = Some(1);
        ask(vec![account])
    };
    let hold = b.admit(&path(60)).await.unwrap();
    std::mem::forget(hold);
    let ledger = b.vanish();
    let in_flight = a.admit(&path(10)).await.unwrap_err();
    assert!(
        matches!(in_flight, SharedRefusal::Limited(limited) if limited.what == LimitedBy::Concurrency)
    );
    is_alone(&server).await;
    drop(a.admit(&path(10)).await.unwrap());
    assert!(a.admit(&path(41)).await.is_err());

    // A ledger in batches knows nothing of it: it stays charged.
    let b = Node::begin(&server.url(), "b", Options::quick(), Arc::clone(&ledger));
    b.opens().await;
    assert_eq!(shares(&server, &organization).await, (60, 60));
    drop(b.vanish());
    is_alone(&server).await;

    // A ledger that charges its orphans at the start has it among what is settled.
    ledger.add(&total_of(&organization), 60);
    let options = Options {
        orphans_charged: true,
        ..Options::quick()
    };
    let b = Node::begin(&server.url(), "b", options, ledger);
    b.opens().await;
    assert_eq!(shares(&server, &organization).await, (60, 60));
}

#[tokio::test]
async fn a_node_that_is_back_before_it_was_missed_finds_its_holds_charged() {
    let server = RedisServer::start().await;
    let organization = organization();
    for (orphans_charged, total) in [(false, 60), (true, 0)] {
        let options = Options {
            orphans_charged,
            ..Options::default()
        };
        server.ask::<String>(&["FLUSHALL"]).await;
        let node = Node::start(&server, "a", options.clone()).await;
        let hold = node
            .admit(&ask(vec![budget(&organization, 100, 60)]))
            .await
            .unwrap();
        std::mem::forget(hold);
        let again = Node::begin(&server.url(), "a", options, node.vanish());
        again.opens().await;
        assert_eq!(shares(&server, &organization).await, (total, total));
    }
}

#[tokio::test]
async fn a_node_that_stood_still_takes_its_holds_back() {
    let server = RedisServer::start().await;
    let _a = Node::start(&server, "a", Options::quick()).await;
    let b = Node::start(&server, "b", Options::quick()).await;
    let organization = organization();
    let hold = b
        .admit(&ask(vec![budget(&organization, 100, 60)]))
        .await
        .unwrap();
    let still = b.stand_still();
    is_alone(&server).await;
    assert_eq!(shares(&server, &organization).await, (60, 60));
    drop(still);
    eventually("it takes its place again", || async {
        let nodes: i64 = server.ask(&["ZCARD", "ferrogate:{test}:nodes"]).await;
        (nodes == 2).then_some(())
    })
    .await;
    b.opens().await;
    assert_eq!(shares(&server, &organization).await, (60, 60));
    b.settle(hold, &total_of(&organization), 5);
    eventually("only what was used is charged", || async {
        (shares(&server, &organization).await == (5, 5)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_question_that_was_given_up_does_not_come_true_later() {
    let server = RedisServer::start().await;
    let options = Options {
        timeout: Duration::from_millis(150),
        ..Options::default()
    };
    let node = Node::start(&server, "a", options).await;
    let organization = organization();
    let path = || ask(vec![budget(&organization, 1000, 10)]);
    let held = node.admit(&path()).await.unwrap();
    server
        .ask::<String>(&["CLIENT", "PAUSE", "1500", "ALL"])
        .await;
    for _ in 0..4 {
        let refused = node.counters.admit(&path()).await;
        assert!(
            matches!(refused, Err(SharedRefusal::Unavailable(_))),
            "{refused:?}"
        );
    }
    let second = node.admit(&path()).await.unwrap();
    // All four lanes have written what they know to hold, and nothing of what they gave up.
    eventually("what was given up is gone", || async {
        (shares(&server, &organization).await == (20, 20)).then_some(())
    })
    .await;
    drop((held, second));
    eventually("nothing is held", || async {
        (shares(&server, &organization).await == (0, 0)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn of_two_processes_with_one_id_the_later_one_counts() {
    let server = RedisServer::start().await;
    let first = Node::start(&server, "a", Options::default()).await;
    let second = Node::start(&server, "a", Options::default()).await;
    eventually("the first one says what is wrong", || async {
        let status = first.counters.status();
        (status.closed_reason == Some("node_id_taken")).then_some(())
    })
    .await;
    let organization = organization();
    let refused = first
        .counters
        .admit(&ask(vec![budget(&organization, 10, 1)]))
        .await;
    assert!(
        matches!(refused, Err(SharedRefusal::Unavailable(_))),
        "{refused:?}"
    );
    drop(
        second
            .admit(&ask(vec![budget(&organization, 10, 1)]))
            .await
            .unwrap(),
    );
}

#[tokio::test]
async fn a_node_that_ends_takes_its_leave() {
    let server = RedisServer::start().await;
    let slow = Options {
        heartbeat: Duration::from_secs(60),
        ..Options::default()
    };
    let a = Node::start(&server, "a", slow.clone()).await;
    let b = Node::start(&server, "b", slow).await;
    let organization = organization();
    let hold = b
        .admit(&ask(vec![budget(&organization, 100, 60)]))
        .await
        .unwrap();
    know_each_other(&a, &b).await;
    b.settle(hold, &total_of(&organization), 20);
    b.tasks.drain().await;
    is_alone(&server).await;
    assert_eq!(shares(&server, &organization).await, (20, 20));
    let refused = b
        .counters
        .admit(&ask(vec![budget(&organization, 100, 1)]))
        .await;
    assert!(
        matches!(refused, Err(SharedRefusal::Unavailable(_))),
        "{refused:?}"
    );
}
