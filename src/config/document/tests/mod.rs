//! Documents: what is exported, compared and shown of a configuration.

mod differences;
mod exports;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::{
    super::{Loaded, parse},
    *,
};

fn document(text: &str) -> Document {
    Document::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Whatever variable is named is set.
fn load(text: &str) -> Loaded {
    let env = |name: &str| match name {
        "FERROGATE_LISTEN" | "FERROGATE_NODE_ID" | "STATE_DIRECTORY" | "CREDENTIALS_DIRECTORY" => {
            None
        }
        "FERROGATE_REDIS_URL" => Some("redis://:other@host".to_owned()),
        name => Some(format!("the-value-of-{name}-in-the-environment")),
    };
    parse(text, "t", &env).unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

#[test]
fn a_text_that_is_no_document_is_refused_with_its_place() {
    let check = |text: &str, expected: &str| {
        let error = Document::parse(text).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    };
    check("a = 1\nb = \n", "line 2: ");
    check("a = 2026-11-26", "`a` holds a date");
    check(
        "[[a]]\nb = [{ c = [1, 07:32:00] }]",
        "`a[0].b[0].c[1]` holds a date",
    );
    check(&"#".repeat((16 << 20) + 1), "larger than 16 MiB");
}

#[test]
fn a_configuration_keeps_the_text_that_it_was_read_from() {
    let text = "# a remark\nlisten = '127.0.0.1:1'\n";
    let config = load(text).config;
    assert_eq!(config.document.text(), text);
    assert_eq!(config.document.sha256_hex(), document(text).sha256_hex());
    assert_eq!(
        document("").sha256_hex(),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    assert_eq!(format!("{:?}", config.document), "Document(…)");
}

#[test]
fn entries_are_documents_without_a_secret_in_clear() {
    let entries =
        document("api_keys = [{ id = 'a', key = 'hunter2' }, { id = 'b', key_env = 'B' }]")
            .entries("api_keys");
    let hash = "sha256:f52fbd32b2b3b86ff88ef6c490628285f482af15ddcb29541f94bcf526a3f6c7";
    let expected = [
        json!({"id": "a", "key_hash": hash}),
        json!({"id": "b", "key_env": "B"}),
    ];
    assert_eq!(entries, expected);
    assert!(document("").entries("api_keys").is_empty());
}

/// Everything with which a document of a resource can be written: no `null`, which is nothing.
fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        (-1e12..1e12_f64).prop_map(Json::from),
        any::<String>().prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            prop::collection::btree_map(any::<String>(), inner, 0..5)
                .prop_map(|object| Json::Object(object.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn json_becomes_toml_and_json_again_without_loss(
        object in prop::collection::btree_map(any::<String>(), any_json(), 0..6)
    ) {
        let object = object.into_iter().collect();
        let table = values::table_of_json(&object);
        prop_assert_eq!(values::json_of_table(&table), Json::Object(object.clone()));
        let text = canonical::text(&table);
        let read = document(&text);
        prop_assert_eq!(read.table(), &table);
        prop_assert_eq!(canonical::text(read.table()), text);
    }
}

#[test]
fn a_decimal_number_keeps_every_digit_or_becomes_a_text() {
    let check = |written: &str, expected: &str| {
        let text = canonical::text(document(&format!("a = {written}")).table());
        assert_eq!(text, format!("a = {expected}\n"), "{written}");
    };
    check("0.15", "0.15");
    check("0.150", "0.15");
    check("2.0", "2.0");
    check("+0.000001", "0.000001");
    check("1000000000.123456789", "\"1000000000.123456789\"");
    check("0.1000000000000000001", "\"0.1000000000000000001\"");
    check("1_000.5", "1000.5");
}
