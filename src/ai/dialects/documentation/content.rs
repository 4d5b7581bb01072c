//! What becomes of each kind of content.

use serde_json::json;

use super::page::{Table, hold};
use super::probe::{PROVIDERS, Probe, function, rule, with_tool};
use crate::ai::conversation::{
    Conversation, Media, Message, Opaque, OpaqueKind, Part, Reasoning, Role, ToolCall, ToolKind,
    ToolResult,
};
use crate::ai::dialects::{Dialect, Field};

/// A conversation for a provider that speaks the given dialect: its own state is made with that.
type Make = fn(Dialect) -> Probe;

const ROWS: [(&str, Field, Make); 27] = [
    ("system prompt, first", Field::Instructions, |_| {
        instructed(Role::System, 0)
    }),
    ("system prompt, in the middle", Field::Instructions, |_| {
        instructed(Role::System, 1)
    }),
    ("developer message, first", Field::Instructions, |_| {
        instructed(Role::Developer, 0)
    }),
    ("picture by URL", Field::Image, |_| {
        image(url("https://x.test/a.png"))
    }),
    ("picture in the body", Field::Image, |_| {
        image(inline("image/png"))
    }),
    ("picture by the id of a file", Field::Image, |_| {
        image(file_id())
    }),
    ("how closely to look (`detail`)", Field::Image, |_| {
        let near = part(url("https://x.test/a.png"), Some("low"));
        Probe::on(image(url("https://x.test/a.png")).with, |asked| {
            asked.messages[0].parts[1] = near;
        })
    }),
    ("PDF in the body", Field::Document, |_| {
        document(inline("application/pdf"))
    }),
    ("text file in the body", Field::Document, |_| {
        document(inline("text/plain"))
    }),
    ("other file in the body", Field::Document, |_| {
        document(binary())
    }),
    ("document by URL", Field::Document, |_| {
        document(url("https://x.test/a.pdf"))
    }),
    ("document by the id of a file", Field::Document, |_| {
        document(file_id())
    }),
    ("audio in the body", Field::Audio, |_| {
        said(Part::Audio {
            data: "QQ==".into(),
            format: "wav".into(),
        })
    }),
    ("picture from an assistant", Field::Image, |_| {
        answered(part(url("https://x.test/a.png"), None))
    }),
    ("refusal", Field::Messages, |_| {
        answered(Part::Refusal("no".into()))
    }),
    ("tool call", Field::Messages, |_| {
        answered(Part::ToolCall(call(false)))
    }),
    ("call of a free-text tool", Field::Messages, |_| {
        Probe::on(with_tool(ToolKind::Custom { format: None }), |asked| {
            let part = Part::ToolCall(call(true));
            asked
                .messages
                .push(Message::new(Role::Assistant, vec![part]));
        })
    }),
    ("tool result, text", Field::Messages, |_| {
        result(Part::Text("done".into()))
    }),
    ("tool result, picture", Field::Image, |_| {
        result(part(inline("image/png"), None))
    }),
    ("tool result, document", Field::Document, |_| {
        result(Part::Document {
            media: inline("application/pdf"),
            file_name: Some("a.pdf".into()),
        })
    }),
    ("tool result, audio", Field::Audio, |_| {
        result(Part::Audio {
            data: "QQ==".into(),
            format: "wav".into(),
        })
    }),
    ("tool result, failed", Field::Messages, |_| {
        let whole = result(Part::Text("done".into())).with;
        Probe::on(whole, |asked| {
            if let Some(Part::ToolResult(result)) = asked.messages[2].parts.first_mut() {
                result.is_error = true;
            }
        })
    }),
    ("reasoning, text alone", Field::Messages, |_| {
        thought("hm", None)
    }),
    (
        "reasoning with the provider's own state",
        Field::Messages,
        |api| thought("hm", Some(state(api, OpaqueKind::Signature))),
    ),
    ("the provider's own state alone", Field::Messages, |api| {
        thought("", Some(state(api, OpaqueKind::Encrypted)))
    }),
    (
        "the provider's own state of a call",
        Field::Messages,
        |api| {
            let mut signed = call(false);
            signed.state = Some(state(api, OpaqueKind::Signature));
            Probe::on(answered(Part::ToolCall(call(false))).with, |asked| {
                asked.messages[1].parts[1] = Part::ToolCall(signed);
            })
        },
    ),
    ("state of another provider's", Field::Messages, |api| {
        let other = match api {
            Dialect::Messages => Dialect::Gemini,
            _ => Dialect::Messages,
        };
        thought("hm", Some(state(other, OpaqueKind::Signature)))
    }),
];

