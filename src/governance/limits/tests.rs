use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::clock::Clock;
use crate::config::{self, KeySecret, Scope, Secret};
use crate::governance::Keys;

const NOW_MS: i64 = 1_767_225_600_000;

fn key(id: &str, limit: Option<u64>) -> Arc<Key> {
    let declared = config::ApiKey {
        id: id.into(),
        name: id.into(),
        secret: KeySecret::Inline(Secret::new(id)),
        enabled: true,
        scopes: Scope::CLIENT.to_vec(),
        allowed_models: Vec::new(),
        denied_models: Vec::new(),
        allowed_providers: Vec::new(),
        denied_providers: Vec::new(),
        organization_id: None,
        project_id: None,
        request_limit_per_minute: limit,
        expires_at_unix: None,
    };
    Keys::build(&[declared], Vec::new())
        .unwrap()
        .get(id)
        .unwrap()
        .clone()
}

#[test]
fn a_key_without_a_limit_is_admitted_and_has_nothing_to_report() {
    let permit = RateLimits::default()
        .admit(&key("free", None), NOW_MS)
        .unwrap();
    assert_eq!(permit.rate(), None);
}

#[test]
fn the_limit_is_granted_then_refused_and_each_grant_returns_a_minute_later() {
    let (limits, key, clock) = (
        RateLimits::default(),
        key("k", Some(3)),
        Clock::manual(NOW_MS),
    );
    for remaining in [2, 1, 0] {
        let rate = limits.admit(&key, clock.unix_ms()).unwrap().rate().unwrap();
        assert_eq!((rate.limit, rate.remaining), (3, remaining));
        clock.advance_ms(10_000);
    }
    let refusal = limits.admit(&key, clock.unix_ms()).unwrap_err();
    assert_eq!(refusal.error.kind, ErrorKind::RateLimitExceeded);
    assert_eq!(refusal.error.retry_after, Some(Duration::from_secs(31)));
    assert_eq!(refusal.rate.reset, Duration::from_secs(51));
    assert!(refusal.error.message.contains("`k`"), "{}", refusal.error);
    assert!(
        refusal.error.message.contains("3 requests per minute"),
        "{}",
        refusal.error
    );

    clock.advance_ms(30_999);
    assert!(limits.admit(&key, clock.unix_ms()).is_err());
    clock.advance_ms(1);
    assert!(limits.admit(&key, clock.unix_ms()).is_ok());
    assert!(limits.admit(&key, clock.unix_ms()).is_err());
}

#[test]
fn refused_requests_do_not_push_the_next_grant_away() {
    let (limits, key) = (RateLimits::default(), key("k", Some(1)));
    assert!(limits.admit(&key, NOW_MS).is_ok());
    for second in 1..61 {
        assert!(
            limits.admit(&key, NOW_MS + second * 1000).is_err(),
            "second {second}"
        );
    }
    assert!(limits.admit(&key, NOW_MS + 61_000).is_ok());
}

#[test]
fn a_limit_of_zero_admits_nothing() {
    let refusal = RateLimits::default()
        .admit(&key("k", Some(0)), NOW_MS)
        .unwrap_err();
    assert_eq!(refusal.rate.remaining, 0);
}

#[test]
fn a_lowered_limit_waits_until_enough_grants_have_left() {
    let limits = RateLimits::default();
    for second in 0..4 {
        assert!(
            limits
                .admit(&key("k", Some(10)), NOW_MS + second * 1000)
                .is_ok()
        );
    }
    let refusal = limits.admit(&key("k", Some(2)), NOW_MS + 4000).unwrap_err();
    assert_eq!(refusal.error.retry_after, Some(Duration::from_secs(59)));
    assert!(limits.admit(&key("k", Some(2)), NOW_MS + 63_000).is_ok());
}

#[test]
fn a_clock_that_is_set_back_neither_frees_grants_nor_locks_the_key_out() {
    let (limits, key) = (RateLimits::default(), key("k", Some(2)));
    let an_hour = 3_600_000;
    assert!(limits.admit(&key, NOW_MS + an_hour).is_ok());
    assert!(limits.admit(&key, NOW_MS).is_ok());
    assert!(limits.admit(&key, NOW_MS).is_err());
    assert!(limits.admit(&key, NOW_MS + 61_000).is_ok());
}

#[test]
fn no_minute_ever_holds_more_grants_than_the_limit_however_many_ask_at_once() {
    const LIMIT: u64 = 50;
    let (limits, key, clock) = (
        RateLimits::default(),
        key("k", Some(LIMIT)),
        Clock::manual(NOW_MS),
    );
    let mut granted_at = Vec::new();
    // Uneven steps, so that bursts fall anywhere within a second.
    for round in 0..400 {
        let granted = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10 {
                        if limits.admit(&key, clock.unix_ms()).is_ok() {
                            granted.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        granted_at.push((clock.unix_ms(), granted.into_inner()));
        clock.advance_ms(137 * (round % 11) + 1);
    }
    for (end, _) in &granted_at {
        let in_window: u64 = granted_at
            .iter()
            .filter(|(at, _)| (end - 60_000..=*end).contains(at))
            .map(|(_, count)| count)
            .sum();
        assert!(
            in_window <= LIMIT,
            "{in_window} grants in the minute before {end}"
        );
    }
    let total: u64 = granted_at.iter().map(|(_, count)| count).sum();
    assert!(total > 3 * LIMIT, "the window slides: {total}");
}

#[test]
fn keys_have_windows_of_their_own_and_empty_windows_are_dropped() {
    let limits = RateLimits::default();
    let windows = |limits: &RateLimits| -> usize {
        limits
            .shards
            .iter()
            .map(|shard| shard.lock().windows.len())
            .sum()
    };
    for round in 0..4 {
        for number in 0..2000 {
            let key = key(&format!("{round}-{number}"), Some(1));
            assert!(limits.admit(&key, NOW_MS + round * 120_000).is_ok());
        }
    }
    let kept = windows(&limits);
    assert!(
        (2000..=2 * 2000 + SHARDS * SWEEP_MIN).contains(&kept),
        "{kept}"
    );
}

#[test]
fn the_headers_are_openais() {
    let check = |reset, expected: &str| {
        let rate = RateStatus {
            limit: 60,
            remaining: 7,
            reset,
        };
        let headers = rate
            .headers()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
        assert_eq!(
            headers,
            [
                "x-ratelimit-limit-requests: 60".to_owned(),
                "x-ratelimit-remaining-requests: 7".to_owned(),
                format!("x-ratelimit-reset-requests: {expected}"),
            ]
        );
    };
    check(Duration::ZERO, "0ms");
    check(Duration::from_micros(11_001), "12ms");
    check(Duration::from_millis(999), "999ms");
    check(Duration::from_secs(6), "6s");
    check(Duration::from_millis(6001), "7s");
    check(Duration::from_secs(63), "1m3s");
    check(Duration::from_secs(360), "6m0s");
    check(Duration::from_secs(3600), "1h0m0s");
}
