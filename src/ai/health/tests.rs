use ferrogate_api::{BreakerState, CredentialState, ProviderHealth, ProviderStatus};

use super::*;
use crate::ai::models::Catalog;
use crate::config;
use crate::error::ProviderFault;

const NOW: i64 = 1_767_225_600_000;
const OPTIONS: HealthOptions = HealthOptions {
    failure_threshold: 2,
    cooldown_ms: 10_000,
    half_open_max: 1,
    credential_retry_ms: 300_000,
};

/// A configuration with the provider `p`, whose three credentials are set as `set` says.
fn catalog(variables: &str) -> Catalog {
    let text = format!(
        "[[providers]]\nname = \"p\"\nkind = \"openai-compatible\"\nbase_url = \"http://127.0.0.1:1\"\n{variables}\n\
         [[models]]\nname = \"m\"\nprovider = \"p\"\nprovider_model = \"real\"\n"
    );
    let env = |name: &str| name.starts_with("SET").then(|| format!("sk-{name}"));
    let loaded = config::parse(&text, "test.toml", &env).unwrap_or_else(|error| panic!("{error}"));
    Catalog::build(&loaded.config).unwrap()
}

const NO_KEY: &str = "";
const ONE_KEY: &str = "api_key_env = \"SET_1\"";
const THREE_KEYS: &str = "api_key_envs = [\"SET_1\", \"SET_2\", \"SET_3\"]";

/// One provider and what is known of it.
struct Bench {
    health: Health,
    catalog: Catalog,
}

impl Bench {
    fn new(variables: &str) -> Self {
        Self {
            health: Health::new(OPTIONS),
            catalog: catalog(variables),
        }
    }

    fn provider(&self) -> &Arc<Provider> {
        &self.catalog.providers()[0]
    }

    fn enter(&self, now: i64) -> Result<Pass, RequestError> {
        self.health.enter(self.provider(), &"real".into(), now)
    }

    /// One attempt that ends as `status` says. The index of the credential it was made with.
    fn attempt(&self, status: u16, now: i64) -> Option<u32> {
        let pass = self.enter(now).unwrap();
        let index = pass.credential().map(|credential| credential.index);
        settle(pass, status, None, now);
        index
    }

    fn view(&self, now: i64) -> ProviderHealth {
        self.health.view(&self.catalog, now).remove(0)
    }
}

fn refusal(status: u16, retry_after: Option<Duration>) -> RequestError {
    let kind = match status {
        401 | 403 => return RequestError::new(ErrorKind::ProviderCredentialRefused, "no"),
        0 => return RequestError::new(ErrorKind::ProviderUnreachable, "gone"),
        _ => ErrorKind::ProviderError,
    };
    let mut error = RequestError::new(kind, "no").with_provider(ProviderFault {
        status,
        r#type: None,
        code: None,
    });
    error.retry_after = retry_after;
    error
}

fn settle(pass: Pass, status: u16, retry_after: Option<Duration>, now: i64) {
    let error = (status != 200).then(|| refusal(status, retry_after));
    pass.settle(Settled {
        error: error.as_ref(),
        status,
        at_unix_ms: now,
    });
}

#[test]
fn only_a_providers_own_faults_count_against_it() {
    let check = |error: RequestError, expected| assert_eq!(fault_of(&error), expected, "{error:?}");
    for (status, expected) in [
        (400, Fault::Client),
        (401, Fault::Credential),
        (403, Fault::Credential),
        (404, Fault::Client),
        (408, Fault::Upstream),
        (413, Fault::Client),
        (422, Fault::Client),
        (429, Fault::Credential),
        (500, Fault::Upstream),
        (503, Fault::Upstream),
        (529, Fault::Upstream),
    ] {
        check(refusal(status, None), expected);
    }
    check(RequestError::client_gone(), Fault::Client);
    check(refusal(0, None), Fault::Upstream);
    let stalled = RequestError::new(ErrorKind::ProviderStalled, "silent");
    check(stalled, Fault::Upstream);
    let large = RequestError::new(ErrorKind::ProviderResponseTooLarge, "large");
    check(large, Fault::Gateway);
    let draining = RequestError::new(ErrorKind::NodeDraining, "leaving");
    check(draining, Fault::Gateway);
}