fn url(url: &str) -> Media {
    Media::Url(url.into())
}

/// "text", in base64.
fn inline(mime_type: &str) -> Media {
    Media::Inline {
        mime_type: mime_type.into(),
        base64: "dGV4dA==".into(),
    }
}

/// What is no text in any encoding of one.
fn binary() -> Media {
    Media::Inline {
        mime_type: "application/zip".into(),
        base64: "/9j/".into(),
    }
}

/// As OpenAI gives them: the client of the probes speaks its dialect.
fn file_id() -> Media {
    Media::FileId("file-1".into())
}

fn part(media: Media, detail: Option<&str>) -> Part {
    Part::Image {
        media,
        detail: detail.map(Into::into),
    }
}

fn said(part: Part) -> Probe {
    Probe::of(|asked| asked.messages[0].parts.push(part))
}

fn image(media: Media) -> Probe {
    said(part(media, None))
}

fn document(media: Media) -> Probe {
    said(Part::Document {
        media,
        file_name: Some("a.bin".into()),
    })
}

fn instructed(role: Role, at: usize) -> Probe {
    Probe::of(|asked| {
        let told = Message::new(role, vec![Part::Text("be kind".into())]);
        asked.messages.insert(at, told);
        asked
            .messages
            .push(Message::new(Role::User, vec![Part::Text("hi".into())]));
    })
}

/// An assistant's turn with something in it, beside a text that it also says without.
fn answered(part: Part) -> Probe {
    let mut without = with_tool(function());
    let words = vec![Part::Text("hi".into())];
    without.messages.push(Message::new(Role::Assistant, words));
    Probe::on(without, |asked| asked.messages[1].parts.push(part))
}

fn call(custom: bool) -> ToolCall {
    ToolCall {
        id: "call_1".into(),
        name: "look".into(),
        arguments: if custom { "free" } else { "{\"at\":1}" }.into(),
        custom,
        state: None,
    }
}

/// A call, and with it its result.
fn result(part: Part) -> Probe {
    let without: Conversation = answered(Part::ToolCall(call(false))).with;
    Probe::on(without, |asked| {
        let result = ToolResult {
            call_id: "call_1".into(),
            name: None,
            parts: vec![part],
            is_error: false,
            custom: false,
        };
        asked
            .messages
            .push(Message::new(Role::Tool, vec![Part::ToolResult(result)]));
    })
}

fn thought(text: &str, state: Option<Opaque>) -> Probe {
    answered(Part::Reasoning(Reasoning {
        text: text.into(),
        summary: false,
        state,
    }))
}

fn state(origin: Dialect, kind: OpaqueKind) -> Opaque {
    // What a chat provider keeps at a call is JSON.
    let data = match origin {
        Dialect::Chat => json!({"google": {"thought_signature": "c2ln"}}).to_string(),
        _ => "c2ln".into(),
    };
    Opaque {
        origin,
        kind,
        data,
        item_id: None,
    }
}

#[test]
fn every_kind_of_content_becomes_what_the_page_says() {
    let heads = PROVIDERS.iter().map(|provider| provider.name);
    let mut table = Table::new(&std::iter::once("said").chain(heads).collect::<Vec<_>>());
    for (label, field, make) in ROWS {
        let mut cells = vec![label.to_owned()];
        cells.extend(
            PROVIDERS
                .iter()
                .map(|provider| rule(provider, &make(provider.api), field)),
        );
        table.row(&cells);
    }
    hold("content", &table);
}
