//! How models are listed. <https://ai.google.dev/api/models>

use serde_json::{Value, json};

use super::model_family;

/// A model that a key may use.
#[derive(Debug, Clone, Copy)]
pub(in crate::ai) struct ListedModel<'a> {
    pub(in crate::ai) name: &'a str,
    /// It takes conversations; else it is for embeddings, which the gateway takes in OpenAI's dialect alone.
    pub(in crate::ai) converses: bool,
    pub(in crate::ai) input_token_limit: Option<u64>,
    pub(in crate::ai) output_token_limit: Option<u64>,
}

/// `GET models`: all on one page.
pub(in crate::ai) fn models_page<'a>(models: impl IntoIterator<Item = ListedModel<'a>>) -> Value {
    let models: Vec<Value> = models.into_iter().map(model_entry).collect();
    json!({"models": models})
}

/// `GET models/{model}`.
pub(in crate::ai) fn model_entry(model: ListedModel<'_>) -> Value {
    let methods: &[&str] = if model.converses {
        &["generateContent", "streamGenerateContent", "countTokens"]
    } else {
        &[]
    };
    let mut entry = json!({
        "name": model_family::resource(model.name),
        "displayName": model.name,
        "supportedGenerationMethods": methods,
    });
    let limits = [
        ("inputTokenLimit", model.input_token_limit),
        ("outputTokenLimit", model.output_token_limit),
    ];
    for (name, limit) in limits {
        if let Some(limit) = limit {
            entry[name] = json!(limit);
        }
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_every_model_and_only_limits_that_are_known() {
        let model = ListedModel {
            name: "fast",
            converses: true,
            input_token_limit: Some(1000),
            output_token_limit: None,
        };
        let vectors = ListedModel {
            name: "vectors",
            converses: false,
            input_token_limit: None,
            output_token_limit: Some(1),
        };
        assert_eq!(
            models_page([model, vectors]),
            json!({"models": [
                {"name": "models/fast", "displayName": "fast", "inputTokenLimit": 1000,
                 "supportedGenerationMethods": ["generateContent", "streamGenerateContent", "countTokens"]},
                {"name": "models/vectors", "displayName": "vectors", "outputTokenLimit": 1,
                 "supportedGenerationMethods": []},
            ]})
        );
        assert_eq!(models_page([]), json!({"models": []}));
    }
}
