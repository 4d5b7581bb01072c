//! Look-ups from outside: what is found, by whom, for how long, and who asks when nobody has it.

use std::task::Poll;

use bytes::Bytes;
use ferrogate_api::{TenantContext, Tokens};
use futures_util::{future::join_all, poll};
use http::{HeaderMap, HeaderValue};
use tempfile::TempDir;
use tokio::pin;

use super::*;
use crate::config::{CacheScope, Storage};
use crate::tasks::Tasks;

const NOON: i64 = 1_767_268_800_000;
const TTL: Duration = Duration::from_secs(300);
const OPENAI: [(&str, &str); 1] = [("openai", "gpt")];

pub(super) fn filled_by(model: &str, key: &str) -> FilledBy {
    FilledBy {
        model: model.into(),
        api_key_id: key.into(),
        tenant: TenantContext::default(),
    }
}

pub(super) fn answer(body: &[u8], filled_by: &FilledBy) -> Answer {
    let headers = HeaderMap::new();
    let (provider, provider_model) = ("p".into(), "m".into());
    let fresh = Fresh {
        headers: &headers,
        body: Bytes::copy_from_slice(body),
        stream: false,
        provider: &provider,
        provider_model: &provider_model,
        tokens: Tokens::default(),
        cost_nanos: None,
    };
    Answer::new(fresh, filled_by.clone(), 0)
}

fn config() -> config::Cache {
    config::Cache {
        enabled: true,
        ttl: TTL,
        max_records: 100,
        max_bytes: 1 << 20,
        max_entry_bytes: 64 << 10,
        scope: CacheScope::Key,
        persist: false,
        single_flight_wait: Duration::from_secs(3_600),
    }
}

fn cache_at(clock: &Clock) -> Cache {
    Cache::new(&config(), clock.clone(), None)
}

fn cache() -> Cache {
    cache_at(&Clock::manual(NOON))
}

/// A request of one tenant for one body.
fn request(cache: &Cache, tenant: &str, body: &str) -> RequestIdentity {
    let mut writer = IdentityWriter::new(body.len());
    writer.field(tenant.as_bytes());
    writer.json(body.as_bytes());
    cache.identify(writer).unwrap()
}

fn wanted<'w>(cache: &Cache, tenant: &str, body: &str) -> Wanted<'w> {
    Wanted {
        request: request(cache, tenant, body),
        candidates: &OPENAI,
        ttl: TTL,
        age_max: None,
        filled_by: filled_by("fast", tenant),
    }
}

fn keep_by(ticket: Box<Ticket>, (provider, model): (&str, &str), body: &str) {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.insert("set-cookie", HeaderValue::from_static("secret"));
    ticket.keep(Fresh {
        headers: &headers,
        body: Bytes::copy_from_slice(body.as_bytes()),
        stream: true,
        provider: &provider.into(),
        provider_model: &model.into(),
        tokens: Tokens {
            input: 3,
            output: 4,
            ..Tokens::default()
        },
        cost_nanos: Some(70),
    });
}

fn keep(ticket: Box<Ticket>, body: &str) {
    keep_by(ticket, OPENAI[0], body);
}

async fn miss(cache: &Cache, wanted: Wanted<'_>) -> Box<Ticket> {
    match cache.look_up(wanted).await.found {
        Found::Miss(ticket) => ticket,
        Found::Hit(answer) => panic!("found {answer:?}"),
    }
}

/// What is found, if anything; a miss is let go.
async fn found(cache: &Cache, wanted: Wanted<'_>) -> Option<String> {
    match cache.look_up(wanted).await.found {
        Found::Hit(answer) => Some(String::from_utf8(answer.body.to_vec()).unwrap()),
        Found::Miss(_) => None,
    }
}

