//! `item_reference` in a responses request: an item of an earlier answer, named by its id instead of sent again.
//!
//! An item that the gateway made is looked up in the answer it belongs to, which its id names, and put in the place of
//! the reference; only the key that got the answer finds it. An item that a provider made is the provider's to find.

use std::collections::HashMap;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::dialects::Dialect;
use super::memory::unreadable;
use super::request::AiRequest;
use crate::error::{ErrorKind, RequestError};
use crate::store::Store;

/// Of so many earlier answers one request may name items.
const RESPONSES_MAX: usize = 256;
/// A request id without its hyphens.
const REQUEST_ID_DIGITS: usize = 32;

/// The request's body with the items in the place of the references to them; `None` where there is none to one of ours.
///
/// # Errors
/// `ledger_unavailable` when the state could not be read; `invalid_request` for too many references.
pub(super) async fn resolve(
    store: &Store,
    owner: &str,
    request: &AiRequest,
) -> Result<Option<Bytes>, RequestError> {
    let names_items = request.dialect == Dialect::Responses
        && memchr::memmem::find(request.body(), b"item_reference").is_some();
    if !names_items {
        return Ok(None);
    }
    // What is no object of this shape is refused by whoever reads it whole.
    let Ok(mut body) = serde_json::from_slice::<Map<String, Value>>(request.body()) else {
        return Ok(None);
    };
    let Some(Value::Array(items)) = body.get_mut("input") else {
        return Ok(None);
    };
    let mut answers = HashMap::new();
    let mut resolved = false;
    for item in items {
        let Some((item_id, response_id)) = reference(item) else {
            continue;
        };
        if !answers.contains_key(&response_id) {
            if answers.len() == RESPONSES_MAX {
                return Err(too_many());
            }
            let output = output_of(store, owner, &response_id).await?;
            answers.insert(response_id.clone(), output);
        }
        let output = answers.get(&response_id).into_iter().flatten();
        if let Some(found) = output.into_iter().find(|one| one["id"] == *item_id) {
            *item = found.clone();
            resolved = true;
        }
    }
    Ok(resolved.then(|| Value::Object(body).to_string().into()))
}

/// The id of the item that is named, and of the response it is in, if the gateway made it: `rs_<request id>_<number>`.
fn reference(item: &Value) -> Option<(String, String)> {
    if item["type"] != "item_reference" {
        return None;
    }
    let id = item["id"].as_str()?;
    let (_, rest) = id.split_once('_')?;
    let (request_id, _) = rest.split_once('_')?;
    let ours = request_id.len() == REQUEST_ID_DIGITS
        && request_id.bytes().all(|byte| byte.is_ascii_hexdigit());
    ours.then(|| (id.to_owned(), format!("resp_{request_id}")))
}

/// The items of a kept answer; none where it is not kept.
async fn output_of(store: &Store, owner: &str, id: &str) -> Result<Vec<Value>, RequestError> {
    let kept = store.response(owner, id).await.map_err(unreadable)?;
    let answer = kept.and_then(|kept| serde_json::from_slice::<Value>(&kept.answer).ok());
    Ok(match answer.map(|mut answer| answer["output"].take()) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    })
}

fn too_many() -> RequestError {
    RequestError::new(
        ErrorKind::InvalidRequest,
        format!("`input` refers to items of more than {RESPONSES_MAX} responses. Send the items themselves."),
    )
    .with_param("input")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_item_of_ours_names_its_response() {
        let check = |item: Value, expected: Option<&str>| {
            let found = reference(&item).map(|(_, response)| response);
            assert_eq!(found.as_deref(), expected, "{item}");
        };
        let hex = "0190a1b2c3d4e5f60718293a4b5c6d7e";
        let response = format!("resp_{hex}");
        for prefix in ["rs", "msg", "fc"] {
            let id = format!("{prefix}_{hex}_1");
            check(json!({"type": "item_reference", "id": id}), Some(&response));
        }
        check(
            json!({"type": "message", "id": format!("msg_{hex}_0")}),
            None,
        );
        check(
            json!({"type": "item_reference", "id": format!("rs_{hex}")}),
            None,
        );
        check(json!({"type": "item_reference", "id": "rs_0a1b_1"}), None);
        check(json!({"type": "item_reference"}), None);
    }
}
