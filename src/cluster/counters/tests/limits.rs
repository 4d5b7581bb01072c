//! Which limit stands against a request, and that a refused one counts nowhere.

use ferrogate_api::{AccountKind, AccountRef};

use super::{
    super::{Limited, LimitedBy, SharedAccount, SharedAsk, SharedHold, SharedRefusal},
    node::{Node, Options, account, ask, budget, organization},
    server::{RedisServer, eventually},
};

/// An account with none of the limits.
fn unlimited(account: &AccountRef) -> SharedAccount<'_> {
    SharedAccount {
        account,
        requests_per_minute: None,
        tokens_per_minute: None,
        concurrency: None,
        budgets: Vec::new(),
    }
}

async fn limited(node: &Node, ask: &SharedAsk<'_>) -> Limited {
    match node.admit(ask).await {
        Err(SharedRefusal::Limited(limited)) => limited,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_limit_of_every_account_holds_for_all_nodes_together() {
    let server = RedisServer::start().await;
    let nodes = [
        Node::start(&server, "a", Options::default()).await,
        Node::start(&server, "b", Options::default()).await,
        Node::start(&server, "c", Options::default()).await,
    ];
    type Limit = fn(&mut SharedAccount<'_>);
    let cases: [(&str, Limit, LimitedBy, i64); 4] = [
        (
            "requests",
            |account| account.requests_per_minute = Some(5),
            LimitedBy::Requests,
            0,
        ),
        (
            "tokens",
            |account| account.tokens_per_minute = Some(59),
            LimitedBy::Tokens,
            9,
        ),
        (
            "concurrency",
            |account| account.concurrency = Some(5),
            LimitedBy::Concurrency,
            0,
        ),
        (
            "budget",
            |account| account.budgets = budget(&organization(), 54, 10).budgets,
            LimitedBy::Budget(0),
            4,
        ),
    ];
    for (name, limit, what, remaining) in cases {
        let (key, wide) = (
            account(AccountKind::Key, name),
            account(AccountKind::Team, name),
        );
        let path = || {
            let mut accounts = vec![unlimited(&key), unlimited(&wide)];
            accounts[0].requests_per_minute = Some(100);
            limit(&mut accounts[1]);
            ask(accounts)
        };
        let mut holds = Vec::new();
        for node in nodes.iter().cycle().take(5) {
            holds.push(node.admit(&path()).await.unwrap());
        }
        for node in &nodes {
            let refused = limited(node, &path()).await;
            assert_eq!((refused.account, refused.what), (1, what), "{name}");
            assert_eq!(refused.remaining, remaining, "{name}");
            let in_a_minute = refused
                .wait
                .is_some_and(|wait| (55..=66).contains(&wait.as_secs()));
            let windowed = matches!(what, LimitedBy::Requests | LimitedBy::Tokens);
            assert_eq!(in_a_minute, windowed, "{name}: {:?}", refused.wait);
        }
        // The three refused ones did not count at the key either.
        let mut alone = unlimited(&key);
        alone.requests_per_minute = Some(100);
        let hold = nodes[0].admit(&ask(vec![alone])).await.unwrap();
        let standing = hold.standing().requests.unwrap();
        assert_eq!((standing.limit, standing.remaining), (100, 94), "{name}");
    }
}

#[tokio::test]
async fn what_a_request_gives_back_is_free_for_another_node() {
    let server = RedisServer::start().await;
    let a = Node::start(&server, "a", Options::default()).await;
    let b = Node::start(&server, "b", Options::default()).await;
    let organization = organization();
    let path = || {
        let mut account = budget(&organization, 100, 60);
        account.concurrency = Some(1);
        account.tokens_per_minute = Some(12);
        ask(vec![account])
    };
    let first = a.admit(&path()).await.unwrap();
    assert_eq!(first.standing().tokens.unwrap().remaining, 2);
    assert_eq!(limited(&b, &path()).await.what, LimitedBy::Tokens);
    drop(first);
    // Tokens, the place in flight, and the budget.
    let second = eventually("it is given back", || async { b.admit(&path()).await.ok() }).await;
    drop(second);
    let third = eventually("it is given back", || async { a.admit(&path()).await.ok() }).await;
    assert_eq!(third.standing().tokens.unwrap().remaining, 2);
}

#[tokio::test]
async fn the_standing_names_the_tightest_account() {
    let server = RedisServer::start().await;
    let node = Node::start(&server, "a", Options::default()).await;
    let accounts: Vec<_> = ["wide", "tight", "wider"]
        .map(|id| account(AccountKind::Key, id))
        .into();
    let mut path: Vec<_> = accounts.iter().map(unlimited).collect();
    for (account, limit) in path.iter_mut().zip([50, 20, 90]) {
        account.requests_per_minute = Some(limit);
    }
    path[2].tokens_per_minute = Some(1000);
    let hold = node.admit(&ask(path)).await.unwrap();
    let standing = hold.standing();
    let requests = standing.requests.unwrap();
    assert_eq!(
        (requests.account, requests.limit, requests.remaining),
        (1, 20, 19)
    );
    assert!((60..=65).contains(&requests.reset.as_secs()));
    let tokens = standing.tokens.unwrap();
    assert_eq!(
        (tokens.account, tokens.limit, tokens.remaining),
        (2, 1000, 990)
    );
}

#[tokio::test]
async fn an_account_without_limits_needs_no_counters() {
    let node = Node::begin(
        "redis://127.0.0.1:1",
        "a",
        Options::default(),
        Default::default(),
    );
    let key = account(AccountKind::Key, "free");
    let hold: SharedHold = node
        .counters
        .admit(&ask(vec![unlimited(&key)]))
        .await
        .unwrap();
    assert_eq!(hold.standing(), Default::default());
}