#[test]
fn a_provider_that_fails_is_shut_out_probed_and_let_in_again() {
    let bench = Bench::new(NO_KEY);
    bench.attempt(500, NOW);
    bench.attempt(400, NOW);
    bench.attempt(0, NOW);
    let error = bench.enter(NOW + 1).unwrap_err();
    assert_eq!(error.kind, ErrorKind::ProviderCircuitOpen);
    assert_eq!(error.retry_after, Some(Duration::from_secs(10)));
    let later = NOW + 10_000;
    let mut probe = bench.enter(later).unwrap();
    assert_eq!(
        bench.enter(later).unwrap_err().kind,
        ErrorKind::ProviderCircuitOpen
    );
    assert_eq!(bench.view(later).status, ProviderStatus::HalfOpen);
    probe.answering(Duration::from_millis(120), true);
    assert_eq!(bench.view(later).breaker.state, BreakerState::Closed);
    let other = bench.enter(later).unwrap();
    settle(probe, 200, None, later);
    drop(other);
    assert_eq!(bench.view(later).breaker.consecutive_failures, 0);
}

#[test]
fn a_probe_that_finds_nothing_out_gives_its_place_back() {
    let bench = Bench::new(NO_KEY);
    bench.attempt(500, NOW);
    bench.attempt(500, NOW);
    let later = NOW + 10_000;
    drop(bench.enter(later).unwrap());
    settle(bench.enter(later).unwrap(), 400, None, later);
    let gone = RequestError::client_gone();
    bench.enter(later).unwrap().settle(Settled {
        error: Some(&gone),
        status: 200,
        at_unix_ms: later,
    });
    let probe = bench.enter(later).unwrap();
    settle(probe, 502, None, later);
    assert_eq!(
        bench.view(later).breaker.opened_at_unix_ms,
        Some(later),
        "a probe that fails opens it again"
    );
    assert_eq!(
        bench.view(later).breaker.retry_at_unix_ms,
        Some(later + 10_000)
    );
}

#[test]
fn a_stream_that_breaks_after_it_began_counts_as_a_failure() {
    let bench = Bench::new(NO_KEY);
    for _ in 0..2 {
        let mut pass = bench.enter(NOW).unwrap();
        pass.answering(Duration::from_millis(50), true);
        let cut = RequestError::new(ErrorKind::ProviderProtocolError, "cut");
        pass.settle(Settled {
            error: Some(&cut),
            status: 200,
            at_unix_ms: NOW,
        });
    }
    let view = bench.view(NOW);
    assert_eq!(view.status, ProviderStatus::Open);
    assert_eq!(view.models[0].failures, 2);
    assert_eq!(view.models[0].latency_us, Some(50_000));
    assert_eq!(
        view.models[0].last_error_code.as_deref(),
        Some("provider_protocol_error")
    );
}

#[test]
fn several_credentials_take_turns_and_those_left_aside_are_passed_over() {
    let bench = Bench::new(THREE_KEYS);
    let used: Vec<_> = (0..6).filter_map(|_| bench.attempt(200, NOW)).collect();
    assert_eq!(used, [1, 2, 3, 1, 2, 3]);
    assert_eq!(bench.attempt(401, NOW), Some(1));
    let used: Vec<_> = (0..6).filter_map(|_| bench.attempt(200, NOW)).collect();
    assert!(!used.contains(&1), "{used:?}");
    assert!(used.contains(&2) && used.contains(&3), "{used:?}");
    let back = NOW + OPTIONS.credential_retry_ms;
    let used: Vec<_> = (0..3).filter_map(|_| bench.attempt(200, back)).collect();
    assert!(used.contains(&1), "{used:?}");
}

