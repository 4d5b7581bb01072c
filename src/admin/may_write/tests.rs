//! Two tenants, the operator, and what each may write.

use std::sync::Arc;

use serde_json::json;

use super::*;

const FILE: &str = r#"
    [[tenants]]
    kind = "organization"
    id = "acme"

    [[tenants]]
    kind = "organization"
    id = "other"

    [[tenants]]
    kind = "team"
    id = "search"
    parent = "organization:acme"

    [[tenants]]
    kind = "team"
    id = "sales"
    parent = "organization:other"

    [[api_keys]]
    id = "operator"
    key = "a"
    scopes = ["admin.write"]

    [[api_keys]]
    id = "acme"
    key = "b"
    organization_id = "acme"
    scopes = ["admin.write", "chat.completions"]

    [[api_keys]]
    id = "search"
    key = "c"
    team_id = "search"
    scopes = ["admin.write", "chat.completions"]

    [[api_keys]]
    id = "search-app"
    key = "d"
    team_id = "search"
    scopes = ["chat.completions"]

    [[api_keys]]
    id = "sales-app"
    key = "e"
    team_id = "sales"
    project_id = "implicit"

    [[policies]]
    name = "of acme"
    effect = "deny"
    organization_ids = ["acme"]

    [[policies]]
    name = "of sales"
    effect = "deny"
    team_ids = ["sales"]

    [[policies]]
    name = "of all"
    effect = "deny"
    models = ["fast"]

    [[providers]]
    name = "openai"
    kind = "openai"
    base_url = "http://127.0.0.1:9"

    [[models]]
    name = "fast"
    provider = "openai"
    provider_model = "gpt-fast"
"#;

/// Who asks: the id of a key, or nobody's for the operator on the socket.
struct World(Snapshot);

impl World {
    fn new() -> Self {
        let loaded = config::parse(FILE, "test.toml", &|_| None).unwrap();
        Self(Snapshot::of_file(loaded.config).unwrap())
    }

    fn caller(&self, id: &str) -> Caller {
        let key = self.0.rules.keys.get(id);
        key.map_or(Caller::Operator(0), |key| Caller::Key(Arc::clone(key)))
    }
}

fn code(judged: Result<(), RequestError>) -> Option<&'static str> {
    judged.err().map(|error| error.kind.code())
}

const OUTSIDE: Option<&str> = Some("outside_tenant");
const OPERATORS: Option<&str> = Some("operator_only");

#[test]
fn a_key_stays_in_its_writers_realm() {
    let world = World::new();
    let check = |caller: &str, id: &str, mode, document: Value, expected| {
        let mut document = document.as_object().unwrap().clone();
        let draft = Draft {
            document: &mut document,
            mode,
        };
        let judged = world.caller(caller).may_write_key(&world.0, id, draft);
        assert_eq!(
            code(judged),
            expected,
            "{caller} {id} {mode:?} {document:?}"
        );
    };
    use PutMode::{Create, Merge, Replace};
    let chat = || json!(["chat.completions"]);
    let in_team = |team: &str| json!({"team_id": team, "scopes": ["chat.completions"]});
    check("root", "new", Create, json!({}), None);
    check(
        "operator",
        "new",
        Create,
        json!({"organization_id": "other"}),
        None,
    );
    check(
        "operator",
        "new",
        Create,
        json!({"scopes": ["admin.read"]}),
        Some("scope_denied"),
    );
    check(
        "operator",
        "sales-app",
        Merge,
        json!({"enabled": true}),
        None,
    );

    check("acme", "new", Create, json!({"scopes": chat()}), None);
    check("acme", "new", Create, in_team("search"), None);
    // The realm's organization and this team contradict each other, which is for the lane to say.
    check("acme", "new", Create, in_team("sales"), None);
    check(
        "acme",
        "new",
        Create,
        json!({"organization_id": "other", "scopes": chat()}),
        OUTSIDE,
    );
    check("acme", "new", Create, json!({}), Some("scope_denied"));
    check("acme", "search-app", Merge, json!({"name": "n"}), None);
    check(
        "acme",
        "search-app",
        Merge,
        json!({"team_id": null}),
        OUTSIDE,
    );
    check(
        "acme",
        "search-app",
        Replace,
        json!({"scopes": chat()}),
        None,
    );
    check("acme", "sales-app", Merge, json!({"name": "n"}), OUTSIDE);
    check(
        "acme",
        "sales-app",
        Replace,
        json!({"scopes": chat()}),
        OUTSIDE,
    );
    check("acme", "operator", Merge, json!({"name": "n"}), OUTSIDE);
    check(
        "acme",
        "acme",
        Merge,
        json!({"concurrency_limit": null}),
        OPERATORS,
    );
    check("acme", "nobody", Merge, json!({"name": "n"}), OUTSIDE);

    check("search", "new", Create, json!({"scopes": chat()}), None);
    check("search", "new", Create, in_team("sales"), OUTSIDE);
    check("search", "acme", Merge, json!({"name": "n"}), OUTSIDE);
}

