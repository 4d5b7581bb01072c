//! The models a client may use, in Anthropic's shape. <https://docs.anthropic.com/en/api/models-list>

use serde_json::{Value, json};

/// What the API says of a model whose date of release is not known, and the gateway knows none.
const UNKNOWN_DATE: &str = "1970-01-01T00:00:00Z";

/// One model.
pub(in crate::ai) fn model(id: &str, display_name: &str) -> Value {
    json!({
        "type": "model",
        "id": id,
        "display_name": display_name,
        "created_at": UNKNOWN_DATE,
        "lifecycle": "active",
    })
}

/// All of them, ids with display names, on one page.
pub(in crate::ai) fn models_page(models: &[(&str, &str)]) -> Value {
    let data: Vec<Value> = models.iter().map(|(id, name)| model(id, name)).collect();
    json!({
        "data": data,
        "has_more": false,
        "first_id": models.first().map(|(id, _)| id),
        "last_id": models.last().map(|(id, _)| id),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_names_its_first_and_last_model() {
        let page = models_page(&[("fast", "Fast"), ("smart", "Smart")]);
        assert_eq!(
            page["data"][0],
            json!({"type": "model", "id": "fast", "display_name": "Fast",
                "created_at": "1970-01-01T00:00:00Z", "lifecycle": "active"})
        );
        assert_eq!(page["first_id"], "fast");
        assert_eq!(page["last_id"], "smart");
        assert_eq!(page["has_more"], false);
        let empty = models_page(&[]);
        assert_eq!(
            empty,
            json!({"data": [], "has_more": false, "first_id": null, "last_id": null})
        );
    }
}
