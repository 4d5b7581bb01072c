//! Budgets: nothing is spent twice, whoever asks, and Redis agrees with the ledgers afterwards.

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU64, Ordering},
};

use ferrogate_api::{AccountKind, AccountRef, BudgetUnit};
use tokio::task::JoinSet;

use super::{
    super::{BalanceKey, SharedRefusal},
    node::{Node, Options, account, ask, budget, organization, total_of},
    server::{RedisServer, eventually},
};

/// What is spent or held by all nodes, as a client would add it up: raised after a grant, lowered before a release.
#[derive(Default)]
pub(super) struct Witness {
    spent: AtomicI64,
    pub(super) granted: AtomicU64,
}

impl Witness {
    pub(super) fn granted(&self, amount: i64, limit: i64) {
        self.granted.fetch_add(1, Ordering::SeqCst);
        let spent = self.spent.fetch_add(amount, Ordering::SeqCst) + amount;
        assert!(spent <= limit, "{spent} of {limit} are spent");
    }

    pub(super) fn released(&self, amount: i64) {
        self.spent.fetch_sub(amount, Ordering::SeqCst);
    }

    pub(super) fn spent(&self) -> i64 {
        self.spent.load(Ordering::SeqCst)
    }
}

/// The sum of all shares of a balance, and the total that is kept beside them.
pub(super) async fn shares(server: &RedisServer, account: &AccountRef) -> (i64, i64) {
    let id = account.id.replace(':', "%3A");
    let kind = account.kind.as_str();
    let name = format!("ferrogate:{{test}}:{kind}:{id}:tokens:0:{}", i64::MAX);
    let fields: Vec<(String, String)> = server.ask(&["HGETALL", &name]).await;
    let (mut sum, mut total) = (0, 0);
    for (field, value) in fields {
        match field.split(':').next().unwrap() {
            "s" | "h" | "o" => sum += value.parse::<i64>().unwrap(),
            "total" => total = value.parse().unwrap(),
            _ => {}
        }
    }
    (sum, total)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_requests_at_once_through_three_nodes_spend_a_budget_to_the_last_token() {
    const LIMIT: i64 = 40_000;
    const AMOUNT: i64 = 10;
    let server = RedisServer::start().await;
    let mut nodes = Vec::new();
    for id in ["a", "b", "c"] {
        nodes.push(Arc::new(Node::start(&server, id, Options::default()).await));
    }
    let witness = Arc::new(Witness::default());
    let mut requests = JoinSet::new();
    for number in 0..10_000_usize {
        let (node, witness) = (Arc::clone(&nodes[number % 3]), Arc::clone(&witness));
        requests.spawn(async move {
            let (key, organization) = (account(AccountKind::Key, "k"), organization());
            let path = ask(vec![
                budget(&key, LIMIT * 2, AMOUNT),
                budget(&organization, LIMIT, AMOUNT),
            ]);
            match node.admit(&path).await {
                Ok(hold) => {
                    witness.granted(AMOUNT, LIMIT);
                    node.ledger.add(&total_of(&key), AMOUNT);
                    node.settle(hold, &total_of(&organization), AMOUNT);
                }
                Err(SharedRefusal::Limited(limited)) => assert_eq!(limited.account, 1),
                Err(other) => panic!("{other:?}"),
            }
        });
    }
    requests.join_all().await;
    assert_eq!(witness.granted.load(Ordering::SeqCst), 4000);
    assert_eq!(witness.spent(), LIMIT);
    for account in [account(AccountKind::Key, "k"), organization()] {
        eventually("all holds are released", || async {
            (shares(&server, &account).await == (LIMIT, LIMIT)).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_requests_use_of_what_they_hold_no_two_share_a_token() {
    const LIMIT: i64 = 20_000;
    let server = RedisServer::start().await;
    let mut nodes = Vec::new();
    for id in ["a", "b", "c"] {
        nodes.push(Arc::new(Node::start(&server, id, Options::default()).await));
    }
    let witness = Arc::new(Witness::default());
    let mut clients = JoinSet::new();
    for client in 0..24_usize {
        let (node, witness) = (Arc::clone(&nodes[client % 3]), Arc::clone(&witness));
        clients.spawn(async move {
            let organization = organization();
            for round in 0..100_usize {
                let amount = i64::try_from(1 + (client * 31 + round * 17) % 97).unwrap();
                let path = ask(vec![budget(&organization, LIMIT, amount)]);
                let Ok(hold) = node.admit(&path).await else {
                    continue;
                };
                witness.granted(amount, LIMIT);
                tokio::task::yield_now().await;
                match round % 3 {
                    0 => {
                        witness.released(amount);
                        drop(hold);
                    }
                    1 => {
                        witness.released(amount - amount / 2);
                        node.settle(hold, &total_of(&organization), amount / 2);
                    }
                    _ => node.settle(hold, &total_of(&organization), amount),
                }
            }
        });
    }
    clients.join_all().await;
    eventually("Redis and the ledgers agree", || async {
        let agreed = (witness.spent(), witness.spent());
        (shares(&server, &organization()).await == agreed).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_a_request_gives_back_is_free_for_the_next_one_at_once() {
    let server = RedisServer::start().await;
    let node = Node::start(&server, "a", Options::default()).await;
    let organization = organization();
    for number in 0..200 {
        let key = account(AccountKind::Key, &format!("k{number}"));
        let mut wide = budget(&organization, 700, 500);
        wide.concurrency = Some(1);
        let hold = node.admit(&ask(vec![budget(&key, 700, 500), wide])).await;
        node.settle(hold.unwrap(), &total_of(&organization), 1);
    }
}

#[tokio::test]
async fn an_answer_that_nobody_waits_for_holds_nothing() {
    let server = RedisServer::start().await;
    let node = Node::start(&server, "a", Options::default()).await;
    let organization = organization();
    for _ in 0..50 {
        let path = ask(vec![budget(&organization, 1000, 10)]);
        let mut asking = Box::pin(node.counters.admit(&path));
        assert!(futures_util::poll!(&mut asking).is_pending());
    }
    eventually("nothing is held", || async {
        (shares(&server, &organization).await == (0, 0)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn another_attempt_is_refused_once_the_first_one_used_too_much() {
    let server = RedisServer::start().await;
    let node = Node::start(&server, "a", Options::default()).await;
    let organization = organization();
    let hold = node
        .admit(&ask(vec![budget(&organization, 100, 60)]))
        .await
        .unwrap();
    let again = ask(vec![budget(&organization, 100, 0)]);
    drop(node.admit(&again).await.unwrap());
    node.ledger.add(&total_of(&organization), 41);
    let refused = node.admit(&again).await;
    assert!(
        matches!(refused, Err(SharedRefusal::Limited(_))),
        "{refused:?}"
    );
    node.settle(hold, &total_of(&organization), 0);
    eventually("the first hold is released", || async {
        node.admit(&again).await.is_ok().then_some(())
    })
    .await;
}

#[tokio::test]
async fn two_budgets_on_one_balance_hold_it_once_and_both_stand() {
    let server = RedisServer::start().await;
    let node = Node::start(&server, "a", Options::default()).await;
    let organization = organization();
    let path = |tight| {
        let mut account = budget(&organization, 1000, 10);
        account
            .budgets
            .extend(budget(&organization, tight, 10).budgets);
        ask(vec![account])
    };
    let hold = node.admit(&path(15)).await.unwrap();
    assert_eq!(shares(&server, &organization).await, (10, 10));
    let refused = node.admit(&path(15)).await.unwrap_err();
    assert!(format!("{refused:?}").contains("Budget(1)"), "{refused:?}");
    drop(hold);
    eventually("it is released", || async {
        (shares(&server, &organization).await == (0, 0)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn amounts_beyond_what_a_double_holds_are_added_exactly() {
    let server = RedisServer::start().await;
    let node = Node::start(&server, "a", Options::default()).await;
    let organization = organization();
    let large = (1_i64 << 60) + 1;
    node.ledger.add(&total_of(&organization), large);
    let hold = node
        .admit(&ask(vec![budget(&organization, i64::MAX, 3)]))
        .await
        .unwrap();
    assert_eq!(shares(&server, &organization).await, (large + 3, large + 3));
    drop(hold);
}

#[tokio::test]
async fn a_new_period_begins_at_nothing_and_a_stream_is_charged_to_the_one_it_ends_in() {
    let server = RedisServer::start().await;
    let node = Node::start(&server, "a", Options::slow()).await;
    let other = Node::start(&server, "b", Options::slow()).await;
    let organization = organization();
    let period = |start: i64| BalanceKey {
        account: organization.clone(),
        unit: BudgetUnit::Tokens,
        start_unix_ms: start,
        end_unix_ms: start + 4_000_000_000_000,
    };
    let path = |start: i64, amount| {
        let mut account = budget(&organization, 100, amount);
        account.budgets[0].start_unix_ms = start;
        account.budgets[0].end_unix_ms = start + 4_000_000_000_000;
        ask(vec![account])
    };
    let stream = node.admit(&path(0, 100)).await.unwrap();
    assert!(other.admit(&path(0, 1)).await.is_err());
    drop(other.admit(&path(1, 100)).await.unwrap());
    node.ledger.add(&period(1), 70);
    stream.settle(70, vec![period(1)]);
    eventually("the stream is charged", || async {
        let refused = other.admit(&path(1, 31)).await.is_err();
        let free = other.admit(&path(0, 100)).await.is_ok();
        (refused && free).then_some(())
    })
    .await;
    drop(other.admit(&path(1, 30)).await.unwrap());
}

#[tokio::test]
async fn every_key_expires() {
    let server = RedisServer::start().await;
    let node = Node::start(&server, "a", Options::default()).await;
    let mut account = budget(&organization(), 100, 10).budgets;
    account[0].end_unix_ms = 4_000_000_000_000;
    let key = super::node::account(AccountKind::Key, "k");
    let mut path = vec![budget(&key, 100, 10)];
    path[0].requests_per_minute = Some(10);
    path[0].tokens_per_minute = Some(100);
    path[0].concurrency = Some(10);
    path[0].budgets.extend(account);
    let hold = node.admit(&ask(path)).await.unwrap();
    let keys = server.keys().await;
    // Epoch, nodes, record, index; minute, in flight, two balances.
    assert_eq!(keys.len(), 8, "{keys:?}");
    for key in keys {
        let left: i64 = server.ask(&["PTTL", &key]).await;
        assert!(left > 0, "{key}: {left}");
    }
    drop(hold);
}
