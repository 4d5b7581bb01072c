use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use utoipa::{
    PartialSchema,
    openapi::{RefOr, schema::Object, schema::Schema},
};

use super::*;

fn object<T: PartialSchema>() -> Object {
    match T::schema() {
        RefOr::T(Schema::Object(object)) => object,
        RefOr::T(_) | RefOr::Ref(_) => panic!("documents are objects"),
    }
}

/// What the schema gives as an example is read; with a key that nobody knows it is not.
fn check<T: DeserializeOwned + PartialSchema>(name: &str) {
    let object = object::<T>();
    let [example] = &object.examples[..] else {
        panic!("{name} has one example");
    };
    let read = |document: &Value| serde_json::from_value::<T>(document.clone());
    assert!(read(example).is_ok(), "{name}: {:?}", read(example).err());
    for key in object.properties.keys() {
        let mut without = example.clone();
        let fields = without.as_object_mut().unwrap();
        fields.remove(key);
        let is_required = object.required.contains(key);
        assert_eq!(read(&without).is_err(), is_required, "{name}: {key}");
    }
    let mut with_more = example.clone();
    with_more["nobody_knows_this"] = json!(1);
    assert!(read(&with_more).is_err(), "{name}");
}

#[test]
fn an_example_is_what_its_type_reads() {
    check::<ApiKeyDocument>("api key");
    check::<TenantDocument>("tenant");
    check::<PolicyDocument>("policy");
    check::<GatewayConfigDocument>("gateway config");
    check::<ProviderDocument>("provider");
    check::<ModelDocument>("model");
    check::<UpstreamDocument>("upstream");
    check::<RouteDocument>("route");
    check::<McpServerDocument>("MCP server");
    check::<AlertDocument>("alert");
}

#[test]
fn money_is_a_text_or_a_number() {
    let check = |money: Value, is_read: bool| {
        let budget = json!({"money": money, "period": "month"});
        let read = serde_json::from_value::<BudgetDocument>(budget);
        assert_eq!(read.is_ok(), is_read, "{money}");
    };
    check(json!("12.50"), true);
    check(json!(12.5), true);
    check(json!(12), true);
    check(Value::Null, true);
    check(json!([12]), false);
    check(json!(true), false);
}

#[test]
fn secrets_are_not_for_logs() {
    let provider = json!({"name": "a", "api_key": "hunter2"});
    let provider: ProviderDocument = serde_json::from_value(provider).unwrap();
    assert!(!format!("{provider:?}").contains("hunter2"));
    let setting = json!({"name": "authorization", "value": "hunter2"});
    let setting: McpSettingDocument = serde_json::from_value(setting).unwrap();
    assert!(!format!("{setting:?}").contains("hunter2"));
}
