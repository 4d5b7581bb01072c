//! What becomes of one thing that a client says: written for a provider with it and without, and told apart.

use serde_json::Value;

use crate::ai::conversation::{Conversation, Message, Part, Role, Tool, ToolKind};
use crate::ai::dialects::{Dialect, Field, Quirks, Target, convert};
use crate::error::ErrorKind;

/// Somebody to write for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Provider {
    /// The head of its column.
    pub(super) name: &'static str,
    pub(super) api: Dialect,
    model: &'static str,
    quirks: Quirks,
}

pub(super) const fn provider(name: &'static str, api: Dialect, model: &'static str) -> Provider {
    Provider {
        name,
        api,
        model,
        quirks: Quirks {
            max_completion_tokens: true,
            developer_role: true,
            custom_tools: true,
        },
    }
}

/// One of each dialect, and of chat two: OpenAI's own, and a server that knows what all know.
pub(super) const PROVIDERS: [Provider; 5] = [
    provider("`chat` at OpenAI", Dialect::Chat, "gpt-x"),
    Provider {
        quirks: Quirks {
            max_completion_tokens: false,
            developer_role: false,
            custom_tools: false,
        },
        ..provider("`chat` elsewhere", Dialect::Chat, "other")
    },
    provider("`responses`", Dialect::Responses, "gpt-x"),
    provider("`messages`", Dialect::Messages, "claude-sonnet-4-5"),
    provider("`gemini`", Dialect::Gemini, "gemini-2.5-flash"),
];

/// A conversation without the thing that is asked about, and with it.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) without: Conversation,
    pub(super) with: Conversation,
}

impl Probe {
    /// Changes a conversation of a chat client in which nothing but `hi` was said.
    pub(super) fn of(change: impl FnOnce(&mut Conversation)) -> Self {
        Self::on(hi(), change)
    }

    pub(super) fn on(without: Conversation, change: impl FnOnce(&mut Conversation)) -> Self {
        let mut with = without.clone();
        change(&mut with);
        Self { without, with }
    }
}

/// What is said in every probe, so that the body has something in it.
pub(super) const SAID: &str = "hi";

pub(super) fn hi() -> Conversation {
    let mut conversation = Conversation::new(Dialect::Chat);
    let said = vec![Part::Text(SAID.into())];
    conversation.messages = vec![Message::new(Role::User, said)];
    conversation
}

/// The same with a tool to call.
pub(super) fn with_tool(kind: ToolKind) -> Conversation {
    let mut conversation = hi();
    conversation.tools = vec![Tool {
        name: "look".into(),
        description: None,
        kind,
    }];
    conversation
}

pub(super) fn function() -> ToolKind {
    ToolKind::Function {
        parameters: Some(serde_json::json!({"type": "object", "properties": {}})),
        strict: None,
    }
}

/// What a provider is told more because of the probe.
#[derive(Debug, PartialEq)]
pub(super) struct Told {
    /// Places in the body with values that were not there before.
    pub(super) new: Vec<(String, Value)>,
    /// Names of what was left out.
    pub(super) dropped: Vec<String>,
}

/// What is told; `None` where it is refused, which must name `field` as the client does.
pub(super) fn told(provider: &Provider, probe: &Probe, field: Field) -> Option<Told> {
    let target = Target {
        model: provider.model,
        stream: false,
        quirks: provider.quirks,
        default_max_output_tokens: 4096,
    };
    let write = |conversation| convert::write_request(provider.api, conversation, &target);
    let before = write(&probe.without).unwrap();
    let after = match write(&probe.with) {
        Ok(after) => after,
        Err(error) => {
            assert_eq!(error.kind, ErrorKind::UnsupportedParameter, "{error}");
            let name = probe.with.spelling(field);
            assert_eq!(error.param.as_deref(), Some(name), "{error}");
            return None;
        }
    };
    let old = leaves(&before.body);
    let mut new = Vec::new();
    for leaf in leaves(&after.body) {
        // A content that was a text and is a list now says the old text in another place.
        let moved = leaf.1 == SAID;
        if !moved && !old.contains(&leaf) && !new.contains(&leaf) {
            new.push(leaf);
        }
    }
    let dropped = after
        .dropped
        .iter()
        .filter(|name| !before.dropped.contains(name));
    Some(Told {
        new,
        dropped: dropped.map(ToString::to_string).collect(),
    })
}

