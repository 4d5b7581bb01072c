//! The OpenAPI document against the router and the handlers: the same endpoints, asked for the same parameters; and the
//! file that is checked in against what is generated.

use std::collections::{BTreeMap, BTreeSet};

use super::{table::rows, *};
use crate::admin::openapi::{self, Needs};

/// `FERROGATE_BLESS=1 cargo test openapi` writes it anew.
const FILE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/docs/openapi/admin-api.openapi.json"
);

fn document() -> Value {
    serde_json::from_str(openapi::document()).unwrap()
}

/// Every operation, with its method and its path.
fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter();
        methods.map(|(method, operation)| (method.to_uppercase(), path.clone(), operation))
    });
    operations.collect()
}

/// The names of an operation's parameters in one place.
fn parameters<'o>(operation: &'o Value, place: &str) -> BTreeSet<&'o str> {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    parameters
        .filter(|parameter| parameter["in"] == place)
        .map(|parameter| parameter["name"].as_str().unwrap())
        .collect()
}

#[test]
fn the_file_is_what_is_generated() {
    if std::env::var_os("FERROGATE_BLESS").is_some() {
        std::fs::create_dir_all(std::path::Path::new(FILE).parent().unwrap()).unwrap();
        std::fs::write(FILE, openapi::document()).unwrap();
    }
    let file = std::fs::read_to_string(FILE).unwrap_or_default();
    assert!(
        file == openapi::document(),
        "docs/openapi/admin-api.openapi.json is not what the code says; run the test with FERROGATE_BLESS=1, and read \
         the difference"
    );
}

#[test]
fn it_has_the_endpoints_of_the_router_with_their_scopes_and_seats() {
    let told: BTreeMap<_, _> = openapi::endpoints()
        .iter()
        .map(|endpoint| {
            let needs = (endpoint.needs(), endpoint.is_operators());
            ((endpoint.method(), endpoint.path().to_owned()), needs)
        })
        .collect();
    let answered: BTreeMap<_, _> = rows()
        .iter()
        .filter(|row| !row.is_not_yet())
        .map(|row| {
            let needs = match row.scope {
                "READ" => Needs::Read,
                _ => Needs::Write,
            };
            let endpoint = (row.method.clone(), row.path.to_owned());
            (endpoint, (needs, row.seat == "OPERATOR"))
        })
        .collect();
    assert_eq!(told, answered);
    let document = document();
    let written: BTreeSet<_> = operations(&document)
        .into_iter()
        .map(|(method, path, _)| (method, path))
        .collect();
    assert_eq!(written, told.into_keys().collect());
}

#[test]
fn its_names_are_unique_and_its_references_lead_somewhere() {
    let mut schemas = BTreeMap::new();
    for endpoint in openapi::endpoints() {
        for (name, schema) in endpoint.schemas() {
            let schema = serde_json::to_value(schema).unwrap();
            let known = schemas
                .entry(name.clone())
                .or_insert_with(|| schema.clone());
            assert_eq!(*known, schema, "two schemas are called {name}");
        }
    }
    let document = document();
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id), "{method} {path}: {id}");
    }
    each_object(&document, &mut |object| {
        if let Some(Value::String(reference)) = object.get("$ref") {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
        if let Some(Value::String(id)) = object.get("operationId") {
            assert!(ids.contains(&**id), "{id}");
        }
    });
}

#[test]
fn everything_in_it_has_a_description_for_people() {
    let document = document();
    let is_told = |what: &Value| {
        let text = what["description"].as_str().unwrap_or_default();
        text.ends_with(['.', '`', ')']) && !text.contains("[`") && !text.contains("::")
    };
    for (method, path, operation) in operations(&document) {
        assert!(is_told(operation), "{method} {path}");
        assert!(operation["summary"].is_string(), "{method} {path}");
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let is_shared = parameter["$ref"].is_string();
            assert!(
                is_shared || is_told(parameter),
                "{method} {path} {parameter}"
            );
        }
    }
    let components = &document["components"];
    for kind in ["schemas", "responses", "headers", "parameters"] {
        for (name, component) in components[kind].as_object().unwrap() {
            assert!(is_told(component), "{name}: {}", component["description"]);
            each_object(component, &mut |object| {
                let properties = object.get("properties").and_then(Value::as_object);
                for (property, schema) in properties.into_iter().flatten() {
                    // The word that tells the events of the feed apart.
                    let is_a_tag = name == "Event" && property == "event";
                    assert!(is_a_tag || is_told(schema), "{name}.{property}: {schema}");
                }
            });
        }
    }
}

