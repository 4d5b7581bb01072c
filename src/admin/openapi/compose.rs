//! Puts the document together.

use std::{collections::BTreeMap, sync::LazyLock};

use serde_json::Value;
use utoipa::openapi::{
    Components, Content, OpenApi, Paths, Ref, RefOr, Required,
    path::{Operation, Parameter},
    request_body::RequestBody,
    schema::Schema,
};

use super::{
    answers,
    endpoint::{Body, Endpoint, Needs},
    information, operations, parameters, tidy,
};

static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let mut text = format!("{:#}", compose(operations::all()));
    text.push('\n');
    text
});

/// The OpenAPI document of the admin API, as JSON.
pub fn document() -> &'static str {
    &DOCUMENT
}

fn compose(endpoints: Vec<Endpoint>) -> Value {
    let mut schemas: BTreeMap<String, RefOr<Schema>> = BTreeMap::new();
    let errors = super::schemas::of::<ferrogate_api::ErrorBody>();
    schemas.extend(errors.entries);
    let mut paths = Paths::new();
    for endpoint in endpoints {
        let method = endpoint.method.clone();
        let path = endpoint.path.clone();
        paths.add_path_operation(path, vec![method], operation(&endpoint));
        schemas.extend(endpoint.entries);
    }
    let document = OpenApi::builder()
        .info(information::info())
        .servers(Some(information::servers()))
        .paths(paths)
        .components(Some(components(schemas)))
        .tags(Some(information::tags()))
        .build();
    let mut document =
        serde_json::to_value(document).expect("an OpenAPI document is JSON with text for keys");
    tidy::tidy(&mut document);
    document
}

fn components(schemas: BTreeMap<String, RefOr<Schema>>) -> Components {
    let mut components = Components::new();
    components.schemas = schemas;
    for (name, response) in answers::components() {
        components
            .responses
            .insert(name.to_owned(), response.into());
    }
    for (name, header) in answers::headers() {
        components.headers.insert(name.to_owned(), header.into());
    }
    for (name, parameter) in parameters::headers() {
        components
            .parameters
            .insert(name.to_owned(), parameter.into());
    }
    for (name, scheme) in information::security_schemes() {
        components
            .security_schemes
            .insert(name.to_owned(), scheme.into());
    }
    components
}

fn operation(endpoint: &Endpoint) -> Operation {
    let scope = match endpoint.needs {
        Needs::Read => "admin.read",
        Needs::Write => "admin.write",
    };
    let mut operation = Operation::builder()
        .operation_id(Some(endpoint.id.clone()))
        .tag(endpoint.tag)
        .summary(Some(endpoint.summary.clone()))
        .description(Some(description(endpoint, scope)))
        .securities(Some(information::security(scope)))
        .request_body(endpoint.body.as_ref().map(request_body))
        .responses(answers::of(endpoint));
    for parameter in &endpoint.parameters {
        operation = operation.parameter(Parameter::clone(parameter));
    }
    for header in shared_headers(endpoint) {
        let location = format!("#/components/parameters/{header}");
        operation = operation.parameter_ref(Ref::new(location));
    }
    operation.build()
}

fn description(endpoint: &Endpoint, scope: &str) -> String {
    let needs = match endpoint.is_operators {
        true => {
            format!("Needs `{scope}`, and a key without a tenant: others get 403 `operator_only`.")
        }
        false => {
            format!(
                "Needs `{scope}`. A key that belongs to a tenant sees and changes that tenant alone."
            )
        }
    };
    match endpoint.description.as_str() {
        "" => needs,
        about => format!("{about}\n\n{needs}"),
    }
}

fn request_body(body: &Body) -> RequestBody {
    let required = match body.is_required {
        true => Required::True,
        false => Required::False,
    };
    RequestBody::builder()
        .description(Some(body.description))
        .content("application/json", Content::new(Some(body.schema.clone())))
        .required(Some(required))
        .build()
}

/// The headers that it takes beside a key, by their names among the components.
fn shared_headers(endpoint: &Endpoint) -> impl Iterator<Item = &'static str> {
    let success = endpoint.success.as_ref();
    let shows = success.is_some_and(|success| success.has_tag) && endpoint.needs == Needs::Read;
    let writes = endpoint.needs == Needs::Write;
    [
        (shows, "IfNoneMatch"),
        (endpoint.takes_if_match, "IfMatch"),
        (endpoint.is_repeatable(), "IdempotencyKey"),
        (writes, "Reason"),
    ]
    .into_iter()
    .filter_map(|(takes, header)| takes.then_some(header))
}