#[tokio::test]
async fn an_answer_is_found_again_with_what_is_known_of_it() {
    let clock = Clock::manual(NOON);
    let cache = cache_at(&clock);
    let ticket = miss(&cache, wanted(&cache, "a", r#"{"x":1,"y":2}"#)).await;
    keep(ticket, "answer");
    clock.advance_ms(7_900);
    let again = wanted(&cache, "a", r#"{ "y":2, "x":1 }"#);
    let Found::Hit(hit) = cache.look_up(again).await.found else {
        panic!("it is there");
    };
    assert_eq!(&hit.body[..], b"answer");
    assert!(hit.stream);
    assert_eq!((&*hit.provider, &*hit.provider_model), OPENAI[0]);
    assert_eq!((hit.tokens.total(), hit.cost_nanos), (7, Some(70)));
    let headers = hit.headers(clock.unix_ms());
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(headers["age"], "7");
    assert_eq!(headers.len(), 2);
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses, stats.entries), (1, 1, 1));
    assert_eq!(stats.saved_nanos, 70);
    assert!(stats.bytes > 6);
}

#[tokio::test]
async fn two_tenants_with_equal_requests_never_share() {
    let cache = cache();
    let body = r#"{"messages":[]}"#;
    keep(miss(&cache, wanted(&cache, "a", body)).await, "for a");
    assert_eq!(found(&cache, wanted(&cache, "b", body)).await, None);
    keep(miss(&cache, wanted(&cache, "b", body)).await, "for b");
    assert_eq!(
        found(&cache, wanted(&cache, "a", body)).await.unwrap(),
        "for a"
    );
    assert_eq!(
        found(&cache, wanted(&cache, "b", body)).await.unwrap(),
        "for b"
    );
}

#[tokio::test]
async fn digests_that_collide_find_nothing_of_each_other() {
    let cache = Cache::with_hash(&config(), Clock::manual(NOON), None, |_| [7; 32]);
    keep(miss(&cache, wanted(&cache, "a", "{}")).await, "for a");
    assert_eq!(found(&cache, wanted(&cache, "b", "{}")).await, None);
    let elsewhere = Wanted {
        candidates: &[("other", "gpt")],
        ..wanted(&cache, "a", "{}")
    };
    assert_eq!(found(&cache, elsewhere).await, None);
    assert_eq!(
        found(&cache, wanted(&cache, "a", "{}")).await.unwrap(),
        "for a"
    );
    // Neither waits for the other, whose digest says that they are the same.
    let leader = miss(&cache, wanted(&cache, "b", "{}")).await;
    let other = miss(&cache, wanted(&cache, "c", "{}")).await;
    keep(leader, "for b");
    assert_eq!(
        found(&cache, wanted(&cache, "a", "{}")).await,
        None,
        "it made way"
    );
    assert_eq!(
        found(&cache, wanted(&cache, "b", "{}")).await.unwrap(),
        "for b"
    );
    drop(other);
}

#[tokio::test]
async fn candidates_are_looked_up_in_the_order_of_the_plan() {
    let cache = cache();
    let two: [(&str, &str); 2] = [("one", "m"), ("two", "m")];
    let both = || Wanted {
        candidates: &two,
        ..wanted(&cache, "a", "{}")
    };
    keep_by(miss(&cache, both()).await, two[1], "of two");
    assert_eq!(found(&cache, both()).await.unwrap(), "of two");
    keep_by(cache.ticket(both()), two[0], "of one");
    assert_eq!(found(&cache, both()).await.unwrap(), "of one");
    let only_two = Wanted {
        candidates: &two[1..],
        ..wanted(&cache, "a", "{}")
    };
    assert_eq!(found(&cache, only_two).await.unwrap(), "of two");
}

#[tokio::test]
async fn an_answer_is_given_out_no_longer_than_whoever_asks_allows() {
    let clock = Clock::manual(NOON);
    let cache = cache_at(&clock);
    let with_ttl = |seconds| Wanted {
        ttl: Duration::from_secs(seconds),
        ..wanted(&cache, "a", "{}")
    };
    keep(miss(&cache, with_ttl(60)).await, "answer");
    clock.advance_ms(10_000);
    assert_eq!(
        found(&cache, with_ttl(10)).await,
        None,
        "too old for this one"
    );
    assert!(found(&cache, with_ttl(11)).await.is_some());
    let with_age = |seconds| Wanted {
        age_max: Some(Duration::from_secs(seconds)),
        ..with_ttl(60)
    };
    assert_eq!(found(&cache, with_age(10)).await, None);
    assert!(found(&cache, with_age(11)).await.is_some());
    clock.advance_ms(49_999);
    assert!(found(&cache, with_ttl(3_600)).await.is_some());
    clock.advance_ms(1);
    assert_eq!(
        found(&cache, with_ttl(3_600)).await,
        None,
        "its time is over"
    );
    assert_eq!(cache.stats().entries, 0);
}

#[tokio::test]
async fn what_is_too_large_is_not_kept() {
    let cache = cache();
    let ticket = miss(&cache, wanted(&cache, "a", "{}")).await;
    let max = ticket.body_bytes_max();
    keep(ticket, &"x".repeat(max + 1));
    assert_eq!(found(&cache, wanted(&cache, "a", "{}")).await, None);
    let mut writer = IdentityWriter::new(0);
    writer.field(&[0; 64 << 10]);
    assert_eq!(cache.identify(writer), None);
}

#[tokio::test]
async fn a_purge_takes_what_it_names_and_what_was_asked_for_before() {
    let cache = cache();
    for tenant in ["a", "b"] {
        keep(miss(&cache, wanted(&cache, tenant, "{}")).await, tenant);
    }
    let asked_before = miss(&cache, wanted(&cache, "c", "{}")).await;
    let of_a = Purge::Account("key:a".parse().unwrap());
    assert_eq!(cache.purge(&of_a).await.unwrap(), 1);
    assert_eq!(found(&cache, wanted(&cache, "a", "{}")).await, None);
    assert!(found(&cache, wanted(&cache, "b", "{}")).await.is_some());
    keep(asked_before, "late");
    assert_eq!(found(&cache, wanted(&cache, "c", "{}")).await, None);
    assert_eq!(cache.purge(&Purge::Model("slow".into())).await.unwrap(), 0);
    assert_eq!(cache.purge(&Purge::Model("fast".into())).await.unwrap(), 1);
    keep(miss(&cache, wanted(&cache, "a", "{}")).await, "a");
    assert_eq!(cache.purge(&Purge::All).await.unwrap(), 1);
    let stats = cache.stats();
    assert_eq!((stats.entries, stats.bytes), (0, 0));
}

#[tokio::test]
async fn of_equal_requests_one_asks_and_the_others_get_its_answer() {
    let cache = cache();
    let tasks = Tasks::default();
    let leader = miss(&cache, wanted(&cache, "a", "{}")).await;
    let others: Vec<_> = (0..20)
        .map(|_| {
            let cache = cache.clone();
            tasks.spawn("follower", async move {
                found(&cache, wanted(&cache, "a", "{}")).await
            })
        })
        .collect();
    // Another request does not wait for it.
    drop(miss(&cache, wanted(&cache, "b", "{}")).await);
    keep(leader, "the one answer");
    for other in join_all(others).await {
        assert_eq!(other.unwrap().as_deref(), Some("the one answer"));
    }
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses), (20, 2));
    assert_eq!(cache.0.inner.lock().flights.len(), 0);
}

