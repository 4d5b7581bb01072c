//! Documents of resources, and what a write makes of the one that is there.

use std::time::Duration;

use serde_json::{Value, json};

use crate::config;

/// Of a key's secrets, the current one and those that it replaced.
pub(super) const KEY_HASH: &str = "key_hash";
const PREVIOUS_KEY_HASHES: &str = "previous_key_hashes";
/// Of a provider's secrets, the one that is sealed here, and the other places one can come from.
const API_KEY_SEALED: &str = "api_key_sealed";
const PROVIDER_SECRETS: [&str; 5] = [
    API_KEY_SEALED,
    "api_key_env",
    "api_key_envs",
    "api_key_file",
    "api_key_credential",
];
/// What a later write keeps unless it says otherwise, and whether it does.
const KEPT: [(&[&str], &[&str]); 2] = [
    (&[KEY_HASH, PREVIOUS_KEY_HASHES], &[KEY_HASH]),
    (&[API_KEY_SEALED], &PROVIDER_SECRETS),
];
/// Members that hold a secret, or the hash or seal of one.
const SECRETS: [&str; 3] = [KEY_HASH, PREVIOUS_KEY_HASHES, API_KEY_SEALED];

/// One level of RFC 7396. A provider that gets its key from elsewhere loses the sealed one.
pub(super) fn merged(before: &Value, patch: &Value) -> Value {
    let mut after = before.clone();
    if let (Some(after), Some(patch)) = (after.as_object_mut(), patch.as_object()) {
        // The short form is one of the budgets: whoever sends the list means all of them.
        if patch.contains_key("budgets") {
            after.remove("monthly_token_budget");
        }
        let brings = |name: &&str| patch.get(*name).is_some_and(|value| !value.is_null());
        if PROVIDER_SECRETS.iter().any(brings) {
            for name in PROVIDER_SECRETS {
                after.remove(name);
            }
        }
        for (name, value) in patch {
            if value.is_null() {
                after.remove(name);
            } else {
                after.insert(name.clone(), value.clone());
            }
        }
    }
    after
}

/// The new document with the secrets of the old one, unless it brings its own.
pub(super) fn replaced(before: &Value, document: &Value) -> Value {
    let mut after = document.clone();
    if let (Some(after), Some(before)) = (after.as_object_mut(), before.as_object()) {
        for (kept, unless) in KEPT {
            if unless.iter().any(|name| after.contains_key(*name)) {
                continue;
            }
            for name in kept {
                if let Some(value) = before.get(*name) {
                    after.insert((*name).to_owned(), value.clone());
                }
            }
        }
    }
    after
}

/// An earlier document with the secrets of the current one: going back must not open what was closed.
pub(super) fn restored(current: &Value, earlier: &Value) -> Value {
    let mut after = earlier.clone();
    if let (Some(after), Some(current)) = (after.as_object_mut(), current.as_object()) {
        for name in SECRETS {
            match current.get(name) {
                Some(value) => after.insert(name.to_owned(), value.clone()),
                None => after.remove(name),
            };
        }
    }
    after
}

/// What a rotation changes of a key. What ended before is forgotten.
pub(super) fn rotated(before: &Value, new_hash: &str, now_secs: i64, overlap: Duration) -> Value {
    let ends = |previous: &Value| previous.get("expires_at_unix").and_then(Value::as_i64);
    let earlier = before.get(PREVIOUS_KEY_HASHES).and_then(Value::as_array);
    // Without an overlap every old secret is to end now, not the last one alone.
    let earlier = earlier.filter(|_| !overlap.is_zero());
    let mut previous: Vec<Value> = earlier
        .into_iter()
        .flatten()
        .filter(|previous| ends(previous).is_some_and(|end| end > now_secs))
        .cloned()
        .collect();
    let overlap_secs = i64::try_from(overlap.as_secs()).unwrap_or(i64::MAX);
    if overlap_secs > 0
        && let Some(hash) = before.get(KEY_HASH)
    {
        let end = now_secs.saturating_add(overlap_secs);
        previous.push(json!({"hash": hash, "expires_at_unix": end}));
    }
    let previous = match previous.is_empty() {
        true => Value::Null,
        false => Value::Array(previous),
    };
    json!({KEY_HASH: new_hash, PREVIOUS_KEY_HASHES: previous})
}