#[test]
fn a_refusal_is_followed_by_the_next_credential_until_none_is_left() {
    let bench = Bench::new(THREE_KEYS);
    for left in [true, true, false] {
        bench.attempt(401, NOW);
        let live = bench.health.has_live_credential(bench.provider(), NOW);
        assert_eq!(live, left);
    }
    let error = bench.enter(NOW + 1000).unwrap_err();
    assert_eq!(error.kind, ErrorKind::ProviderCredentialRefused);
    assert!(error.message.contains("299 s"), "{}", error.message);
    assert!(!error.message.contains("sk-"), "{}", error.message);
    // Over a reload, which compiles the same configuration anew, it is still known.
    let reloaded = catalog(THREE_KEYS);
    let provider = &reloaded.providers()[0];
    assert!(
        bench
            .health
            .enter(provider, &"real".into(), NOW + 1000)
            .is_err()
    );
    assert!(bench.enter(NOW + OPTIONS.credential_retry_ms).is_ok());
}

#[test]
fn a_limited_credential_rests_as_long_as_it_is_told_and_is_a_last_resort() {
    let bench = Bench::new(THREE_KEYS);
    for seconds in [60, 20, 40] {
        let pass = bench.enter(NOW).unwrap();
        settle(pass, 429, Some(Duration::from_secs(seconds)), NOW);
    }
    assert!(!bench.health.has_live_credential(bench.provider(), NOW));
    // The second is back first; then it alone is live.
    assert_eq!(bench.attempt(503, NOW + 1), Some(2));
    assert_eq!(bench.attempt(200, NOW + 20_000), Some(2));
    assert_eq!(bench.attempt(200, NOW + 20_001), Some(2));
    // Asked to come back at once, the same key is not tried again at once.
    let bench = Bench::new(ONE_KEY);
    let pass = bench.enter(NOW).unwrap();
    settle(pass, 429, Some(Duration::ZERO), NOW);
    assert!(
        !bench
            .health
            .has_live_credential(bench.provider(), NOW + 999)
    );
    assert!(
        bench
            .health
            .has_live_credential(bench.provider(), NOW + 1000)
    );
    // No `retry-after` keeps it aside for longer than a refusal would.
    let bench = Bench::new(ONE_KEY);
    let pass = bench.enter(NOW).unwrap();
    settle(pass, 429, Some(Duration::from_secs(86_400)), NOW);
    let until = bench.view(NOW).credentials[0].until_unix_ms;
    assert_eq!(until, Some(NOW + OPTIONS.credential_retry_ms));
}

#[test]
fn what_was_forbidden_once_is_not_refused_for_good() {
    let bench = Bench::new(ONE_KEY);
    assert_eq!(bench.attempt(403, NOW), Some(1));
    assert_eq!(
        bench.view(NOW).credentials[0].state,
        CredentialState::Resting
    );
    // Asked all the same, and what answers is live again.
    assert_eq!(bench.attempt(200, NOW), Some(1));
    assert!(bench.health.has_live_credential(bench.provider(), NOW));
}

#[test]
fn a_key_is_missing_only_where_none_is_set() {
    let bench = Bench::new("api_key_envs = [\"NO_1\", \"SET_2\"]");
    assert_eq!(bench.attempt(200, NOW), Some(2));
    assert_eq!(bench.view(NOW).status, ProviderStatus::Degraded);
    let bench = Bench::new("api_key_envs = [\"NO_1\", \"NO_2\"]");
    let error = bench.enter(NOW).unwrap_err();
    assert_eq!(error.kind, ErrorKind::ProviderCredentialMissing);
    assert!(error.message.contains("NO_1, NO_2"), "{}", error.message);
    let bench = Bench::new(NO_KEY);
    assert_eq!(bench.attempt(200, NOW), None);
}

