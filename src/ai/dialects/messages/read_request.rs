//! A request of a client's, read for a provider that speaks another dialect. Token counting requests are the same
//! without a ceiling.
//!
//! `container` and `mcp_servers` are refused: the model would have to run code or tools at Anthropic's. What else is
//! not read is named in [`Conversation::unread`]: `cache_control` once, however often it stands in the body.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::fields::{Fields, invalid, untranslatable};
use super::read_content::{Notes, Place, read_message, read_system};
use super::read_tools::read_tools;
use crate::ai::conversation::{
    Controls, Conversation, Effort, Message, OutputFormat, ReasoningControl, ReasoningSummary, Role,
};
use crate::ai::dialects::Dialect;
use crate::error::RequestError;

/// Fields that are the gateway's business, or nobody's.
const READ_ELSEWHERE: [&str; 3] = ["model", "stream", "anthropic_version"];

/// Fields that an answer of another provider's cannot do without.
const UNTRANSLATABLE: [(&str, &str); 3] = [
    ("container", "code in a container runs at Anthropic's alone"),
    (
        "mcp_servers",
        "Anthropic's API connects to MCP servers itself",
    ),
    ("thread", "threads are kept at Anthropic's"),
];

/// Reads a body of `POST /v1/messages`, or of `…/count_tokens`.
///
/// # Errors
/// 400 naming the field that is not what it must be, or that no other provider can honour.
pub(in crate::ai) fn read_request(body: &[u8]) -> Result<Conversation, RequestError> {
    let mut fields = Fields::of_body(body)?;
    for (name, why) in UNTRANSLATABLE {
        match fields.raw(name).map(RawValue::get) {
            None | Some("[]" | "{}") => {}
            Some(_) => return Err(untranslatable(name, why)),
        }
    }
    let mut notes = Notes::default();
    let mut conversation = Conversation::new(Dialect::Messages);
    conversation.messages = read_messages(&mut fields, &mut notes)?;
    read_tools(&mut fields, &mut conversation, &mut notes)?;
    conversation.reasoning = read_thinking(&mut fields, &mut notes)?;
    read_output(&mut fields, &mut conversation, &mut notes)?;
    conversation.controls = read_controls(&mut fields, &mut notes)?;
    if fields.raw("cache_control").is_some() {
        notes.add("cache_control");
    }
    fields.ignore(&READ_ELSEWHERE);
    notes.extend(fields.names_left());
    conversation.unread = notes.into_names();
    Ok(conversation)
}

fn read_messages(fields: &mut Fields<'_>, notes: &mut Notes) -> Result<Vec<Message>, RequestError> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow)]
        role: Cow<'a, str>,
        #[serde(borrow)]
        content: &'a RawValue,
    }
    let mut messages = Vec::new();
    if let Some(raw) = fields.raw("system") {
        let parts = read_system(raw, "system", notes)?;
        messages.push(Message::new(Role::System, parts));
    }
    let list: Vec<Wire<'_>> = fields
        .take("messages", "a list of messages with role and content")?
        .ok_or_else(|| invalid("messages", "is missing"))?;
    for (message, wire) in list.into_iter().enumerate() {
        let place = Place::message(message);
        read_message(&wire.role, wire.content, place, notes, &mut messages)?;
    }
    Ok(messages)
}

/// `thinking`. `output_config.effort` comes later and adds to it.
fn read_thinking(
    fields: &mut Fields<'_>,
    notes: &mut Notes,
) -> Result<ReasoningControl, RequestError> {
    let mut reasoning = ReasoningControl::default();
    let mut thinking = fields.object("thinking")?;
    let kind: Option<String> = thinking.take("type", "a word")?;
    let budget = thinking.take("budget_tokens", "a whole number")?;
    match kind.as_deref() {
        None => {}
        Some("enabled") => reasoning.budget_tokens = budget,
        Some("disabled") => reasoning.budget_tokens = Some(0),
        Some("adaptive") => reasoning.dynamic = true,
        // No thought before the answer; what comes between calls is more than others can tell apart.
        Some("between_tools") => {
            reasoning.budget_tokens = Some(0);
            notes.add("thinking.type");
        }
        Some(_) => {
            return Err(invalid(
                "thinking.type",
                "must be `enabled`, `adaptive` or `disabled`",
            ));
        }
    }
    let display: Option<String> = thinking.take("display", "a word")?;
    reasoning.summary = match display.as_deref() {
        None => None,
        Some("omitted") => Some(ReasoningSummary::Hidden),
        Some(_) => Some(ReasoningSummary::Auto),
    };
    notes.extend(thinking.names_left());
    Ok(reasoning)
}

