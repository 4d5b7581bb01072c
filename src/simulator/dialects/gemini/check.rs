//! What Google refuses: the rules that a translation into its dialect gets wrong most easily.

use super::{
    declarations::{self, schema},
    request::{Body, Content, Part},
};
use crate::simulator::{errors::Problem, state::decode};

const CANDIDATES_MAX: u32 = 8;

pub(super) fn check(body: &Body) -> Result<(), Problem> {
    if body.contents.is_empty() {
        return Err(Problem::invalid(
            "* GenerateContentRequest.contents: contents is not specified\n",
        ));
    }
    for (index, content) in body.contents.iter().enumerate() {
        self::content(content, &format!("contents[{index}]"))?;
    }
    if let Some(system) = &body.system_instruction {
        parts(&system.parts, "system_instruction")?;
    }
    turns(&body.contents)?;
    declarations::check(body)?;
    generation(body)
}

fn content(content: &Content, place: &str) -> Result<(), Problem> {
    if !matches!(
        content.role.as_deref(),
        None | Some("user" | "model" | "function")
    ) {
        return Err(Problem::invalid("Please use a valid role: user, model."));
    }
    parts(&content.parts, place)
}

pub(super) fn parts(parts: &[Part], place: &str) -> Result<(), Problem> {
    if parts.is_empty() {
        return Err(Problem::invalid(format!(
            "* GenerateContentRequest.{place}.parts: contents.parts must not be empty.\n"
        )));
    }
    for (index, part) in parts.iter().enumerate() {
        let place = format!("* GenerateContentRequest.{place}.parts[{index}].data");
        let kinds = [
            part.text.is_some(),
            part.inline_data.is_some(),
            part.file_data.is_some(),
            part.function_call.is_some(),
            part.function_response.is_some(),
            part.executable_code.is_some(),
            part.code_execution_result.is_some(),
            part.tool_call.is_some(),
            part.tool_response.is_some(),
        ];
        match kinds.iter().filter(|there| **there).count() {
            1 => {}
            0 => {
                return Err(Problem::invalid(format!(
                    "{place}: required oneof field 'data' must have one initialized field\n"
                )));
            }
            _ => {
                return Err(Problem::invalid(format!(
                    "{place}: oneof field 'data' is already set\n"
                )));
            }
        }
        let blob = part.inline_data.as_ref();
        if blob.is_some_and(|blob| decode(&blob.data).is_none()) {
            return Err(Problem::invalid(format!(
                "{place}: Base64 decoding failed\n"
            )));
        }
    }
    Ok(())
}

/// Calls come behind the user, and as many responses as calls come in the very next content.
fn turns(contents: &[Content]) -> Result<(), Problem> {
    let mut open = 0;
    let mut before: Option<&Content> = None;
    for content in contents {
        let responses = content.responses();
        if responses > 0 && open == 0 {
            return Err(Problem::invalid(
                "Please ensure that function response turn comes immediately after a function call turn.",
            ));
        }
        if responses != open {
            return Err(Problem::invalid(
                "Please ensure that the number of function response parts is equal to the number of function call \
                 parts of the function call turn.",
            ));
        }
        open = content.calls();
        if open > 0 && before.is_none_or(Content::is_model) {
            return Err(Problem::invalid(
                "Please ensure that function call turn comes immediately after a user turn or after a function \
                 response turn.",
            ));
        }
        before = Some(content);
    }
    if open > 0 {
        return Err(Problem::invalid(
            "Please ensure that the number of function response parts is equal to the number of function call parts \
             of the function call turn.",
        ));
    }
    Ok(())
}

fn generation(body: &Body) -> Result<(), Problem> {
    let config = &body.generation_config;
    if !(1..=CANDIDATES_MAX).contains(&config.candidate_count.unwrap_or(1)) {
        return Err(Problem::invalid(format!(
            "* GenerateContentRequest.generation_config.candidate_count: must be from 1 to {CANDIDATES_MAX}\n"
        )));
    }
    if config
        .temperature
        .is_some_and(|temperature| !(0.0..=2.0).contains(&temperature))
    {
        return Err(Problem::invalid(
            "* GenerateContentRequest.generation_config.temperature: temperature must be in the range [0.0, 2.0].\n",
        ));
    }
    let thinking = &config.thinking_config;
    if thinking.thinking_budget.is_some() && thinking.thinking_level.is_some() {
        return Err(Problem::invalid(
            "You can only set only one of thinking budget and thinking level.",
        ));
    }
    if body.schema().is_some() && config.response_mime_type.as_deref() != Some("application/json") {
        return Err(Problem::invalid(
            "* GenerateContentRequest.generation_config.response_schema: response_schema requires response_mime_type \
             to be application/json\n",
        ));
    }
    match (&config.response_schema, &config.response_json_schema) {
        (Some(_), Some(_)) => Err(Problem::invalid(
            "* GenerateContentRequest.generation_config: only one of response_schema and response_json_schema may be \
             set\n",
        )),
        (Some(own), None) => schema(own, "generation_config.response_schema"),
        (None, _) => Ok(()),
    }
}
