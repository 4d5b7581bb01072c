//! Tenants, the keys that belong to them, and what both may spend.

use std::sync::Arc;

use ferrogate_api::{BudgetPeriod, BudgetUnit, TenantContext};

use super::*;

const TENANTS: &str = "
    tenants = [
        { kind = 'user', id = 'ada', parent = 'team:blue' },
        { kind = 'user', id = 'bob', parent = 'organization:acme' },
        { kind = 'user', id = 'eve', parent = 'project:search' },
        { kind = 'user', id = 'max' },
        { kind = 'team', id = 'blue', parent = 'organization:acme', name = 'Blue team', enabled = false },
        { kind = 'team', id = 'red', parent = 'organization:globex' },
        { kind = 'team', id = 'free' },
        { kind = 'project', id = 'search', parent = 'organization:acme' },
        { kind = 'organization', id = 'acme' },
        { kind = 'organization', id = 'globex' },
    ]
";

/// A file with one key that has these keys too.
fn with_key(keys: &str) -> String {
    let secret = "sha256:0000000000000000000000000000000000000000000000000000000000000001";
    format!("[[api_keys]]\nid = 'k'\nkey_hash = '{secret}'\n{keys}")
}

fn config(text: &str) -> Config {
    let loaded = read(text).unwrap_or_else(|errors| panic!("{errors}"));
    loaded.config
}

#[test]
fn a_key_belongs_to_whom_it_names_and_to_their_parents() {
    let check = |keys: &str, expected: [&str; 4]| {
        let config = config(&format!("{TENANTS}\n{}", with_key(keys)));
        let tenants = TenantIndex::new(&config.tenants);
        let [organization_id, team_id, project_id, user_id] =
            expected.map(|id| (!id.is_empty()).then(|| Arc::from(id)));
        let expected = TenantContext {
            organization_id,
            team_id,
            project_id,
            user_id,
        };
        let context = effective_context(&config.api_keys[0], &tenants);
        assert_eq!(context, expected, "{keys}");
    };
    check("", ["", "", "", ""]);
    check("organization_id = 'acme'", ["acme", "", "", ""]);
    check("team_id = 'blue'", ["acme", "blue", "", ""]);
    check("team_id = 'free'", ["", "free", "", ""]);
    check("project_id = 'search'", ["acme", "", "search", ""]);
    check("user_id = 'ada'", ["acme", "blue", "", "ada"]);
    check("user_id = 'bob'", ["acme", "", "", "bob"]);
    check("user_id = 'eve'", ["acme", "", "search", "eve"]);
    check("user_id = 'max'", ["", "", "", "max"]);
    let all = "user_id = 'ada'\nteam_id = 'blue'\nproject_id = 'search'\norganization_id = 'acme'";
    check(all, ["acme", "blue", "search", "ada"]);
    let with_project = "user_id = 'ada'\nproject_id = 'search'";
    check(with_project, ["acme", "blue", "search", "ada"]);
    let elsewhere = "user_id = 'max'\nteam_id = 'free'\norganization_id = 'globex'";
    check(elsewhere, ["globex", "free", "", "max"]);
}

#[test]
fn a_key_that_belongs_to_two_tenants_of_a_kind_is_refused_where_it_says_so() {
    let check = |keys: &str, at: &str, message: &str| {
        let found = read(&format!("{TENANTS}\n{}", with_key(keys))).unwrap_err();
        let issue = &found.0[0];
        assert_eq!(found.0.len(), 1, "{found}");
        assert_eq!((&*issue.key, &*issue.message), (at, message));
    };
    check(
        "team_id = 'blue'\norganization_id = 'globex'",
        "api_keys[0].organization_id",
        "`team:blue` belongs to `organization:acme`, but this key to `organization:globex`",
    );
    check(
        "user_id = 'ada'\nteam_id = 'free'",
        "api_keys[0].team_id",
        "`user:ada` belongs to `team:blue`, but this key to `team:free`",
    );
    check(
        "project_id = 'search'\nteam_id = 'red'",
        "api_keys[0].team_id",
        "`team:red` belongs to `organization:globex`, but this key to `organization:acme`",
    );
    check(
        "user_id = 'eve'\nteam_id = 'red'",
        "api_keys[0].team_id",
        "`team:red` belongs to `organization:globex`, but this key to `organization:acme`",
    );
}

