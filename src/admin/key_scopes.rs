//! Which scopes a key has after a write, so that nobody gives what they have not got.

use serde_json::{Map, Value};

use crate::config::Scope;

/// `before` is what the key has where the document says nothing of scopes. A word that is no scope gives none, and the
/// document is refused for it later.
pub(super) fn after(document: &Map<String, Value>, before: &[Scope]) -> Vec<Scope> {
    match document.get("scopes") {
        None => before.to_vec(),
        Some(Value::Array(words)) => words
            .iter()
            .filter_map(|word| Scope::parse(word.as_str()?))
            .collect(),
        Some(_) => Scope::CLIENT.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_those_of_the_document_or_those_of_before() {
        let check = |document: &str, expected: &[Scope]| {
            let document = serde_json::from_str(document).unwrap();
            assert_eq!(after(&document, &[Scope::AdminRead]), expected);
        };
        check("{}", &[Scope::AdminRead]);
        check(r#"{"scopes":null}"#, &Scope::CLIENT);
        check(
            r#"{"scopes":["admin.write","nonsense",1]}"#,
            &[Scope::AdminWrite],
        );
        check(r#"{"scopes":[]}"#, &[]);
    }
}
