//! What a key can do after a write, so that nobody makes one that can do more than they can.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::config::{self, Scope};

/// What whoever has the key may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyGrant {
    pub(super) scopes: Vec<Scope>,
    pub(super) models: NameLists,
    pub(super) providers: NameLists,
    pub(super) expires_at_unix: Option<i64>,
}

/// Names that are allowed, where any are listed, and names that are denied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct NameLists {
    pub(super) allowed: Vec<Arc<str>>,
    pub(super) denied: Vec<Arc<str>>,
}

impl KeyGrant {
    /// As the key is now.
    pub(super) fn of(key: &config::ApiKey) -> Self {
        Self {
            scopes: key.scopes.clone(),
            models: NameLists {
                allowed: key.allowed_models.clone(),
                denied: key.denied_models.clone(),
            },
            providers: NameLists {
                allowed: key.allowed_providers.clone(),
                denied: key.denied_providers.clone(),
            },
            expires_at_unix: key.expires_at_unix,
        }
    }

    /// After a write; `before` stands for what the document leaves out, `None` for the defaults. What cannot be read
    /// is refused later, by [`crate::config`].
    pub(super) fn after(document: &Map<String, Value>, before: Option<&config::ApiKey>) -> Self {
        let before = before.map_or_else(Self::new_key, Self::of);
        let names = |field: &str, before: Vec<Arc<str>>| match document.get(field) {
            None => before,
            Some(value) => texts(value).map(Arc::from).collect(),
        };
        Self {
            scopes: match document.get("scopes") {
                None => before.scopes,
                Some(Value::Null) => Scope::CLIENT.to_vec(),
                Some(words) => texts(words).filter_map(Scope::parse).collect(),
            },
            models: NameLists {
                allowed: names("allowed_models", before.models.allowed),
                denied: names("denied_models", before.models.denied),
            },
            providers: NameLists {
                allowed: names("allowed_providers", before.providers.allowed),
                denied: names("denied_providers", before.providers.denied),
            },
            expires_at_unix: match document.get("expires_at_unix") {
                None => before.expires_at_unix,
                Some(value) => value.as_i64(),
            },
        }
    }

    /// What a key has of which nothing is said.
    fn new_key() -> Self {
        Self {
            scopes: Scope::CLIENT.to_vec(),
            models: NameLists::default(),
            providers: NameLists::default(),
            expires_at_unix: None,
        }
    }
}

impl NameLists {
    /// A name that these lists let through and `own` do not; `Some(None)`: every name that is not listed.
    pub(super) fn beyond<'n>(&'n self, own: &'n Self) -> Option<Option<&'n str>> {
        if !own.allowed.is_empty() && self.allowed.is_empty() {
            return Some(None);
        }
        let is_not_own = |name: &&'n Arc<str>| {
            let allowed = own.allowed.is_empty() || own.allowed.contains(name);
            (!allowed || own.denied.contains(name)) && !self.denied.contains(name)
        };
        let listed = self.allowed.iter().find(is_not_own);
        let open = || {
            let denied = own.denied.iter().find(|name| !self.denied.contains(name));
            denied.filter(|_| self.allowed.is_empty())
        };
        listed.or_else(open).map(|name| Some(&**name))
    }
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    let items = value.as_array().into_iter().flatten();
    items.filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_what_the_document_says_or_the_default() {
        let grant =
            |document: &str| KeyGrant::after(&serde_json::from_str(document).unwrap(), None);
        assert_eq!(grant("{}"), KeyGrant::new_key());
        assert_eq!(
            grant(r#"{"scopes":null,"allowed_models":null}"#),
            KeyGrant::new_key()
        );
        let said = grant(
            r#"{"scopes":["admin.write","nonsense",1],"allowed_models":["fast"],"denied_providers":["x"],"expires_at_unix":7}"#,
        );
        assert_eq!(said.scopes, [Scope::AdminWrite]);
        assert_eq!(said.models.allowed, [Arc::<str>::from("fast")]);
        assert_eq!(said.providers.denied, [Arc::<str>::from("x")]);
        assert_eq!(said.expires_at_unix, Some(7));
    }

    #[test]
    fn lists_go_beyond_others_where_they_let_a_name_through_that_those_do_not() {
        let lists = |(allowed, denied): (&[&str], &[&str])| NameLists {
            allowed: allowed.iter().map(|name| (*name).into()).collect(),
            denied: denied.iter().map(|name| (*name).into()).collect(),
        };
        let check = |own, grant, expected: Option<Option<&str>>| {
            assert_eq!(
                lists(grant).beyond(&lists(own)),
                expected,
                "{own:?} {grant:?}"
            );
        };
        check((&[], &[]), (&[], &[]), None);
        check((&[], &[]), (&["a"], &[]), None);
        check((&["a", "b"], &[]), (&["a"], &[]), None);
        check((&["a", "b"], &[]), (&["a", "b"], &["a"]), None);
        check((&["a"], &[]), (&["a", "c"], &[]), Some(Some("c")));
        check((&["a"], &[]), (&["a", "c"], &["c"]), None);
        check((&["a"], &[]), (&[], &[]), Some(None));
        check((&["a"], &[]), (&[], &["z"]), Some(None));
        check((&[], &["x"]), (&[], &["x", "y"]), None);
        check((&[], &["x"]), (&[], &[]), Some(Some("x")));
        check((&[], &["x"]), (&["a"], &[]), None);
        check((&[], &["x"]), (&["a", "x"], &[]), Some(Some("x")));
        check((&["a", "x"], &["x"]), (&["x"], &[]), Some(Some("x")));
    }
}
