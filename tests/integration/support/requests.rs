//! What clients of each dialect say when they say all they can, and what a provider is to hear of it.

use serde_json::{Value, json};

use super::{Dialect, model_of};

use Dialect::{Chat, Gemini, Messages, Responses};

/// Something that a client says about how it wants to be answered.
struct Control {
    /// In what was heard.
    name: &'static str,
    value: fn() -> Value,
    /// How each dialect spells it; `None` where it has no word for it.
    spelled: fn(Dialect) -> Option<&'static str>,
}

const CONTROLS: [Control; 8] = [
    Control {
        name: "temperature",
        value: || json!(0.5),
        spelled: |dialect| {
            Some(if dialect == Gemini {
                "generationConfig.temperature"
            } else {
                "temperature"
            })
        },
    },
    Control {
        name: "top_p",
        value: || json!(0.9),
        spelled: |dialect| {
            Some(if dialect == Gemini {
                "generationConfig.topP"
            } else {
                "top_p"
            })
        },
    },
    Control {
        name: "top_k",
        value: || json!(20),
        spelled: |dialect| match dialect {
            // Not OpenAI's, but what most compatible servers know.
            Chat | Messages => Some("top_k"),
            Responses => None,
            Gemini => Some("generationConfig.topK"),
        },
    },
    Control {
        name: "presence_penalty",
        value: || json!(0.25),
        spelled: |dialect| match dialect {
            Chat => Some("presence_penalty"),
            Responses | Messages => None,
            Gemini => Some("generationConfig.presencePenalty"),
        },
    },
    Control {
        name: "frequency_penalty",
        value: || json!(0.75),
        spelled: |dialect| match dialect {
            Chat => Some("frequency_penalty"),
            Responses | Messages => None,
            Gemini => Some("generationConfig.frequencyPenalty"),
        },
    },
    Control {
        name: "seed",
        value: || json!(7),
        spelled: |dialect| match dialect {
            Chat => Some("seed"),
            Responses | Messages => None,
            Gemini => Some("generationConfig.seed"),
        },
    },
    Control {
        name: "stop",
        value: || json!(["END"]),
        spelled: |dialect| match dialect {
            Chat => Some("stop"),
            Responses => None,
            Messages => Some("stop_sequences"),
            Gemini => Some("generationConfig.stopSequences"),
        },
    },
    Control {
        name: "max_tokens",
        value: || json!(64),
        spelled: |dialect| {
            Some(match dialect {
                Chat | Messages => "max_tokens",
                Responses => "max_output_tokens",
                Gemini => "generationConfig.maxOutputTokens",
            })
        },
    },
];

const PNG: &str = "iVBORw0KGgo=";
const PDF: &str = "JVBERi0=";
pub(crate) const ASKED: &str = "sim: describe\nwhat is this?";

fn city() -> Value {
    json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": false})
}

fn nothing() -> Value {
    json!({"type": "object", "properties": {}})
}

/// Two tools, in the client's words.
pub(crate) fn add_tools(client: Dialect, body: &mut Value) {
    let function = |name: &str, parameters: Value| match client {
        Chat => {
            json!({"type": "function", "function": {"name": name, "description": name, "parameters": parameters}})
        }
        Responses => {
            json!({"type": "function", "name": name, "description": name, "parameters": parameters})
        }
        Messages => json!({"name": name, "description": name, "input_schema": parameters}),
        Gemini => json!({"name": name, "description": name, "parametersJsonSchema": parameters}),
    };
    let functions = json!([function("weather", city()), function("clock", nothing())]);
    body["tools"] = match client {
        Gemini => json!([{"functionDeclarations": functions}]),
        _ => functions,
    };
}

/// Sets `a.b` in nested objects.
pub(crate) fn set(body: &mut Value, path: &str, value: Value) {
    let mut at = body;
    for name in path.split('.') {
        at = &mut at[name];
    }
    *at = value;
}

