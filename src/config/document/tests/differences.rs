//! What is different between two configurations.

use super::*;

/// The changes, one a line: section, name, action, before and after.
fn changes(old: &str, new: &str) -> Vec<String> {
    let changes = diff(&document(old), &document(new));
    let lines = changes.iter().map(|change| {
        let side = |side: &Option<Json>| side.as_ref().map_or("-".to_owned(), Json::to_string);
        let name = change.name.as_deref().unwrap_or("-");
        let action = serde_json::to_value(change.action).unwrap();
        let (before, after) = (side(&change.before), side(&change.after));
        format!(
            "{} {name} {} {before} {after}",
            change.section,
            action.as_str().unwrap()
        )
    });
    lines.collect()
}

#[test]
fn what_changed_is_told_by_section_and_entry() {
    let check = |old: &str, new: &str, expected: &[&str]| {
        assert_eq!(changes(old, new), expected, "{old}\n{new}");
    };
    check(
        "a = 1\n[cache]\nttl_secs = 1",
        "[cache]\nttl_secs = 1\n",
        &[" - update {\"a\":1} {}"],
    );
    check(
        "listen = '1'",
        "listen = '2'",
        &[" - update {\"listen\":\"1\"} {\"listen\":\"2\"}"],
    );
    check(
        "[cache]\nttl_secs = 1\nscope = 'key'",
        "[limits]\n[cache]\nttl_secs = 2\nscope = 'key'",
        &[
            "limits - create - {}",
            "cache - update {\"ttl_secs\":1} {\"ttl_secs\":2}",
        ],
    );
    check(
        "[cache]\nttl_secs = 1",
        "",
        &["cache - delete {\"ttl_secs\":1} -"],
    );
    let old = "models = [{ name = 'a', weight = 1 }, { name = 'b' }]\ntenants = [{ kind = 'team', id = 'x' }]";
    let new = "models = [{ name = 'c' }, { name = 'a', weight = 2 }]\ntenants = [{ kind = 'user', id = 'x' }]";
    check(
        old,
        new,
        &[
            "models a update {\"weight\":1} {\"weight\":2}",
            "models b delete {\"name\":\"b\"} -",
            "models c create - {\"name\":\"c\"}",
            "tenants team:x delete {\"id\":\"x\",\"kind\":\"team\"} -",
            "tenants user:x create - {\"id\":\"x\",\"kind\":\"user\"}",
        ],
    );
    check(old, old, &[]);
    check(
        "providers = []",
        "providers = [{ name = 'p' }]",
        &["providers p create - {\"name\":\"p\"}"],
    );
}

#[test]
fn another_order_is_a_change_where_the_first_one_counts() {
    let [one, other] = [["a", "b"], ["b", "a"]].map(|names| {
        let entries = names.map(|name| format!("{{ name = '{name}' }}")).join(",");
        format!("routes = [{entries}]\nmodels = [{entries}]")
    });
    let expected = "routes - update [\"a\",\"b\"] [\"b\",\"a\"]";
    assert_eq!(changes(&one, &other), [expected]);
}

#[test]
fn a_secret_that_changed_shows_as_that_alone() {
    let key =
        |secret: &str| format!("api_keys = [{{ id = 'a', key_hash = '{secret}', name = 'n' }}]");
    assert_eq!(
        changes(&key("hunter2"), &key("hunter3")),
        ["api_keys a update {\"key_hash\":\"…\"} {\"key_hash\":\"… (changed)\"}"]
    );
    assert_eq!(
        changes("", &key("hunter2")),
        ["api_keys a create - {\"id\":\"a\",\"key_hash\":\"…\",\"name\":\"n\"}"]
    );
    let redis = |password: &str| format!("[cluster]\nredis_url = 'redis://:{password}@host'");
    assert_eq!(
        changes(&redis("hunter2"), &redis("hunter3")),
        [
            "cluster - update {\"redis_url\":\"redis://…@host\"} {\"redis_url\":\"redis://… (changed)@host\"}"
        ]
    );
    let headers = |one: &str| {
        format!(
            "routes = [{{ name = 'r', request_headers = [{{ name = 'x', value = 'same' }}, {{ name = 'y', value = '{one}' }}] }}]"
        )
    };
    let after = "[{\"name\":\"x\",\"value\":\"…\"},{\"name\":\"y\",\"value\":\"… (changed)\"}]";
    let found = changes(&headers("hunter2"), &headers("hunter3"));
    assert!(
        found[0].ends_with(&format!("{{\"request_headers\":{after}}}")),
        "{found:?}"
    );
}

#[test]
fn a_unified_diff_shows_the_lines_that_differ() {
    let [old, new] = ["[cache]\nttl_secs = 1", "[cache]\nttl_secs = 2\n[limits]"]
        .map(|text| document(text).masked_text());
    let expected = "\
--- before
+++ after
@@ -1,2 +1,4 @@
+[limits]
+
 [cache]
-ttl_secs = 1
+ttl_secs = 2
";
    assert_eq!(unified_diff(&old, &new), expected);
    assert_eq!(unified_diff(&old, &old), "");
}