/// `output_config`, and `output_format`, as its `format` was called before.
fn read_output(
    fields: &mut Fields<'_>,
    conversation: &mut Conversation,
    notes: &mut Notes,
) -> Result<(), RequestError> {
    let mut config = fields.object("output_config")?;
    let effort: Option<String> = config.take("effort", "a word")?;
    if let Some(word) = effort {
        let effort = Effort::parse(&word).ok_or_else(|| {
            let problem = "must be `low`, `medium`, `high`, `xhigh` or `max`";
            invalid("output_config.effort", problem)
        })?;
        // Where thinking is off, effort is about how much is said, which has no word elsewhere.
        if conversation.reasoning.budget_tokens == Some(0) {
            notes.add("output_config.effort");
        } else {
            conversation.reasoning.effort = Some(effort);
        }
    }
    let format = match config.raw("format") {
        Some(raw) => Some((raw, "output_config.format")),
        None => fields
            .raw("output_format")
            .map(|raw| (raw, "output_format")),
    };
    if let Some((raw, name)) = format {
        conversation.output = read_format(raw, name)?;
    }
    notes.extend(config.names_left());
    Ok(())
}

fn read_format(raw: &RawValue, name: &'static str) -> Result<OutputFormat, RequestError> {
    #[derive(Deserialize)]
    struct Format {
        r#type: String,
        schema: Option<Value>,
    }
    let format = serde_json::from_str::<Format>(raw.get()).ok();
    match format {
        Some(Format {
            r#type,
            schema: Some(schema),
        }) if r#type == "json_schema" => Ok(OutputFormat::JsonSchema {
            name: "response".into(),
            description: None,
            // Anthropic's answers always match the schema.
            strict: is_strict_everywhere(&schema).then_some(true),
            schema,
        }),
        _ => Err(invalid(
            name,
            "must have the type `json_schema` and a `schema`",
        )),
    }
}

/// Whether a schema can be enforced by every provider that enforces any: OpenAI refuses to where an object is open or
/// a property optional, which Anthropic allows.
pub(super) fn is_strict_everywhere(schema: &Value) -> bool {
    match schema {
        Value::Array(list) => list.iter().all(is_strict_everywhere),
        Value::Object(map) => {
            let required = |name: &String| {
                let list = map.get("required").and_then(Value::as_array);
                list.is_some_and(|list| list.iter().any(|item| item == name))
            };
            let properties = map.get("properties").and_then(Value::as_object);
            let is_object = map.get("type").is_some_and(|kind| kind == "object");
            let closed = map.get("additionalProperties") == Some(&Value::Bool(false));
            (closed || !is_object)
                && properties.is_none_or(|properties| properties.keys().all(required))
                && map.values().all(is_strict_everywhere)
        }
        _ => true,
    }
}

fn read_controls(fields: &mut Fields<'_>, notes: &mut Notes) -> Result<Controls, RequestError> {
    let mut metadata = fields.object("metadata")?;
    let user = metadata.take("user_id", "a string")?;
    notes.extend(metadata.names_left());
    let tier: Option<String> = fields.take("service_tier", "a string")?;
    Ok(Controls {
        temperature: fields.take("temperature", "a number")?,
        top_p: fields.take("top_p", "a number")?,
        top_k: fields.take("top_k", "a whole number")?,
        stop: fields
            .take("stop_sequences", "a list of strings")?
            .unwrap_or_default(),
        max_output_tokens: fields.take("max_tokens", "a whole number")?,
        user,
        // The one word that others have another word for.
        service_tier: tier.map(|tier| match &*tier {
            "standard_only" => "default".to_owned(),
            _ => tier,
        }),
        ..Controls::default()
    })
}
