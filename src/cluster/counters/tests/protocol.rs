//! Steps that arrive when they should not: late, out of order, in a foreign epoch. Sent by hand, because no lane would.

use std::{sync::Arc, time::Duration};

use redis::aio::MultiplexedConnection;

use super::{
    super::{
        SharedRefusal,
        ask::PreparedAsk,
        calls::{Calls, Inherit},
        names::Expiry,
        shared::Shared,
        step::{Row, Settled, Step, StepReply},
    },
    budgets::shares,
    node::{Node, Options, ask, budget, organization, total_of},
    server::{RedisServer, eventually},
};

const IN_FLIGHT: Expiry = Expiry::After(Duration::from_secs(60));

async fn connection(server: &RedisServer) -> MultiplexedConnection {
    let client = redis::Client::open(server.url()).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

/// The lane's step that asks for `amount`, as it was in its first generation.
fn first_step(shared: &Shared, epoch: &str, amount: i64) -> Step {
    let organization = organization();
    let path = ask(vec![budget(&organization, 1000, amount)]);
    let lane = shared.lane_of(&path).to_string();
    let mut step = Step::new(shared, &lane, 0, epoch);
    let own = Settled {
        value: 0,
        version: 1,
    };
    step.ask(&PreparedAsk::new(&path, &shared.names), &[own], IN_FLIGHT);
    step
}

#[tokio::test]
async fn a_step_that_was_given_up_is_refused_when_it_arrives() {
    let server = RedisServer::start().await;
    let options = Options {
        timeout: Duration::from_millis(500),
        ..Options::slow()
    };
    let node = Node::start(&server, "a", options).await;
    let organization = organization();
    let path = || ask(vec![budget(&organization, 1000, 10)]);
    let held = node.admit(&path()).await.unwrap();
    let shared = &node.counters.0;
    let epoch = shared.membership.epoch().unwrap();
    let step = first_step(shared, &epoch, 10);
    let mut connection = connection(&server).await;
    // What Redis does and the lane never hears of.
    step.send(shared, &mut connection).await.unwrap();
    assert_eq!(shares(&server, &organization).await, (20, 20));
    server
        .ask::<String>(&["CLIENT", "PAUSE", "1500", "ALL"])
        .await;
    let refused = node.counters.admit(&path()).await;
    assert!(matches!(refused, Err(SharedRefusal::Unavailable(_))));
    let second = node.admit(&path()).await.unwrap();
    // The lane has written what it knows to hold.
    assert_eq!(shares(&server, &organization).await, (20, 20));

    let reply = step.send(shared, &mut connection).await;
    assert!(matches!(reply, Ok(StepReply::Lost)), "{reply:?}");
    assert_eq!(shares(&server, &organization).await, (20, 20));
    drop((held, second));
}

#[tokio::test]
async fn a_step_of_another_epoch_or_of_one_that_is_not_open_admits_nothing() {
    let server = RedisServer::start().await;
    let node = Node::start(&server, "a", Options::default()).await;
    let other = Node::start(&server, "b", Options::default()).await;
    eventually("they know each other", || async {
        (node.counters.status().live_nodes == ["a", "b"]).then_some(())
    })
    .await;
    let shared = Arc::clone(&node.counters.0);
    let mut connection = connection(&server).await;
    let before = shared.membership.epoch().unwrap();
    let still = other.stand_still();
    // The epoch alone is gone; the node's record is still there.
    server.ask::<i64>(&["DEL", "ferrogate:{test}:epoch"]).await;
    let step = first_step(&shared, &before, 10);
    let reply = step.send(&shared, &mut connection).await;
    assert!(matches!(reply, Ok(StepReply::Lost)), "{reply:?}");
    eventually("it has seeded a new epoch", || async {
        let seeded: Option<String> = server
            .ask(&["HGET", "ferrogate:{test}:epoch", "seeded:a"])
            .await;
        seeded
    })
    .await;
    let epoch = shared.membership.epoch().unwrap();
    let step = first_step(&shared, &epoch, 10);
    let reply = step.send(&shared, &mut connection).await;
    let Ok(StepReply::Done(rows)) = reply else {
        panic!("it is the right epoch");
    };
    assert!(matches!(rows[..], [Row::Closed]), "{rows:?}");
    assert_eq!(shares(&server, &organization()).await, (0, 0));
    drop(still);
}

#[tokio::test]
async fn of_two_readings_of_the_ledger_the_later_one_stands_whichever_arrives_last() {
    let server = RedisServer::start().await;
    let node = Node::start(&server, "a", Options::slow()).await;
    let shared = &node.counters.0;
    let epoch = shared.membership.epoch().unwrap();
    let key = total_of(&organization());
    let mut connection = connection(&server).await;
    for (value, version, stands) in [(50, 1002, 50), (40, 1001, 50), (30, 1003, 30)] {
        let mut step = Step::new(shared, "keeper", 0, &epoch);
        let settled = Settled { value, version };
        step.settled(&shared.names.balance(&key), settled, Expiry::of(&key));
        step.send(shared, &mut connection).await.unwrap();
        let written = shares(&server, &organization()).await;
        assert_eq!(written, (stands, stands), "version {version}");
    }
}

#[tokio::test]
async fn nobody_buries_a_node_that_is_heard() {
    let server = RedisServer::start().await;
    let a = Node::start(&server, "a", Options::slow()).await;
    let b = Node::start(&server, "b", Options::slow()).await;
    let organization = organization();
    let path = || ask(vec![budget(&organization, 1000, 10)]);
    let held = b.admit(&path()).await.unwrap();
    let calls = Calls(Arc::clone(&a.counters.0));
    let mut connection = connection(&server).await;
    let buried = calls.inherit(Inherit::Bury, "b", &mut connection).await;
    assert!(matches!(buried, Ok(false)), "{buried:?}");
    // It goes on as if nothing had been.
    drop(b.counters.admit(&path()).await.unwrap());
    drop(held);
}
