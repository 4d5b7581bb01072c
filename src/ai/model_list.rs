//! `GET /v1/models` in the shape of whoever asks: OpenAI's, Anthropic's or Gemini's.

use serde_json::{Value, json};

use super::dialects::{gemini, messages};
use super::models::{Catalog, Model};
use crate::governance::Key;
use crate::routes::Surface;

/// The models that `key` may use, on one page.
pub fn page(catalog: &Catalog, key: &Key, surface: Surface) -> Value {
    let models = catalog.models(key);
    match surface {
        Surface::OpenAi => {
            let data: Vec<Value> = models.map(openai).collect();
            json!({"object": "list", "data": data})
        }
        Surface::Anthropic => {
            let names: Vec<(&str, &str)> =
                models.map(|model| (&*model.name, &*model.name)).collect();
            messages::models_page(&names)
        }
        Surface::Gemini => gemini::models_page(models.map(gemini_entry)),
    }
}

/// One model.
pub fn entry(model: &Model, surface: Surface) -> Value {
    match surface {
        Surface::OpenAi => openai(model),
        Surface::Anthropic => messages::model(&model.name, &model.name),
        Surface::Gemini => gemini::model_entry(gemini_entry(model)),
    }
}

/// Logical models have no date of birth, so `created` is 0.
fn openai(model: &Model) -> Value {
    json!({"id": &*model.name, "object": "model", "created": 0, "owned_by": &*model.primary().provider.name})
}

fn gemini_entry(model: &Model) -> gemini::ListedModel<'_> {
    gemini::ListedModel {
        name: &model.name,
        converses: model.primary().converses(),
        input_token_limit: model.primary().context_window,
        output_token_limit: None,
    }
}