/// Every value that is no list or object, with its place; a list's elements share one.
fn leaves(body: &[u8]) -> Vec<(String, Value)> {
    fn walk(place: String, value: Value, out: &mut Vec<(String, Value)>) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                for (name, value) in map {
                    let inner = match &*place {
                        "" => name,
                        place => format!("{place}.{name}"),
                    };
                    walk(inner, value, out);
                }
            }
            Value::Array(list) if !list.is_empty() => {
                for value in list {
                    walk(place.clone(), value, out);
                }
            }
            value => out.push((place, value)),
        }
    }
    let mut out = Vec::new();
    walk(
        String::new(),
        serde_json::from_slice(body).unwrap(),
        &mut out,
    );
    out
}

/// A cell of a table of rules.
pub(super) fn rule(provider: &Provider, probe: &Probe, field: Field) -> String {
    let Some(told) = told(provider, probe, field) else {
        return "**400**".into();
    };
    let mut places: Vec<&str> = told.new.iter().map(|(place, _)| &**place).collect();
    // What a part is says less than what is in it.
    let is_kind = |place: &str| place.ends_with(".type") || place.ends_with(".role");
    if places.iter().any(|place| !is_kind(place)) {
        places.retain(|place| !is_kind(place));
    }
    let mut shown: Vec<String> = Vec::new();
    for place in &places {
        let name = format!("`{}`", together(place, &places));
        if !shown.contains(&name) {
            shown.push(name);
        }
    }
    let places = shown;
    match (places.is_empty(), told.dropped.is_empty()) {
        (true, true) => "left out".into(),
        (true, false) => "dropped".into(),
        (false, true) => places.join(", "),
        (false, false) => format!("{}; noted", places.join(", ")),
    }
}

/// Objects that hold so much that their names say nothing.
const ROOMS: [&str; 7] = [
    "messages",
    "messages.content",
    "input",
    "input.content",
    "contents",
    "contents.parts",
    "generationConfig",
];

/// Objects that are one thing, whatever of them a probe fills.
const WHOLES: [&str; 6] = [
    "response_format",
    "text.format",
    "output_config.format",
    "generationConfig.responseJsonSchema",
    "toolConfig.functionCallingConfig",
    "logit_bias",
];

/// The object that holds `place` and another of `places`, the outermost that says something; else the place itself.
fn together<'p>(place: &'p str, places: &[&str]) -> &'p str {
    let whole = |object: &&&str| {
        let rest = place.strip_prefix(**object);
        rest.is_some_and(|rest| rest.starts_with('.'))
    };
    if let Some(object) = WHOLES.iter().find(whole) {
        return object;
    }
    let ends = place.match_indices('.').map(|(end, _)| end);
    let objects = ends.filter_map(|end| place.get(..end));
    let mut objects = objects.filter(|object| !ROOMS.contains(object));
    let is_shared = |object: &&str| {
        let inside = |other: &&&str| {
            let rest = other.strip_prefix(*object);
            **other != place && rest.is_some_and(|rest| rest.starts_with('.'))
        };
        places.iter().any(|other| inside(&other))
    };
    objects.find(is_shared).unwrap_or(place)
}

/// A cell of a table of values.
pub(super) fn values(provider: &Provider, probe: &Probe, field: Field) -> String {
    let Some(told) = told(provider, probe, field) else {
        return "**400**".into();
    };
    let mut cells: Vec<String> = told
        .new
        .iter()
        .map(|(place, value)| match value {
            Value::String(word) => format!("`{place}` {word}"),
            value => format!("`{place}` {value}"),
        })
        .collect();
    if !told.dropped.is_empty() {
        let names: Vec<String> = told
            .dropped
            .iter()
            .map(|name| format!("`{name}`"))
            .collect();
        cells.push(format!("dropped: {}", names.join(", ")));
    }
    if cells.is_empty() {
        cells.push("–".into());
    }
    cells.join("<br>")
}
