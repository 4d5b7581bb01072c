//! The items of a conversation in the responses API: read, checked and heard.

use std::{collections::HashSet, sync::Arc};

use serde::Deserialize;
use serde_json::Value;

use crate::simulator::{
    dialects::open_ai::Content,
    errors::Problem,
    heard::{Heard, Role, ToolCall, ToolResult, arguments},
    memory::{Memory, number_of},
    state::{Kind, Tag, open},
    tokens::tokens_of,
};

/// What an item of the input costs beyond its text.
const TOKENS_PER_ITEM: u64 = 3;

const FROM_USER: [&str; 4] = ["input_text", "input_image", "input_file", "input_audio"];
const FROM_ASSISTANT: [&str; 2] = ["output_text", "refusal"];

/// Items that the simulator takes without reading them.
const UNREAD: [&str; 25] = [
    "file_search_call",
    "computer_call",
    "computer_call_output",
    "web_search_call",
    "tool_search_call",
    "tool_search_output",
    "additional_tools",
    "configuration_update",
    "compaction",
    "image_generation_call",
    "code_interpreter_call",
    "local_shell_call",
    "local_shell_call_output",
    "shell_call",
    "shell_call_output",
    "apply_patch_call",
    "apply_patch_call_output",
    "mcp_list_tools",
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_call",
    "compaction_trigger",
    "item_reference",
    "program",
    "program_output",
];

/// An item, whatever its type.
#[derive(Debug, Default, Deserialize)]
pub struct Item {
    #[serde(default)]
    r#type: Option<String>,
    #[serde(default)]
    role: String,
    content: Option<Content>,
    id: Option<String>,
    call_id: Option<String>,
    name: Option<String>,
    arguments: Option<String>,
    /// What a custom tool was called with.
    input: Option<String>,
    output: Option<Value>,
    encrypted_content: Option<String>,
}

impl Item {
    /// A message of the user.
    pub(super) fn user(text: &str) -> Self {
        Self {
            role: "user".into(),
            content: Some(Content::Text(text.to_owned())),
            ..Self::default()
        }
    }

    /// Its type; messages may leave it out, and references too.
    fn kind(&self) -> &str {
        match self.r#type.as_deref() {
            Some(kind) => kind,
            None if self.role.is_empty() && self.id.is_some() => "item_reference",
            None => "message",
        }
    }

    pub(super) fn cost(&self) -> u64 {
        TOKENS_PER_ITEM + tokens_of(self.content.as_ref().map_or(0, Content::len_bytes))
    }

    /// The text of a user's message.
    pub(super) fn prompt(&self) -> Option<&str> {
        (self.role == "user").then(|| self.content.as_ref().map_or("", Content::text))
    }

    pub(super) fn is_tool_output(&self) -> bool {
        matches!(
            self.kind(),
            "function_call_output" | "custom_tool_call_output"
        )
    }

    fn is_tool_call(&self) -> bool {
        matches!(self.kind(), "function_call" | "custom_tool_call")
    }

    fn call_id(&self) -> &str {
        self.call_id.as_deref().unwrap_or_default()
    }

    /// What is wrong with this item alone.
    pub(super) fn check(&self, at: &str) -> Result<(), Problem> {
        let missing = |field: &str| {
            let message = format!("Missing required parameter: '{at}.{field}'.");
            Problem::invalid_at(format!("{at}.{field}"), message)
                .with_code("missing_required_parameter")
        };
        match self.kind() {
            "message" => {
                let content = self.content.as_ref().ok_or_else(|| missing("content"))?;
                match self.role.as_str() {
                    "user" | "system" | "developer" => {
                        content.check(&FROM_USER, &format!("{at}.content"))
                    }
                    "assistant" => content.check(&FROM_ASSISTANT, &format!("{at}.content")),
                    role => Err(unsupported(&format!("{at}.role"), role)),
                }
            }
            "function_call" | "custom_tool_call" => {
                let said = self.arguments.is_some() || self.input.is_some();
                match (&self.call_id, &self.name, said) {
                    (None, ..) => Err(missing("call_id")),
                    (_, None, _) => Err(missing("name")),
                    (.., false) => Err(missing("arguments")),
                    _ => Ok(()),
                }
            }
            "function_call_output" | "custom_tool_call_output" => {
                let output = self.output_content().ok_or_else(|| missing("output"))?;
                self.call_id.as_ref().ok_or_else(|| missing("call_id"))?;
                output.check(&FROM_USER, &format!("{at}.output"))
            }
            "reasoning" => Ok(()),
            other if UNREAD.contains(&other) => Ok(()),
            other => Err(unsupported(&format!("{at}.type"), other)),
        }
    }

    fn output_content(&self) -> Option<Content> {
        Content::deserialize(self.output.as_ref()?).ok()
    }

    /// Items that are only named must be kept; `true` when this one is.
    pub(super) fn is_recalled(&self, memory: &Memory) -> Result<bool, Problem> {
        let is_named = match self.kind() {
            "reasoning" => self.encrypted_content.is_none(),
            "item_reference" => true,
            _ => false,
        };
        if !is_named {
            return Ok(false);
        }
        let id = self.id.as_deref().unwrap_or_default();
        let number = ["rs_", "msg_", "fc_", "ctc_"]
            .iter()
            .find_map(|prefix| number_of(id, prefix));
        if number.and_then(|number| memory.find(number)).is_some() {
            return Ok(true);
        }
        Err(Problem::NotFound {
            message: format!(
                "Item with id '{id}' not found. Items are not persisted when `store` is set to false. Try again with \
                 `store` set to true, or remove this item from your input."
            ),
            code: None,
        })
    }

    /// The answer that this reasoning item belongs to.
    fn tag(&self) -> Result<Option<Tag>, Problem> {
        match &self.encrypted_content {
            None => {
                let number = self.id.as_deref().and_then(|id| number_of(id, "rs_"));
                Ok(number.map(Tag::of))
            }
            Some(sealed) => match open(Kind::Encrypted, "", sealed) {
                Some(tag) => Ok(Some(tag)),
                None => {
                    let id = self.id.as_deref().unwrap_or_default();
                    let message = format!(
                        "The encrypted content for item {id} could not be verified. Reason: Encrypted content could \
                         not be decrypted or parsed."
                    );
                    Err(Problem::invalid(message).with_code("invalid_encrypted_content"))
                }
            },
        }
    }

    pub(super) fn hear(&self, heard: &mut Heard) {
        match self.kind() {
            "message" => {
                let Some(content) = &self.content else { return };
                match self.role.as_str() {
                    "system" | "developer" => heard.system.extend(content.texts()),
                    "assistant" => content.hear(heard.turn(Role::Assistant)),
                    _ => content.hear(heard.turn(Role::User)),
                }
            }
            "reasoning" => heard.turn(Role::Assistant).reasoning_state = true,
            "function_call" | "custom_tool_call" => {
                let arguments = match (&self.arguments, &self.input) {
                    (Some(text), _) => arguments(text),
                    (None, input) => Value::from(input.as_deref()),
                };
                heard.turn(Role::Assistant).tool_calls.push(ToolCall {
                    id: self.call_id.clone(),
                    name: self.name.clone().unwrap_or_default(),
                    arguments,
                });
            }
            "function_call_output" | "custom_tool_call_output" => self.hear_output(heard),
            _ => {}
        }
    }

    fn hear_output(&self, heard: &mut Heard) {
        let Some(output) = self.output_content() else {
            return;
        };
        let turn = heard.turn(Role::User);
        output.hear_media(turn);
        turn.tool_results.push(ToolResult {
            id: self.call_id.clone(),
            name: None,
            text: output.texts().join("\n"),
            error: false,
        });
    }
}

