//! The events of a response stream as they are framed: their numbers, their names and the fields each one has.

use serde::Serialize;

use super::write_items::ContentPart;

/// Numbers the events of one stream.
#[derive(Debug)]
pub(super) struct Numbers(u64);

impl Numbers {
    pub(super) fn from(first: u64) -> Self {
        Self(first)
    }

    /// The number of the event that comes next.
    pub(super) fn next(&self) -> u64 {
        self.0
    }

    /// Writes one event behind those in `out`.
    pub(super) fn emit(&mut self, out: &mut Vec<u8>, name: &'static str, body: &impl Serialize) {
        emit(out, name, self.0, body);
        self.0 += 1;
    }
}

/// Writes one event under a given number.
pub(super) fn emit(
    out: &mut Vec<u8>,
    name: &'static str,
    sequence_number: u64,
    body: &impl Serialize,
) {
    #[derive(Serialize)]
    struct Framed<'a, B> {
        r#type: &'static str,
        sequence_number: u64,
        #[serde(flatten)]
        body: &'a B,
    }
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    let framed = Framed {
        r#type: name,
        sequence_number,
        body,
    };
    serde_json::to_writer(&mut *out, &framed).expect("an event is texts, numbers and JSON");
    out.extend_from_slice(b"\n\n");
}

/// The body of an event about a whole response.
#[derive(Debug, Serialize)]
pub(super) struct ResponseBody<R> {
    pub(super) response: R,
}

/// The body of an event about a whole item.
#[derive(Debug, Serialize)]
pub(super) struct ItemBody<I> {
    pub(super) output_index: usize,
    pub(super) item: I,
}

/// The body of an event about a piece of an item; a field that the event does not have is left out.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Piece<'a> {
    pub(super) item_id: &'a str,
    pub(super) output_index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) summary_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) delta: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) arguments: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) input: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) logprobs: Option<[(); 0]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) part: Option<ContentPart<'a>>,
}

/// The names of the events that tell of one part, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PartEvents {
    pub(super) added: &'static str,
    pub(super) delta: &'static str,
    pub(super) said: &'static str,
    pub(super) done: &'static str,
}

impl ContentPart<'_> {
    pub(super) fn events(self) -> PartEvents {
        let of_message = |delta, said| PartEvents {
            added: "response.content_part.added",
            delta,
            said,
            done: "response.content_part.done",
        };
        match self {
            Self::OutputText { .. } => {
                of_message("response.output_text.delta", "response.output_text.done")
            }
            Self::Refusal { .. } => of_message("response.refusal.delta", "response.refusal.done"),
            Self::ReasoningText { .. } => of_message(
                "response.reasoning_text.delta",
                "response.reasoning_text.done",
            ),
            Self::SummaryText { .. } => PartEvents {
                added: "response.reasoning_summary_part.added",
                delta: "response.reasoning_summary_text.delta",
                said: "response.reasoning_summary_text.done",
                done: "response.reasoning_summary_part.done",
            },
        }
    }
}

impl<'a> Piece<'a> {
    /// What places a part of this kind in its item.
    pub(super) fn at(self, part: ContentPart<'_>, index: usize) -> Self {
        match part {
            ContentPart::SummaryText { .. } => Self {
                summary_index: Some(index),
                ..self
            },
            ContentPart::OutputText { .. }
            | ContentPart::Refusal { .. }
            | ContentPart::ReasoningText { .. } => Self {
                content_index: Some(index),
                ..self
            },
        }
    }

    /// More of the part.
    pub(super) fn more(self, part: ContentPart<'_>, delta: &'a str) -> Self {
        Self {
            delta: Some(delta),
            logprobs: logprobs(part),
            ..self
        }
    }

    /// All that was said in the part.
    pub(super) fn said(self, part: ContentPart<'a>) -> Self {
        let all = Self {
            logprobs: logprobs(part),
            ..self
        };
        match part {
            ContentPart::Refusal { refusal } => Self {
                refusal: Some(refusal),
                ..all
            },
            ContentPart::OutputText { text, .. }
            | ContentPart::SummaryText { text }
            | ContentPart::ReasoningText { text } => Self {
                text: Some(text),
                ..all
            },
        }
    }
}

/// Events about text always have the list, though nothing crosses that could fill it.
fn logprobs(part: ContentPart<'_>) -> Option<[(); 0]> {
    matches!(part, ContentPart::OutputText { .. }).then_some([])
}
