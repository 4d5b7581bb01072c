//! `generationConfig` of a client's request. <https://ai.google.dev/api/generate-content#generationconfig>

use std::borrow::Cow;

use serde_json::Value;

use super::fields::{Fields, untranslatable, wrong};
use super::schema;
use super::whole::{Count, Whole};
use crate::ai::conversation::{
    Conversation, Effort, OutputFormat, ReasoningControl, ReasoningSummary,
};
use crate::error::RequestError;

const NUMBER: &str = "a number";
const WHOLE: &str = "a whole number that is not negative";

/// Reads the controls into `conversation`.
///
/// # Errors
/// 400 naming the field that is wrong or cannot cross.
pub(super) fn read(
    mut config: Fields<'_>,
    conversation: &mut Conversation,
) -> Result<(), RequestError> {
    let controls = &mut conversation.controls;
    controls.temperature = config.take("temperature", NUMBER)?;
    controls.top_p = config.take("topP", NUMBER)?;
    controls.top_k = count(&mut config, "topK")?;
    controls.presence_penalty = config.take("presencePenalty", NUMBER)?;
    controls.frequency_penalty = config.take("frequencyPenalty", NUMBER)?;
    let seed: Option<Whole> = config.take("seed", "a whole number")?;
    controls.seed = seed.map(|seed| seed.0);
    controls.stop = config
        .take("stopSequences", "a list of texts")?
        .unwrap_or_default();
    controls.max_output_tokens = count(&mut config, "maxOutputTokens")?;
    let choices = count(&mut config, "candidateCount")?;
    controls.choices = choices.and_then(|count| u32::try_from(count).ok());
    controls.logprobs = logprobs(&mut config)?;
    conversation.output = output(&mut config)?;
    if let Some(thinking) =
        config.take_object("thinkingConfig", "generationConfig.thinkingConfig")?
    {
        let (reasoning, unread) = reasoning(thinking)?;
        conversation.reasoning = reasoning;
        conversation
            .unread
            .extend(unread.into_iter().map(Cow::Owned));
    }
    only_text(&mut config)?;
    // Speech, pictures and the resolution at which media are read: for models that have them.
    conversation.unread.extend(config.rest().map(Cow::Owned));
    Ok(())
}

fn count(config: &mut Fields<'_>, name: &str) -> Result<Option<u64>, RequestError> {
    let count: Option<Count> = config.take(name, WHOLE)?;
    Ok(count.map(|count| count.0))
}

fn logprobs(config: &mut Fields<'_>) -> Result<Option<u32>, RequestError> {
    let wanted: Option<bool> = config.take("responseLogprobs", "a boolean")?;
    let alternatives = count(config, "logprobs")?.unwrap_or_default();
    Ok((wanted == Some(true)).then(|| u32::try_from(alternatives).unwrap_or(u32::MAX)))
}

fn output(config: &mut Fields<'_>) -> Result<OutputFormat, RequestError> {
    const MIME_TYPE: &str = "generationConfig.responseMimeType";
    let mime_type: Option<String> = config.take("responseMimeType", "a text")?;
    let openapi: Option<Value> = config.take("responseSchema", "a schema")?;
    let json_schema: Option<Value> = config.take("responseJsonSchema", "a schema")?;
    match mime_type.as_deref() {
        None | Some("" | "text/plain" | "application/json") => {}
        Some("text/x.enum") => {
            return Err(untranslatable(
                MIME_TYPE,
                "`responseMimeType` `text/x.enum`",
            ));
        }
        Some(_) => {
            return Err(wrong(
                MIME_TYPE,
                "must be `text/plain` or `application/json`",
            ));
        }
    }
    let schema = json_schema.or_else(|| openapi.map(schema::to_json_schema));
    Ok(match schema {
        Some(schema) => OutputFormat::JsonSchema {
            name: "response".into(),
            description: None,
            schema,
            strict: None,
        },
        None if mime_type.as_deref() == Some("application/json") => OutputFormat::JsonObject,
        None => OutputFormat::Text,
    })
}

/// What is wanted of thinking, and the names of what is not known of it.
fn reasoning(mut thinking: Fields<'_>) -> Result<(ReasoningControl, Vec<String>), RequestError> {
    const BUDGET: &str = "generationConfig.thinkingConfig.thinkingBudget";
    const LEVEL: &str = "generationConfig.thinkingConfig.thinkingLevel";
    let mut reasoning = ReasoningControl::default();
    let shown: Option<bool> = thinking.take("includeThoughts", "a boolean")?;
    reasoning.summary = shown.map(|shown| match shown {
        true => ReasoningSummary::Auto,
        false => ReasoningSummary::Hidden,
    });
    let budget: Option<Whole> = thinking.take("thinkingBudget", "a whole number")?;
    match budget.map(|budget| budget.0) {
        None => {}
        Some(-1) => reasoning.dynamic = true,
        Some(tokens) => {
            let tokens = u64::try_from(tokens)
                .map_err(|_| wrong(BUDGET, "must be -1, 0 or a number of tokens"))?;
            reasoning.budget_tokens = Some(tokens);
        }
    }
    let level: Option<String> = thinking.take("thinkingLevel", "a text")?;
    if let Some(level) = level.filter(|level| level != "THINKING_LEVEL_UNSPECIFIED") {
        let effort = Effort::parse(&level.to_ascii_lowercase());
        let unknown = || wrong(LEVEL, "must be `MINIMAL`, `LOW`, `MEDIUM` or `HIGH`");
        reasoning.effort = Some(effort.ok_or_else(unknown)?);
    }
    Ok((reasoning, thinking.rest().collect()))
}

/// Other models answer in text; an answer without the picture that was asked for would be another answer.
fn only_text(config: &mut Fields<'_>) -> Result<(), RequestError> {
    const MODALITIES: &str = "generationConfig.responseModalities";
    let modalities: Vec<String> = config
        .take("responseModalities", "a list of texts")?
        .unwrap_or_default();
    if modalities
        .iter()
        .all(|word| word.eq_ignore_ascii_case("text"))
    {
        return Ok(());
    }
    Err(untranslatable(
        MODALITIES,
        "An answer that is not text (`responseModalities`)",
    ))
}

#[cfg(test)]
mod tests;
