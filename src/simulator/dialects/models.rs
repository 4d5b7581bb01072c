//! `GET /v1/models` and `GET /v1/models/{id}`. The list is for show: any model name is answered.

use serde_json::{Value, json};

use super::{CREATED_UNIX, error_body};

const MODELS: [&str; 4] = [
    "gpt-4o-mini",
    "gpt-4o",
    "gpt-5-mini",
    "text-embedding-3-small",
];

/// The whole list.
pub fn list() -> Value {
    let data: Vec<Value> = MODELS.into_iter().map(model).collect();
    json!({"object": "list", "data": data})
}

/// One of the list, or the error that says there is none.
pub fn find(id: &str) -> Result<Value, Value> {
    if MODELS.contains(&id) {
        Ok(model(id))
    } else {
        let message = format!("The model '{id}' does not exist.");
        Err(error_body(
            &message,
            "invalid_request_error",
            Some("model_not_found"),
        ))
    }
}

fn model(id: &str) -> Value {
    json!({"id": id, "object": "model", "created": CREATED_UNIX, "owned_by": "simulator"})
}