/// A parameter that nobody knows is refused with the names of those that are known.
#[tokio::test]
async fn its_parameters_are_those_that_the_handlers_take() {
    let admin = Admin::start().await;
    let document = document();
    let mut checked = 0;
    for (method, path, operation) in operations(&document) {
        let told = parameters(operation, "query");
        let in_path = path
            .replace("{kind}", "organization")
            .replace("{id}", "01a20797-6f4b-760b-82c2-152ee284374f")
            .replace("{name}", "nobody")
            .replace("{revision}", "999");
        let body = operation["requestBody"]["content"]["application/json"]["schema"].clone();
        let body = example_of(&document, &body);
        let request = of_key(
            "admin-secret",
            &method,
            &format!("{in_path}?nobody_knows_this=1"),
            &body,
        );
        let (status, _, answer) = admin.ask(request).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{method} {path} {answer}");
        assert_eq!(
            answer["error"]["param"], "nobody_knows_this",
            "{method} {path}"
        );
        let message = answer["error"]["message"].as_str().unwrap();
        let (_, known) = message.split_once("it takes ").unwrap();
        let known: BTreeSet<&str> = match known {
            "none." => BTreeSet::new(),
            list => list.split('`').skip(1).step_by(2).collect(),
        };
        assert_eq!(told, known, "{method} {path}");
        checked += usize::from(!told.is_empty());
    }
    assert!(checked > 20, "{checked}");
}

/// A body that the endpoint reads, as far as there is an example of one.
fn example_of(document: &Value, schema: &Value) -> String {
    let reference = schema["$ref"]
        .as_str()
        .and_then(|text| text.strip_prefix('#'));
    let schema = reference.and_then(|pointer| document.pointer(pointer));
    schema.map_or_else(
        || "{}".to_owned(),
        |schema| match &schema["examples"][0] {
            Value::Null => "{}".to_owned(),
            example => example.to_string(),
        },
    )
}

#[tokio::test]
async fn its_orders_are_those_that_the_lists_have() {
    let admin = Admin::start().await;
    let document = document();
    let mut checked = 0;
    for (method, path, operation) in operations(&document) {
        let all = operation["parameters"].as_array().into_iter().flatten();
        let Some(sort) = all
            .into_iter()
            .find(|parameter| parameter["name"] == "sort")
        else {
            continue;
        };
        let reference = sort["schema"]["$ref"]
            .as_str()
            .and_then(|text| text.strip_prefix('#'));
        let schema = reference.map_or(&sort["schema"], |pointer| {
            document.pointer(pointer).unwrap()
        });
        let told: BTreeSet<&str> = schema["enum"]
            .as_array()
            .unwrap()
            .iter()
            .map(|word| word.as_str().unwrap())
            .collect();
        let request = of_key(
            "admin-secret",
            &method,
            &format!("{path}?sort=nonsense"),
            "",
        );
        let (_, _, answer) = admin.ask(request).await;
        let message = answer["error"]["message"].as_str().unwrap();
        let (_, known) = message.split_once("must be one of ").unwrap();
        // Either every word is named, or every field and how to turn it round.
        let fields: Vec<&str> = known
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|word| *word != "-")
            .collect();
        let turned: Vec<String> = match message.contains("with `-` before it") {
            true => fields.iter().map(|field| format!("-{field}")).collect(),
            false => Vec::new(),
        };
        let known: BTreeSet<&str> = fields
            .iter()
            .copied()
            .chain(turned.iter().map(String::as_str))
            .collect();
        assert_eq!(told, known, "{path}");
        checked += 1;
    }
    assert!(checked > 12, "{checked}");
}

#[tokio::test]
async fn the_gateway_serves_it() {
    let admin = Admin::start().await;
    let answer = admin.send(from(ROOT, "/admin/v1/openapi.json")).await;
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert_eq!(text(answer).await, openapi::document());
}

fn each_object(value: &Value, see: &mut dyn FnMut(&serde_json::Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            see(object);
            for (name, inner) in object {
                // What an example holds is no part of the document.
                if !matches!(name.as_str(), "example" | "examples" | "default") {
                    each_object(inner, see);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| each_object(item, see)),
        _ => {}
    }
}