/// Everything at once: instructions, an earlier turn, an image and a document, tools of which one must be called, one at
/// a time, an answer in a schema, and every control that the dialect has; without stop sequences for a provider that
/// refuses them.
pub(crate) fn full_request(client: Dialect, provider: Dialect, stream: bool) -> Value {
    let mut body = client.body(&model_of(provider), stream);
    client.say(&mut body, "hello");
    let (earlier, question) = match client {
        Chat => (
            json!({"role": "assistant", "content": "hi"}),
            json!({"role": "user", "content": [
                {"type": "text", "text": ASKED},
                {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{PNG}")}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": format!("data:application/pdf;base64,{PDF}")}},
            ]}),
        ),
        Responses => (
            json!({"role": "assistant", "content": [{"type": "output_text", "text": "hi"}]}),
            json!({"role": "user", "content": [
                {"type": "input_text", "text": ASKED},
                {"type": "input_image", "image_url": format!("data:image/png;base64,{PNG}")},
                {"type": "input_file", "filename": "a.pdf", "file_data": format!("data:application/pdf;base64,{PDF}")},
            ]}),
        ),
        Messages => (
            json!({"role": "assistant", "content": "hi"}),
            json!({"role": "user", "content": [
                {"type": "text", "text": ASKED},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
                {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}},
            ]}),
        ),
        Gemini => (
            json!({"role": "model", "parts": [{"text": "hi"}]}),
            json!({"role": "user", "parts": [
                {"text": ASKED},
                {"inlineData": {"mimeType": "image/png", "data": PNG}},
                {"inlineData": {"mimeType": "application/pdf", "data": PDF}},
            ]}),
        ),
    };
    client.push(&mut body, earlier);
    client.push(&mut body, question);
    add_tools(client, &mut body);
    match client {
        Chat => {
            let history = body["messages"].as_array_mut().unwrap();
            history.insert(0, json!({"role": "system", "content": "be brief"}));
            body["tool_choice"] = json!({"type": "function", "function": {"name": "clock"}});
            body["parallel_tool_calls"] = false.into();
            body["response_format"] =
                json!({"type": "json_schema", "json_schema": {"name": "city", "schema": city()}});
        }
        Responses => {
            body["instructions"] = "be brief".into();
            body["tool_choice"] = json!({"type": "function", "name": "clock"});
            body["parallel_tool_calls"] = false.into();
            body["text"] =
                json!({"format": {"type": "json_schema", "name": "city", "schema": city()}});
        }
        Messages => {
            body["system"] = "be brief".into();
            body["tool_choice"] =
                json!({"type": "tool", "name": "clock", "disable_parallel_tool_use": true});
            body["output_config"] = json!({"format": {"type": "json_schema", "schema": city()}});
        }
        Gemini => {
            body["systemInstruction"] = json!({"parts": [{"text": "be brief"}]});
            body["toolConfig"] = json!({"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["clock"]}});
            body["generationConfig"] =
                json!({"responseMimeType": "application/json", "responseJsonSchema": city()});
        }
    }
    for control in said(client, provider) {
        let path = (control.spelled)(client).unwrap();
        set(&mut body, path, (control.value)());
    }
    body
}

/// What the client says of the controls. One without stop sequences would refuse the whole request.
fn said(client: Dialect, provider: Dialect) -> impl Iterator<Item = &'static Control> {
    CONTROLS.iter().filter(move |control| {
        let refused = provider == Responses && control.name == "stop";
        (control.spelled)(client).is_some() && !refused
    })
}

/// What `provider` is to hear of [`full_request`].
pub(crate) fn full_heard(client: Dialect, provider: Dialect, stream: bool) -> Value {
    let turn = |role: &str, text: &str| json!({"role": role, "text": text, "images": [], "documents": [], "tool_calls": [], "tool_results": [], "reasoning_state": false});
    let mut question = turn("user", ASKED);
    question["images"] = json!(["image/png 8 bytes"]);
    question["documents"] = json!(["application/pdf 5 bytes"]);
    // Gemini's way of saying that one call at a time is enough would be to say nothing.
    let one_at_a_time = client != Gemini && provider != Gemini;
    let mut heard = json!({
        "model": "m",
        "system": ["be brief"],
        "turns": [turn("user", "hello"), turn("assistant", "hi"), question],
        "tools": ["weather", "clock"],
        "tool_choice": "tool:clock",
        "parallel": one_at_a_time.then_some(false),
        "output": "json_schema",
        "stop": [],
        "n": null,
        "effort": null,
        "budget": null,
        "thoughts": null,
        "stream": stream,
    });
    for control in &CONTROLS {
        let heard_by = hears(client, provider, control)
            && said(client, provider).any(|said| said.name == control.name);
        if heard_by {
            heard[control.name] = (control.value)();
            if control.name == "top_k" {
                // Some take half a token, and so does the simulator.
                heard["top_k"] = json!(20.0);
            }
        } else if control.name != "stop" {
            heard[control.name] = Value::Null;
        }
    }
    heard
}

/// Whether the provider's dialect has a word for it. `top_k` passes to a chat provider as it is, and is not written for
/// one: OpenAI refuses it.
fn hears(client: Dialect, provider: Dialect, control: &Control) -> bool {
    let written = (control.spelled)(provider).is_some();
    let not_openais = control.name == "top_k" && provider == Chat && client != Chat;
    written && !not_openais
}

/// How a client asks for thought.
pub(crate) fn add_thinking(client: Dialect, body: &mut Value) {
    match client {
        Chat => body["reasoning_effort"] = "high".into(),
        Responses => body["reasoning"] = json!({"effort": "high", "summary": "auto"}),
        Messages => {
            body["max_tokens"] = 4000.into();
            body["thinking"] = json!({"type": "enabled", "budget_tokens": 2048});
        }
        Gemini => {
            body["generationConfig"] =
                json!({"thinkingConfig": {"thinkingBudget": 2048, "includeThoughts": true}});
        }
    }
}