#[tokio::test]
async fn a_leader_that_is_gone_wakes_all_who_wait_at_once() {
    let cache = cache();
    let leader = miss(&cache, wanted(&cache, "a", "{}")).await;
    let followers: Vec<_> = (0..3)
        .map(|_| Box::pin(miss(&cache, wanted(&cache, "a", "{}"))))
        .collect();
    let mut followers = followers;
    for follower in &mut followers {
        assert!(poll!(follower.as_mut()).is_pending());
    }
    drop(leader);
    let mut tickets = Vec::new();
    for follower in &mut followers {
        match poll!(follower.as_mut()) {
            Poll::Ready(ticket) => tickets.push(ticket),
            Poll::Pending => panic!("it waits for one who will not come"),
        }
    }
    // They lead nobody: whoever comes now leads, and theirs are kept all the same.
    let next = miss(&cache, wanted(&cache, "a", "{}")).await;
    keep(tickets.remove(0), "answer");
    drop((next, tickets));
    assert!(found(&cache, wanted(&cache, "a", "{}")).await.is_some());
}

#[tokio::test]
async fn a_leader_that_panics_wakes_those_who_wait() {
    let cache = cache();
    let leader = miss(&cache, wanted(&cache, "a", "{}")).await;
    let follower = miss(&cache, wanted(&cache, "a", "{}"));
    pin!(follower);
    assert!(poll!(follower.as_mut()).is_pending());
    let broken = Tasks::default().spawn("leader", async move {
        let _leader = leader;
        panic!("a fault of the gateway");
    });
    assert!(broken.await.is_err());
    drop(follower.await);
}