#[test]
fn nobody_has_to_be_declared_until_one_of_the_kind_is() {
    let key = with_key("organization_id = 'acme'\nteam_id = 'blue'");
    let policy = "[[policies]]\nname = 'p'\neffect = 'deny'\nteam_ids = ['green']";
    let check = |tenants: &str, refused: &[&str]| {
        let found = read(&format!("{tenants}\n{key}\n{policy}"));
        let issues = found.err().map(|errors| errors.0).unwrap_or_default();
        let keys: Vec<_> = issues.iter().map(|issue| &*issue.key).collect();
        assert_eq!(keys, refused, "{tenants}");
    };
    check("", &[]);
    check("tenants = [{ kind = 'project', id = 'x' }]", &[]);
    check("tenants = [{ kind = 'organization', id = 'acme' }]", &[]);
    check(
        "tenants = [{ kind = 'organization', id = 'x' }]",
        &["api_keys[0].organization_id"],
    );
    check(
        "tenants = [{ kind = 'team', id = 'blue' }]",
        &["policies[0].team_ids[0]"],
    );
    check(
        "tenants = [{ kind = 'team', id = 'green' }]",
        &["api_keys[0].team_id"],
    );
    // Who is meant may be the one that cannot be read.
    check("tenants = [{ kind = 'team' }]", &["tenants[0].id"]);
}

#[test]
fn a_tenant_is_what_its_table_says() {
    let tenants = config(TENANTS).tenants;
    let blue = &tenants[4];
    assert_eq!(blue.reference().to_string(), "team:blue");
    assert_eq!(
        blue.parent.as_ref().unwrap().to_string(),
        "organization:acme"
    );
    assert_eq!((&*blue.name, blue.enabled), ("Blue team", false));
    assert_eq!((&*tenants[0].name, tenants[0].enabled), ("ada", true));
    assert_eq!(tenants[0].limits, AccountLimits::default());
}

#[test]
fn limits_and_budgets_are_the_same_for_keys_and_tenants() {
    let limits = "
        request_limit_per_minute = 1
        token_limit_per_minute = 2
        concurrency_limit = 3
        monthly_token_budget = 4
        budgets = [
            { tokens = 5, period = 'hour' },
            { money = '25.000000001', period = 'month', time_zone = 'europe/berlin', id = 'rent' },
            { money = 0.5, period = 'total' },
        ]
    ";
    let text = with_key(limits) + "\n[[tenants]]\nkind = 'team'\nid = 't'\n" + limits;
    let config = config(&text);
    let found = &config.api_keys[0].limits;
    assert_eq!(*found, config.tenants[0].limits);
    assert_eq!(
        (
            found.requests_per_minute,
            found.tokens_per_minute,
            found.concurrency
        ),
        (Some(1), Some(2), Some(3))
    );
    let budgets: Vec<_> = found
        .budgets
        .iter()
        .map(|budget| {
            let zone = budget.time_zone.iana_name().unwrap();
            assert_eq!(zone, &*budget.time_zone_name);
            (&*budget.id, budget.unit, budget.amount, budget.period, zone)
        })
        .collect();
    let expected = [
        (
            "month-tokens",
            BudgetUnit::Tokens,
            4,
            BudgetPeriod::Month,
            "UTC",
        ),
        (
            "hour-tokens",
            BudgetUnit::Tokens,
            5,
            BudgetPeriod::Hour,
            "UTC",
        ),
        (
            "rent",
            BudgetUnit::Money,
            25_000_000_001,
            BudgetPeriod::Month,
            "Europe/Berlin",
        ),
        (
            "total-money",
            BudgetUnit::Money,
            500_000_000,
            BudgetPeriod::Total,
            "UTC",
        ),
    ];
    assert_eq!(budgets, expected);
}

#[test]
fn a_key_says_what_is_cached_and_logged_and_which_secrets_it_had() {
    let plain = &config(&with_key("")).api_keys[0];
    assert!(plain.cache_enabled && !plain.log_bodies);
    assert_eq!(plain.limits, AccountLimits::default());
    assert_eq!(plain.previous_hashes, []);
    let hash = "SHA256".to_lowercase() + ":" + &"AB".repeat(32);
    let key = &config(&with_key(&format!(
        "cache_enabled = false\nlog_bodies = true\nprevious_key_hashes = [{{ hash = '{hash}', expires_at_unix = 7 }}]"
    )))
    .api_keys[0];
    assert!(!key.cache_enabled && key.log_bodies);
    let previous = PreviousHash {
        hash,
        expires_at_unix: 7,
    };
    assert_eq!(key.previous_hashes, [previous]);
}

#[test]
fn ten_thousand_keys_fit_into_a_file() {
    let mut text = TENANTS.to_owned();
    for number in 0..10_000 {
        let key = format!(
            "\n[[api_keys]]\nid = 'k{number}'\nkey_hash = 'sha256:{number:064x}'\nuser_id = 'ada'\nmonthly_token_budget = 1000\n"
        );
        text.push_str(&key);
    }
    let ids: Vec<_> = (0..10_000).map(|number| format!("'k{number}'")).collect();
    let ids = ids.join(", ");
    text.push_str(&format!(
        "[[policies]]\nname = 'all'\neffect = 'deny'\napi_key_ids = [{ids}]"
    ));
    let config = config(&text);
    assert_eq!(config.api_keys.len(), 10_000);
    assert_eq!(config.policies[0].api_key_ids.len(), 10_000);
}
