//! The server-sent events of a stream that is written: a name, which is also the `type` in the data.

use serde::Serialize;
use serde_json::json;

#[derive(Serialize)]
struct DeltaEvent<'a> {
    r#type: &'static str,
    index: u32,
    delta: Piece<'a>,
}

#[derive(Serialize)]
#[serde(tag = "type")]
pub(super) enum Piece<'a> {
    #[serde(rename = "text_delta")]
    Text { text: &'a str },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: &'a str },
    #[serde(rename = "signature_delta")]
    Signature { signature: &'a str },
    #[serde(rename = "input_json_delta")]
    Input { partial_json: &'a str },
}

pub(super) fn push_delta(out: &mut Vec<u8>, index: u32, delta: Piece<'_>) {
    let event = DeltaEvent {
        r#type: "content_block_delta",
        index,
        delta,
    };
    push(out, "content_block_delta", &event);
}

pub(super) fn push_stop(out: &mut Vec<u8>, index: u32) {
    let event = json!({"type": "content_block_stop", "index": index});
    push(out, "content_block_stop", &event);
}

pub(super) fn push(out: &mut Vec<u8>, name: &str, data: &impl Serialize) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    serde_json::to_writer(&mut *out, data).expect("a vector takes everything");
    out.extend_from_slice(b"\n\n");
}
