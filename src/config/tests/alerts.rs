//! Alert rules, in the file and as documents.

use ferrogate_api::AlertSeverity;
use serde_json::{Value, json};

use super::{super::managed::*, *};

const BESIDE: &str = "
    providers = [{ name = 'a' }]
    models = [{ name = 'm', provider = 'a', provider_model = 'gpt-4o' }]
    tenants = [{ kind = 'organization', id = 'acme' }]
    [[api_keys]]
    id = 'k'
    key_hash = 'sha256:0000000000000000000000000000000000000000000000000000000000000001'
    organization_id = 'acme'
";

fn rule(keys: &str) -> Result<Loaded, ConfigErrors> {
    let env = |name: &str| match name {
        "HOOK" => Some("https://hooks.example.com/services/T0/hunter2".to_owned()),
        "TOKEN" => Some("t0ken".to_owned()),
        "BROKEN" => Some("two\nhunter2".to_owned()),
        _ => None,
    };
    parse(
        &format!("{BESIDE}\n[[alerts]]\nname = 'r'\n{keys}"),
        "t",
        &env,
    )
}

fn alert(keys: &str) -> Arc<Alert> {
    let loaded = rule(keys).unwrap_or_else(|errors| panic!("{errors}\n{keys}"));
    Arc::clone(&loaded.config.alerts[0])
}

/// The first thing that is wrong with it.
fn refused(keys: &str) -> String {
    let issues = rule(keys).unwrap_err().0;
    format!("{}: {}", issues[0].key, issues[0].message)
}

#[test]
fn one_mistake_hides_no_other_key() {
    for keys in [
        "metric = 'database_bytes'",
        "metric = 'nothing'\nabove = 1",
        "metric = 'database_bytes'\nabove = 1\nbelow = 2",
    ] {
        let rest =
            "severity = 'critical'\nwebhook_url = 'https://hooks.example.com/'\nmessage = 'm'";
        let issues = rule(&format!("{keys}\n{rest}")).unwrap_err().0;
        assert_eq!(issues.len(), 1, "{keys}: {issues:?}");
    }
}

#[test]
fn a_rule_becomes_what_it_says() {
    let plain = alert("metric = 'disk_free_percent'\nbelow = 10");
    assert!(plain.enabled && plain.webhook.is_none() && plain.message.is_none());
    assert_eq!(plain.bound, AlertBound::Below(Quantity::whole(10)));
    assert_eq!(plain.severity, AlertSeverity::Warning);
    assert_eq!((plain.window.as_secs(), plain.lasting.as_secs()), (300, 0));
    let whole = alert(
        "metric = 'error_rate_percent'
        above = 2.5
        window_secs = 60
        for_secs = 120
        model = 'm'
        provider = 'a'
        api_key = 'k'
        severity = 'critical'
        webhook_url = 'https://hooks.example.com/x?sig=1'
        webhook_secret_env = 'TOKEN'
        message = 'call Ada'
        enabled = false",
    );
    assert_eq!(whole.bound.threshold().to_string(), "2.5");
    assert_eq!((whole.window.as_secs(), whole.lasting.as_secs()), (60, 120));
    assert_eq!(whole.scope.model.as_deref(), Some("m"));
    assert_eq!(whole.scope.api_key.as_deref(), Some("k"));
    assert_eq!(whole.severity.as_str(), "critical");
    let webhook = whole.webhook.as_ref().unwrap();
    assert_eq!(
        webhook.address.url().unwrap().to_string(),
        "https://hooks.example.com/x?sig=1"
    );
    let secret = webhook.secret.as_ref().unwrap();
    assert_eq!(secret.token.as_ref().unwrap().expose(), "t0ken");
    let budget =
        alert("metric = 'budget_used_percent'\nabove = '90'\naccount = 'organization:acme'");
    assert_eq!(
        budget.scope.account.as_ref().unwrap().to_string(),
        "organization:acme"
    );
}

#[test]
fn a_bound_is_met_on_its_own_side_alone() {
    let check = |bound: AlertBound, met: [bool; 3]| {
        let found = [4, 5, 6].map(|value| bound.is_met_by(Quantity::whole(value)));
        assert_eq!(found, met, "{bound:?}");
    };
    check(AlertBound::Above(Quantity::whole(5)), [false, false, true]);
    check(AlertBound::Below(Quantity::whole(5)), [true, false, false]);
}