fn unsupported(at: &str, value: &str) -> Problem {
    let message = format!("Invalid value: '{value}' is no supported value of '{at}'.");
    Problem::invalid_at(at, message).with_code("invalid_value")
}

/// Every call has its output, and every output its call.
pub(super) fn check_calls(items: &[Arc<Item>]) -> Result<(), Problem> {
    let ids = |filter: fn(&Item) -> bool| -> HashSet<&str> {
        let matching = items.iter().filter(|item| filter(item));
        matching.map(|item| item.call_id()).collect()
    };
    let (calls, outputs) = (ids(Item::is_tool_call), ids(Item::is_tool_output));
    if let Some(id) = outputs.iter().find(|id| !calls.contains(*id)) {
        let message = format!("No tool call found for function call output with call_id {id}.");
        return Err(Problem::invalid_at("input", message));
    }
    if let Some(id) = calls.iter().find(|id| !outputs.contains(*id)) {
        let message = format!("No tool output found for function call {id}.");
        return Err(Problem::invalid_at("input", message));
    }
    Ok(())
}

/// Every reasoning item is ours, and every call that was made with reasoning comes behind its own.
pub(super) fn verify_state(items: &[Arc<Item>], strict: bool) -> Result<(), Problem> {
    let mut last = None;
    for item in items {
        if item.kind() == "reasoning" {
            last = item.tag()?;
        } else if item.kind() == "item_reference" {
            // To a reasoning item that is kept, or to another item, which changes nothing.
            last = item
                .id
                .as_deref()
                .and_then(|id| number_of(id, "rs_"))
                .map(Tag::of)
                .or(last);
        } else if item.is_tool_call() {
            let expected = Tag::in_id(item.call_id());
            let missing = match expected {
                Some(tag) => last != Some(tag),
                None => strict && last.is_none(),
            };
            if missing {
                let message = format!(
                    "Item '{}' of type '{}' was provided without its required 'reasoning' item.",
                    item.id.as_deref().unwrap_or(item.call_id()),
                    item.kind(),
                );
                return Err(Problem::invalid_at("input", message));
            }
        }
    }
    Ok(())
}
