//! The cache, the cluster and the authorization service.

use std::time::Duration;

use super::*;

/// What these lines of `[cluster]` become, and the warnings about them.
fn cluster(lines: &str, env: &[(&str, &str)]) -> (Cluster, Vec<String>) {
    let variable = |name: &str| {
        let found = env.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let text = format!("[cluster]\n{lines}");
    let loaded = parse(&text, "t", &variable).unwrap_or_else(|errors| panic!("{errors}"));
    let warnings = loaded.warnings.into_iter().map(|warning| warning.key);
    (loaded.config.cluster, warnings.collect())
}

#[test]
fn a_node_has_the_name_that_it_is_given_first() {
    let check = |lines: &str, env: &[(&str, &str)], expected: &str| {
        assert_eq!(cluster(lines, env).0.node_id, expected, "{lines} {env:?}");
    };
    let from_process = format!("ferrogate-{}", std::process::id());
    let host = ("HOSTNAME", "host-1");
    let node = ("FERROGATE_NODE_ID", "node-1");
    check("", &[], &from_process);
    check("node_id = 'auto'", &[host], "host-1");
    check("", &[host, node], "node-1");
    check("node_id = 'mine'", &[host, node], "mine");
    check("", &[("HOSTNAME", "two words")], &from_process);
    let wrong = parse("", "t", &|name| {
        (name == "FERROGATE_NODE_ID").then(|| "two words".to_owned())
    });
    assert_eq!(wrong.unwrap_err().0[0].key, "FERROGATE_NODE_ID");
}

#[test]
fn redis_and_the_shared_file_are_named_where_they_are_used() {
    let (plain, warnings) = cluster("", &[]);
    assert!(!plain.enabled && plain.redis_url.is_none() && plain.file_state_path.is_none());
    assert_eq!(plain.counter_timeout, Duration::from_millis(500));
    assert_eq!(warnings, [""; 0]);
    let lines = "
        enabled = true
        node_id = 'a'
        state_backend = 'file'
        file_state_path = '/srv/state.json'
        counter_backend = 'redis'
        redis_url_env = 'REDIS'
    ";
    let (shared, warnings) = cluster(lines, &[("REDIS", "rediss://:pw@[::1]:6380/1")]);
    assert_eq!(warnings, [""; 0]);
    assert_eq!(shared.state_backend, StateBackend::File);
    assert_eq!(shared.counter_backend, CounterBackend::Redis);
    assert_eq!(
        shared.file_state_path.unwrap(),
        Path::new("/srv/state.json")
    );
    assert_eq!(
        shared.redis_url.unwrap().expose(),
        "rediss://:pw@[::1]:6380/1"
    );
    let unset = parse(&format!("[cluster]\n{lines}"), "t", &no_environment).unwrap_err();
    assert_eq!(unset.0[0].key, "cluster.redis_url_env");
}

#[test]
fn a_cluster_that_is_not_what_it_looks_like_is_a_warning() {
    let check = |lines: &str, expected: &[&str]| {
        assert_eq!(cluster(lines, &[]).1, expected, "{lines}");
    };
    let redis = "counter_backend = 'redis'\nredis_url = 'redis://host'";
    check(redis, &["cluster.counter_backend"]);
    check("state_backend = 'file'", &["cluster.state_backend"]);
    check("state_backend = 'local'", &[]);
    check(&format!("enabled = true\n{redis}"), &["cluster.node_id"]);
    check(&format!("enabled = true\nnode_id = 'a'\n{redis}"), &[]);
}

#[test]
fn a_redis_url_has_a_host_and_is_never_quoted() {
    let check = |url: &str, usable: bool| {
        let found = errors(&format!("cluster.redis_url = '{url}'"));
        assert_eq!(found.is_empty(), usable, "{url}: {found}");
        assert!(!found.contains("hunter2"), "{found}");
    };
    for usable in [
        "redis://host",
        "redis://host:6379/0",
        "rediss://user:hunter2@host:1/0?protocol=resp3",
        "redis://:a:b@[::1]:6379",
        "redis://[::1]",
    ] {
        check(usable, true);
    }
    for refused in [
        "",
        "host:6379",
        "http://host",
        "redis://",
        "redis://:hunter2@",
        "redis://:6379",
        "redis://host:0",
        "redis://host:port",
        "redis://hunter2:secret@host:99999",
        "redis://a b",
    ] {
        check(refused, false);
    }
}

#[test]
fn a_larger_cache_entry_needs_a_larger_cache() {
    let check = |lines: &str, total: u64, entry: u64| {
        let cache = read(&format!("[cache]\n{lines}")).unwrap().config.cache;
        assert_eq!((cache.max_bytes, cache.max_entry_bytes), (total, entry));
    };
    check("", 64 << 20, 1 << 20);
    check("max_bytes = 65536", 65_536, 65_536);
    check("max_entry_bytes = 67108864", 64 << 20, 64 << 20);
    assert!(errors("cache.max_entry_bytes = 67108865").contains("must not be over `max_bytes`"));
    let cache = read("cache.scope = 'organization'").unwrap().config.cache;
    assert_eq!(cache.scope, CacheScope::Organization);
    assert!(!cache.enabled && !cache.persist);
}

#[test]
fn an_authorization_service_needs_an_address_and_its_token() {
    let env = |name: &str| (name == "TOKEN").then(|| "t0ken".to_owned());
    let read = |lines: &str| {
        let loaded = parse(&format!("[auth_service]\n{lines}"), "t", &env)?;
        Ok::<_, ConfigErrors>((loaded.config.auth_service, loaded.warnings.len()))
    };
    let (service, _) = read("").unwrap();
    assert!(!service.enabled && service.endpoint.is_none() && service.token.is_none());
    let token = "enabled = true\ntoken_env = 'TOKEN'";
    let (service, warnings) = read(&format!("{token}\nendpoint = 'https://auth/base/'")).unwrap();
    assert_eq!(service.endpoint.unwrap().to_string(), "https://auth/base");
    assert_eq!(service.token.unwrap().expose(), "t0ken");
    assert_eq!(warnings, 0);
    for (endpoint, expected) in [
        ("http://127.0.0.1:8090", 0),
        ("http://localhost:8090", 0),
        ("http://[::1]:8090", 0),
        ("http://auth.internal", 1),
    ] {
        let (_, warnings) = read(&format!("{token}\nendpoint = '{endpoint}'")).unwrap();
        assert_eq!(warnings, expected, "{endpoint}");
    }
    let error = read("enabled = true\nendpoint = 'https://a'\ntoken_env = 'NO'").unwrap_err();
    assert_eq!(error.0[0].key, "auth_service.token_env");
    assert!(read("endpoint = 'https://a'\ntoken_env = 'NO'").is_ok());
}

#[test]
fn thresholds_are_announced_in_order_and_once() {
    let check = |text: &str, expected: &[u8]| {
        let governance = read(text).unwrap().config.governance;
        assert_eq!(governance.budget_thresholds_percent, expected, "{text}");
    };
    check("", &[50, 80, 100]);
    check("governance.budget_thresholds_percent = []", &[]);
    check(
        "governance.budget_thresholds_percent = [90, 10, 90]",
        &[10, 90],
    );
    let eleven = "governance.budget_thresholds_percent = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]";
    assert!(errors(eleven).contains("must be at most 10"));
}