#[test]
fn what_is_stopped_or_given_a_new_secret_is_in_the_realm() {
    let world = World::new();
    let check = |caller: &str, id: &str, stop, take| {
        let caller = world.caller(caller);
        assert_eq!(
            code(caller.may_stop_key(&world.0, id)),
            stop,
            "{caller} {id}"
        );
        assert_eq!(
            code(caller.may_take_key(&world.0, id)),
            take,
            "{caller} {id}"
        );
    };
    check("root", "sales-app", None, None);
    check("acme", "search-app", None, None);
    check("acme", "acme", None, None);
    check("acme", "sales-app", OUTSIDE, OUTSIDE);
    check("search", "acme", OUTSIDE, OUTSIDE);
    check("acme", "nobody", None, None);
}

#[test]
fn a_tenant_is_written_strictly_below_ones_own() {
    let world = World::new();
    let check = |caller: &str, (kind, id), mode, document: Value, expected| {
        let mut document = document.as_object().unwrap().clone();
        let draft = Draft {
            document: &mut document,
            mode,
        };
        let caller = world.caller(caller);
        let judged = caller.may_write_tenant(&world.0, (kind, id), &draft);
        assert_eq!(code(judged), expected, "{caller} {id} {document:?}");
    };
    use PutMode::{Create, Merge, Replace};
    use TenantKind::{Organization, Project, Team};
    let under = |parent: &str| json!({"parent": parent});
    check("root", (Organization, "new"), Create, json!({}), None);
    check("operator", (Project, "new"), Create, json!({}), None);
    check(
        "acme",
        (Team, "new"),
        Create,
        under("organization:acme"),
        None,
    );
    check(
        "acme",
        (Team, "new"),
        Create,
        under("organization:other"),
        OUTSIDE,
    );
    check("acme", (Team, "new"), Create, json!({}), OUTSIDE);
    check("acme", (Organization, "new"), Create, json!({}), OUTSIDE);
    check(
        "acme",
        (Organization, "acme"),
        Merge,
        json!({"enabled": true}),
        OPERATORS,
    );
    check(
        "acme",
        (Organization, "other"),
        Merge,
        json!({"enabled": false}),
        OUTSIDE,
    );
    check(
        "acme",
        (Team, "search"),
        Merge,
        json!({"enabled": false}),
        None,
    );
    check(
        "acme",
        (Team, "search"),
        Merge,
        json!({"parent": null}),
        OUTSIDE,
    );
    check(
        "acme",
        (Team, "search"),
        Merge,
        under("organization:other"),
        OUTSIDE,
    );
    check("acme", (Team, "search"), Replace, json!({}), OUTSIDE);
    check(
        "acme",
        (Team, "sales"),
        Merge,
        under("organization:acme"),
        OUTSIDE,
    );
    // The first of its kind, and one that somebody else's keys name already.
    check(
        "acme",
        (Project, "new"),
        Create,
        under("organization:acme"),
        OPERATORS,
    );
    check(
        "search",
        (Team, "search"),
        Merge,
        json!({"enabled": true}),
        OPERATORS,
    );
    check(
        "search",
        (Organization, "acme"),
        Merge,
        json!({"enabled": true}),
        OPERATORS,
    );
}

#[test]
fn a_tenant_that_others_keys_name_is_not_taken_over_by_declaring_it() {
    let world = World::new();
    let acme = world.caller("acme");
    let judged = acme.may_remove_tenant(&world.0, (TenantKind::Project, "implicit"));
    assert_eq!(code(judged), OUTSIDE);
    let judged = acme.may_remove_tenant(&world.0, (TenantKind::Project, "nobody's"));
    assert_eq!(code(judged), None);
}