#[test]
fn a_rule_is_refused_for_what_it_cannot_mean() {
    for (keys, expected) in [
        ("above = 1", "alerts[0].metric: is missing"),
        (
            "metric = 'error_rate'\nabove = 1",
            "alerts[0].metric: must be one of",
        ),
        (
            "metric = 'logs_dropped'",
            "alerts[0]: needs `above` or `below`",
        ),
        (
            "metric = 'logs_dropped'\nabove = 1\nbelow = 2",
            "alerts[0].below: stands beside `above`",
        ),
        (
            "metric = 'logs_dropped'\nabove = -1",
            "alerts[0].above: must be from 0",
        ),
        (
            "metric = 'logs_dropped'\nabove = 0\nmodel = 'm'",
            "alerts[0].model: has no meaning for `logs_dropped`",
        ),
        (
            "metric = 'error_rate_percent'\nabove = 0\naccount = 'key:k'",
            "alerts[0].account: has no meaning",
        ),
        (
            "metric = 'budget_used_percent'\nabove = 0\nprovider = 'a'",
            "alerts[0].provider: has no meaning",
        ),
        (
            "metric = 'database_bytes'\nabove = 0\nwindow_secs = 60",
            "alerts[0].window_secs: has no meaning for `database_bytes`",
        ),
        (
            "metric = 'ttft_p95_ms'\nabove = 0\nmodel = 'n'",
            "alerts[0].model: there is no model `n`",
        ),
        (
            "metric = 'ttft_p95_ms'\nabove = 0\nprovider = 'b'",
            "alerts[0].provider: there is no provider `b`",
        ),
        (
            "metric = 'ttft_p95_ms'\nabove = 0\napi_key = 'l'",
            "alerts[0].api_key: there is no key `l`",
        ),
        (
            "metric = 'budget_used_percent'\nabove = 0\naccount = 'acme'",
            "alerts[0].account: must be such as",
        ),
        (
            "metric = 'budget_used_percent'\nabove = 0\naccount = 'organization:acne'",
            "alerts[0].account: there is no organization `acne`; did you mean `acme`?",
        ),
        (
            "metric = 'budget_used_percent'\nabove = 0\naccount = 'key:l'",
            "alerts[0].account: there is no key `l`",
        ),
        (
            "metric = 'logs_dropped'\nabove = 0\nwebhook_secret_env = 'TOKEN'",
            "alerts[0].webhook_secret_env: has no meaning without",
        ),
        (
            "metric = 'logs_dropped'\nabove = 0\nwebhook_url = 'https://a'\nwebhook_url_env = 'HOOK'",
            "alerts[0].webhook_url_env: stands beside",
        ),
        (
            "metric = 'logs_dropped'\nabove = 0\nwebhook_url = 'hooks.example.com'",
            "alerts[0].webhook_url: is no usable URL",
        ),
        (
            "metric = 'logs_dropped'\nabove = 0\nmessage = ' '",
            "alerts[0].message: must be one line",
        ),
    ] {
        let found = refused(keys);
        assert!(found.starts_with(expected), "{keys}: {found}");
    }
}

/// A team that nobody declares exists as soon as a key names it, as long as no other is declared.
#[test]
fn an_account_that_needs_no_declaration_may_be_named() {
    alert("metric = 'budget_used_percent'\nabove = 0\naccount = 'team:blue'");
}

#[test]
fn a_variable_that_is_not_there_is_a_warning_and_nobody_is_told() {
    let read = |keys: &str| {
        let loaded = rule(&format!("metric = 'logs_dropped'\nabove = 0\n{keys}")).unwrap();
        let warnings: Vec<_> = loaded
            .warnings
            .iter()
            .filter(|warning| warning.key.starts_with("alerts"))
            .map(ToString::to_string)
            .collect();
        assert!(!warnings.concat().contains("hunter2"), "{warnings:?}");
        let webhook = loaded.config.alerts[0].webhook.clone().unwrap();
        let token = webhook.secret.as_ref().map(|secret| secret.token.is_some());
        (webhook.address.url().is_some(), token, warnings.len())
    };
    let plain = "webhook_url = 'https://a'\n";
    assert_eq!(read("webhook_url_env = 'HOOK'"), (true, None, 0));
    assert_eq!(read("webhook_url_env = 'UNSET'"), (false, None, 1));
    assert_eq!(read("webhook_url_env = 'BROKEN'"), (false, None, 1));
    assert_eq!(
        read(&format!("{plain}webhook_secret_env = 'TOKEN'")),
        (true, Some(true), 0)
    );
    assert_eq!(
        read(&format!("{plain}webhook_secret_env = 'UNSET'")),
        (true, Some(false), 1)
    );
    assert_eq!(
        read(&format!("{plain}webhook_secret_env = 'BROKEN'")),
        (true, Some(false), 1)
    );
    assert_eq!(
        read("webhook_url = 'http://hooks.internal/'\nwebhook_secret_env = 'TOKEN'"),
        (true, Some(true), 1)
    );
}