/// A document as people may see it.
pub(super) fn masked(document: &Value) -> Value {
    match document {
        Value::Object(_) => config::masked(document),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merge_replaces_members_and_null_removes_them() {
        let after = merged(
            &json!({"a": 1, "b": 2}),
            &json!({"b": null, "c": {"d": null}}),
        );
        assert_eq!(after, json!({"a": 1, "c": {"d": null}}));
        let short = json!({"monthly_token_budget": 5});
        assert_eq!(
            merged(&short, &json!({"budgets": []})),
            json!({"budgets": []})
        );
        assert_eq!(
            merged(&short, &json!({"a": 1})),
            json!({"monthly_token_budget": 5, "a": 1})
        );
    }

    #[test]
    fn a_replaced_key_keeps_its_secrets_unless_it_gets_one() {
        let before = json!({"id": "a", "key_hash": "h1", "previous_key_hashes": [1], "name": "n"});
        assert_eq!(
            replaced(&before, &json!({"id": "a"})),
            json!({"id": "a", "key_hash": "h1", "previous_key_hashes": [1]})
        );
        let brings = json!({"id": "a", "key_hash": "h2"});
        assert_eq!(replaced(&before, &brings), brings);
    }

    #[test]
    fn a_rotation_keeps_the_old_secret_for_its_overlap_and_forgets_what_has_ended() {
        let before = json!({"key_hash": "h2", "previous_key_hashes": [
            {"hash": "h0", "expires_at_unix": 100}, {"hash": "h1", "expires_at_unix": 101},
        ]});
        let rotate = |secs| rotated(&before, "h3", 100, Duration::from_secs(secs));
        assert_eq!(
            rotate(50),
            json!({"key_hash": "h3", "previous_key_hashes": [
                {"hash": "h1", "expires_at_unix": 101}, {"hash": "h2", "expires_at_unix": 150},
            ]})
        );
        assert_eq!(rotate(0)["previous_key_hashes"], Value::Null);
        let alone = rotated(&json!({"key_hash": "h"}), "h3", 100, Duration::ZERO);
        assert_eq!(
            alone,
            json!({"key_hash": "h3", "previous_key_hashes": null})
        );
    }

    #[test]
    fn a_provider_keeps_its_sealed_key_until_it_gets_its_key_from_elsewhere() {
        let before = json!({"name": "p", "api_key_sealed": "s1"});
        let check = |document: Value, expected: Value| {
            assert_eq!(replaced(&before, &document)["api_key_sealed"], expected);
            assert_eq!(merged(&before, &document)["api_key_sealed"], expected);
        };
        check(json!({"name": "p"}), json!("s1"));
        check(json!({"name": "p", "api_key_sealed": "s2"}), json!("s2"));
        check(json!({"name": "p", "api_key_env": "KEY"}), Value::Null);
    }

    #[test]
    fn going_back_keeps_the_secrets_of_today() {
        let current = json!({"id": "a", "key_hash": "new", "name": "now"});
        let earlier =
            json!({"id": "a", "key_hash": "old", "previous_key_hashes": [1], "name": "then"});
        assert_eq!(
            restored(&current, &earlier),
            json!({"id": "a", "key_hash": "new", "name": "then"})
        );
    }

    #[test]
    fn the_audit_log_sees_no_hash() {
        let masked = masked(&json!({"id": "a", "key_hash": "h", "previous_key_hashes": ["h"]}));
        assert_eq!(
            masked,
            json!({"id": "a", "key_hash": "…", "previous_key_hashes": "…"})
        );
    }
}