#[tokio::test]
async fn a_follower_that_leaves_disturbs_nobody() {
    let cache = cache();
    let leader = miss(&cache, wanted(&cache, "a", "{}")).await;
    {
        let follower = found(&cache, wanted(&cache, "a", "{}"));
        pin!(follower);
        assert!(poll!(follower.as_mut()).is_pending());
    }
    keep(leader, "answer");
    assert!(found(&cache, wanted(&cache, "a", "{}")).await.is_some());
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_the_limit() {
    let cache = cache();
    let leader = miss(&cache, wanted(&cache, "a", "{}")).await;
    // The clock goes on by itself when there is nothing else to do.
    let began = Instant::now();
    let looked_up = cache.look_up(wanted(&cache, "a", "{}")).await;
    assert_eq!(looked_up.waited, config().single_flight_wait);
    assert_eq!(began.elapsed(), looked_up.waited);
    let Found::Miss(follower) = looked_up.found else {
        panic!("nobody has answered");
    };
    drop((leader, follower));
}

#[tokio::test]
async fn flights_are_bounded_and_can_be_switched_off() {
    let config = config::Cache {
        max_records: 1,
        ..config()
    };
    let bounded = Cache::new(&config, Clock::manual(NOON), None);
    let first = miss(&bounded, wanted(&bounded, "a", "{}")).await;
    let second = miss(&bounded, wanted(&bounded, "b", "{}")).await;
    drop(miss(&bounded, wanted(&bounded, "b", "{}")).await);
    assert_eq!(bounded.0.inner.lock().flights.len(), 1);
    drop((first, second));
    assert_eq!(bounded.0.inner.lock().flights.len(), 0);
    let config = config::Cache {
        single_flight_wait: Duration::ZERO,
        ..config
    };
    let off = Cache::new(&config, Clock::manual(NOON), None);
    let first = miss(&off, wanted(&off, "a", "{}")).await;
    drop(miss(&off, wanted(&off, "a", "{}")).await);
    drop(first);
}

fn storage(directory: &TempDir) -> Storage {
    let text = format!("[storage]\npath = {:?}", directory.path());
    let loaded = config::parse(&text, "test.toml", &|_| None).unwrap();
    loaded.config.storage
}

/// A cache that begins with what the directory keeps.
async fn persistent(directory: &TempDir, clock: &Clock, persist: bool) -> (Cache, Store) {
    let store = Store::open(&storage(directory), clock.clone()).unwrap();
    let config = config::Cache {
        persist,
        max_records: 3,
        ..config()
    };
    let cache = Cache::new(&config, clock.clone(), Some(store.clone()));
    cache.restore().await;
    (cache, store)
}

#[tokio::test]
async fn what_is_kept_outlives_the_process_as_far_as_there_is_room_and_time() {
    let directory = TempDir::new().unwrap();
    let clock = Clock::manual(NOON);
    let (cache, store) = persistent(&directory, &clock, true).await;
    for tenant in ["a", "b", "c", "d"] {
        keep(miss(&cache, wanted(&cache, tenant, "{}")).await, tenant);
        clock.advance_ms(1_000);
    }
    let Found::Hit(before) = cache.look_up(wanted(&cache, "d", "{}")).await.found else {
        panic!("it is there");
    };
    store.close().await.unwrap();
    drop((cache, store));
    let (cache, store) = persistent(&directory, &clock, true).await;
    assert_eq!(cache.stats().entries, 3);
    assert_eq!(found(&cache, wanted(&cache, "a", "{}")).await, None);
    let Found::Hit(after) = cache.look_up(wanted(&cache, "d", "{}")).await.found else {
        panic!("it was kept");
    };
    assert_eq!(after, before);
    // The least recently used leaves first, as if there had been no restart.
    keep(miss(&cache, wanted(&cache, "e", "{}")).await, "e");
    assert_eq!(found(&cache, wanted(&cache, "b", "{}")).await, None);
    assert!(found(&cache, wanted(&cache, "c", "{}")).await.is_some());
    store.close().await.unwrap();
    drop((cache, store));
    clock.advance_ms(298_000);
    let (cache, store) = persistent(&directory, &clock, true).await;
    assert_eq!(
        cache.stats().entries,
        2,
        "d and e; the time of the others is over"
    );
    drop((cache, store));
    let (cache, _store) = persistent(&directory, &clock, false).await;
    assert_eq!(cache.stats().entries, 0, "switched off");
}

#[tokio::test]
async fn what_is_purged_does_not_come_back() {
    let directory = TempDir::new().unwrap();
    let clock = Clock::manual(NOON);
    let (cache, store) = persistent(&directory, &clock, true).await;
    for tenant in ["a", "b"] {
        keep(miss(&cache, wanted(&cache, tenant, "{}")).await, tenant);
    }
    store.flush().await.unwrap();
    let asked_before = miss(&cache, wanted(&cache, "c", "{}")).await;
    // Not written yet, perhaps.
    keep(miss(&cache, wanted(&cache, "d", "{}")).await, "d");
    for key in ["key:a", "key:d"] {
        let purge = Purge::Account(key.parse().unwrap());
        assert_eq!(cache.purge(&purge).await.unwrap(), 1);
    }
    keep(asked_before, "c");
    drop((cache, store));
    let (cache, store) = persistent(&directory, &clock, true).await;
    assert_eq!(cache.stats().entries, 1);
    assert!(found(&cache, wanted(&cache, "b", "{}")).await.is_some());
    drop((cache, store));
    // Also by one that keeps nothing itself.
    let (cache, store) = persistent(&directory, &clock, false).await;
    assert_eq!(cache.purge(&Purge::All).await.unwrap(), 0);
    drop((cache, store));
    let (cache, _store) = persistent(&directory, &clock, true).await;
    assert_eq!(cache.stats().entries, 0);
}
