//! The bytes of a stream, in steps: what precedes the content, one step per content event, and what follows it.

use serde::Serialize;

/// A stream while it is written.
#[derive(Debug, Default)]
pub struct Events {
    pub bytes: Vec<u8>,
    /// Where each step ends.
    pub ends: Vec<usize>,
    pub framing: Framing,
}

/// What stands between two events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Framing {
    /// Server-sent events.
    #[default]
    Lines,
    /// One JSON array, as Gemini streams without `alt=sse`.
    Array,
}

impl Events {
    pub fn framed(framing: Framing) -> Self {
        Self {
            framing,
            ..Self::default()
        }
    }

    /// An event without a name.
    pub fn data(&mut self, data: &impl Serialize) {
        match self.framing {
            Framing::Lines => self.bytes.extend_from_slice(b"data: "),
            Framing::Array if self.bytes.is_empty() => self.bytes.push(b'['),
            Framing::Array => self.bytes.extend_from_slice(b",\r\n"),
        }
        serde_json::to_writer(&mut self.bytes, data).expect("plain data is always JSON");
        if self.framing == Framing::Lines {
            self.bytes.extend_from_slice(b"\n\n");
        }
    }

    /// An event with a name.
    pub fn named(&mut self, name: &str, data: &impl Serialize) {
        self.bytes.extend_from_slice(b"event: ");
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(b'\n');
        self.data(data);
    }

    /// What a framing needs at its end.
    pub fn close(&mut self) {
        if self.framing == Framing::Array {
            self.bytes.extend_from_slice(b"\n]\n");
        }
    }

    /// Ends a step.
    pub fn step(&mut self) {
        self.ends.push(self.bytes.len());
    }
}