#[test]
fn the_view_tells_what_happened_and_no_secrets() {
    let bench = Bench::new("api_key_envs = [\"SET_1\", \"NO_2\"]");
    assert_eq!(bench.view(NOW).models, []);
    bench.attempt(401, NOW);
    let view = bench.view(NOW);
    let states: Vec<_> = view
        .credentials
        .iter()
        .map(|credential| (credential.index, credential.state))
        .collect();
    assert_eq!(
        states,
        [(1, CredentialState::Refused), (2, CredentialState::Unset)]
    );
    let json = serde_json::to_string(&view).unwrap();
    for secret in ["SET_1", "NO_2", "sk-"] {
        assert!(!json.contains(secret), "{json}");
    }
    let bench = Bench::new(ONE_KEY);
    assert_eq!(bench.view(NOW).status, ProviderStatus::Unknown);
    bench.attempt(200, NOW);
    assert_eq!(bench.view(NOW).status, ProviderStatus::Healthy);
    bench.attempt(500, NOW + 1);
    let view = bench.view(NOW + 1);
    assert_eq!(view.status, ProviderStatus::Degraded);
    let model = &view.models[0];
    assert_eq!((model.requests, model.failures), (2, 1));
    assert_eq!(model.failure_permille, 500);
    assert_eq!(model.last_success_at_unix_ms, Some(NOW));
    assert_eq!(model.last_error_at_unix_ms, Some(NOW + 1));
    assert_eq!(model.last_error_code.as_deref(), Some("provider_error"));
}

#[test]
fn what_is_remembered_has_a_bound_and_the_oldest_goes_first() {
    let mut map: HashMap<u32, i64> = (0..3).map(|key| (key, i64::from(key))).collect();
    make_room(&mut map, 4, |age| *age);
    assert_eq!(map.len(), 3);
    make_room(&mut map, 3, |age| *age);
    assert_eq!(map.len(), 2);
    assert!(!map.contains_key(&0));
}

#[test]
fn of_many_threads_at_once_no_more_get_in_than_may_probe() {
    let bench = Bench::new(NO_KEY);
    bench.attempt(500, NOW);
    bench.attempt(500, NOW);
    let later = NOW + 10_000;
    let admitted: Vec<Pass> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| bench.enter(later).ok()))
            .collect();
        threads
            .into_iter()
            .filter_map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(admitted.len(), 1);
}

#[test]
fn whoever_listens_hears_of_every_breaker_that_moves_and_every_credential_that_changes() {
    let heard: Arc<Mutex<Vec<HealthChange>>> = Arc::default();
    let sink = Arc::clone(&heard);
    let bench = Bench {
        health: Health::new(OPTIONS)
            .telling(HealthSink::new(move |change| sink.lock().push(change))),
        catalog: catalog(ONE_KEY),
    };
    let check = |expected: &[HealthChange]| {
        let told = std::mem::take(&mut *heard.lock());
        assert_eq!(told, expected);
    };
    let moved = |from, to, consecutive_failures| HealthChange::Breaker {
        provider: "p".into(),
        from,
        to,
        consecutive_failures,
    };
    let credential = |state, until_unix_ms| HealthChange::Credential {
        provider: "p".into(),
        index: 1,
        state,
        until_unix_ms,
    };
    bench.attempt(200, NOW);
    bench.attempt(503, NOW);
    check(&[]);
    bench.attempt(503, NOW);
    check(&[moved(BreakerState::Closed, BreakerState::Open, 2)]);
    let mut probe = bench.enter(NOW + 10_000).unwrap();
    check(&[moved(BreakerState::Open, BreakerState::HalfOpen, 2)]);
    probe.answering(Duration::from_millis(5), true);
    check(&[moved(BreakerState::HalfOpen, BreakerState::Closed, 0)]);
    settle(probe, 200, None, NOW + 10_000);
    check(&[]);

    bench.attempt(429, NOW + 20_000);
    check(&[credential(CredentialState::Resting, Some(NOW + 25_000))]);
    bench.attempt(429, NOW + 21_000);
    check(&[]);
    bench.attempt(401, NOW + 22_000);
    check(&[credential(CredentialState::Refused, Some(NOW + 322_000))]);
    bench.attempt(200, NOW + 400_000);
    check(&[credential(CredentialState::Live, None)]);
    bench.attempt(200, NOW + 400_000);
    check(&[]);
}