#[test]
fn a_policy_is_about_the_realm_alone() {
    let world = World::new();
    let named = |name: &str| {
        let mut policies = world.0.config.policies.iter();
        policies
            .find(|policy| *policy.name == *name)
            .map(|policy| &**policy)
    };
    let check = |caller: &str, before: Option<&str>, document: Option<Value>, expected| {
        let mut document = document.map(|document| document.as_object().unwrap().clone());
        let mode = match before {
            None => PutMode::Create,
            Some(_) => PutMode::Merge,
        };
        let draft = document.as_mut().map(|document| Draft { document, mode });
        let caller = world.caller(caller);
        let judged = caller.may_write_policy(&world.0, before.and_then(named), draft.as_ref());
        assert_eq!(code(judged), expected, "{caller} {before:?} {document:?}");
    };
    let new = |document: Value| (None, Some(document));
    for (caller, (before, document), expected) in [
        ("root", new(json!({})), None),
        ("operator", (Some("of sales"), None), None),
        ("acme", new(json!({"organization_ids": ["acme"]})), None),
        ("acme", new(json!({"team_ids": ["search"]})), None),
        (
            "acme",
            new(json!({"api_key_ids": ["search-app", "acme"]})),
            None,
        ),
        (
            "acme",
            new(json!({"organization_ids": ["acme"], "user_ids": ["anybody"]})),
            None,
        ),
        ("acme", new(json!({"models": ["fast"]})), OUTSIDE),
        ("acme", new(json!({"user_ids": ["anybody"]})), OUTSIDE),
        (
            "acme",
            new(json!({"organization_ids": ["acme", "other"]})),
            OUTSIDE,
        ),
        (
            "acme",
            new(json!({"team_ids": ["search", "sales"]})),
            OUTSIDE,
        ),
        (
            "acme",
            new(json!({"organization_ids": ["acme"], "team_ids": ["sales"]})),
            OUTSIDE,
        ),
        (
            "acme",
            new(json!({"api_key_ids": ["search-app", "sales-app"]})),
            OUTSIDE,
        ),
        ("acme", new(json!({"api_key_ids": ["nobody"]})), OUTSIDE),
        (
            "acme",
            (Some("of acme"), Some(json!({"enabled": false}))),
            None,
        ),
        ("acme", (Some("of acme"), None), None),
        (
            "acme",
            (Some("of acme"), Some(json!({"organization_ids": null}))),
            OUTSIDE,
        ),
        (
            "acme",
            (Some("of sales"), Some(json!({"team_ids": ["search"]}))),
            OUTSIDE,
        ),
        ("acme", (Some("of all"), None), OUTSIDE),
        ("search", new(json!({"team_ids": ["search"]})), None),
        (
            "search",
            new(json!({"organization_ids": ["acme"]})),
            OUTSIDE,
        ),
        ("search", (Some("of acme"), None), OUTSIDE),
    ] {
        check(caller, before, document, expected);
    }
}

#[test]
fn nobody_tops_up_their_own() {
    let world = World::new();
    let check = |caller: &str, account: &str, expected| {
        let caller = world.caller(caller);
        let judged = caller.may_adjust(&world.0, &account.parse().unwrap());
        assert_eq!(code(judged), expected, "{caller} {account}");
    };
    check("root", "organization:acme", None);
    check("operator", "key:operator", None);
    check("acme", "team:search", None);
    check("acme", "key:search-app", None);
    check("acme", "organization:acme", OPERATORS);
    check("acme", "key:acme", OPERATORS);
    check("acme", "team:sales", OUTSIDE);
    check("acme", "key:sales-app", OUTSIDE);
    check("search", "organization:acme", OPERATORS);
    check("search", "key:acme", OUTSIDE);
}

#[test]
fn what_is_shown_of_tenants_and_accounts() {
    let world = World::new();
    let check = |caller: &str, account: &str, expected| {
        let realm = world.caller(caller).realm();
        let sees = realm.sees_account(&world.0, &account.parse().unwrap());
        assert_eq!(sees, expected, "{caller} {account}");
    };
    check("root", "team:sales", true);
    check("acme", "organization:acme", true);
    check("acme", "team:search", true);
    check("acme", "team:sales", false);
    check("acme", "project:implicit", false);
    check("acme", "project:nobody's", false);
    check("acme", "key:search-app", true);
    check("acme", "key:sales-app", false);
    check("acme", "key:operator", false);
    check("search", "organization:acme", false);
    check("search", "team:search", true);
    check("search", "key:acme", false);
}