#[test]
fn rules_are_counted_over_file_and_database() {
    let text = "
        [alerting]
        alerts_max = 1
        [[alerts]]
        name = 'one'
        metric = 'logs_dropped'
        above = 0
    ";
    let config = read(text).unwrap().config;
    let two = format!("{text}\n[[alerts]]\nname = 'two'\nmetric = 'logs_dropped'\nabove = 0");
    assert!(errors(&two).contains("alerts: there are 2; `[alerting] alerts_max` allows 1"));
    let document = json!({"name": "made", "metric": "logs_dropped", "above": 0});
    assert_eq!(
        beside(&config, &[document]),
        ["alerts: there are 2; `[alerting] alerts_max` allows 1"]
    );
}

/// What stands against these documents beside the file.
fn beside(config: &Config, documents: &[Value]) -> Vec<String> {
    let known = Known::of(config, ManagedNames::default());
    let alerts: Vec<_> = documents
        .iter()
        .map(|document| Arc::new(read_alert(document, &known).unwrap()))
        .collect();
    let issues = cross_check(&Resources {
        file: config.resources(),
        managed: ResourceSet {
            alerts: &alerts,
            ..ResourceSet::default()
        },
    });
    issues.iter().map(ToString::to_string).collect()
}

#[test]
fn a_document_is_checked_against_everything_at_hand() {
    let config = rule("metric = 'logs_dropped'\nabove = 0").unwrap().config;
    let good = json!({"name": "made", "metric": "ttft_p95_ms", "above": "0.5", "model": "m",
        "provider": "a", "api_key": "k", "for_secs": 5, "account": null});
    assert_eq!(beside(&config, &[good]), [""; 0]);
    let check = |document: Value, expected: &str| {
        assert_eq!(beside(&config, &[document]), [expected]);
    };
    check(
        json!({"name": "r", "metric": "logs_dropped", "above": 0}),
        "alerts[r].name: the configuration file declares one with this name",
    );
    check(
        json!({"name": "x", "metric": "ttft_p95_ms", "above": 0, "api_key": "gone"}),
        "alerts[x].api_key: there is no key `gone`",
    );
    check(
        json!({"name": "x", "metric": "budget_used_percent", "above": 0, "account": "key:gone"}),
        "alerts[x].account: there is no key `gone`",
    );
    // What a document named may leave.
    let known = ManagedNames {
        models: vec!["gone"],
        providers: vec!["gone"],
        ..ManagedNames::default()
    };
    let known = Known::of(&config, known);
    let document = json!({"name": "x", "metric": "ttft_p95_ms", "above": 0, "model": "gone", "provider": "gone"});
    let alerts = [Arc::new(read_alert(&document, &known).unwrap())];
    let issues = cross_check(&Resources {
        file: config.resources(),
        managed: ResourceSet {
            alerts: &alerts,
            ..ResourceSet::default()
        },
    });
    let keys: Vec<_> = issues.iter().map(|issue| &*issue.key).collect();
    assert_eq!(keys, ["alerts[x].model", "alerts[x].provider"]);
}

#[test]
fn people_see_whom_a_webhook_tells_and_not_where_exactly() {
    let check = |url: &str, expected: &str| {
        let shown =
            masked(&json!({"name": "r", "webhook_url": url, "webhook_secret_env": "TOKEN"}));
        assert_eq!(shown["webhook_url"], expected);
        assert_eq!(shown["webhook_secret_env"], "TOKEN");
    };
    check(
        "https://hooks.example.com/services/hunter2",
        "https://hooks.example.com/…",
    );
    check(
        "https://hooks.example.com:8443/?sig=hunter2",
        "https://hooks.example.com:8443/…",
    );
    check("https://hooks.example.com", "https://hooks.example.com");
    check("https://hooks.example.com/", "https://hooks.example.com/");
    check("hunter2", "…");
}
