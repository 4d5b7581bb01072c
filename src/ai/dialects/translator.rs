//! A stream on its way from one dialect to another.

use std::sync::Arc;

use bytes::Bytes;
use ferrogate_api::Tokens;

use super::convert::{EventReader, EventWriter};
use super::{AnswerContext, Dialect, Seen};
use crate::ai::conversation::{Answer, Assembly, Event};
use crate::error::RequestError;

/// Reads a provider's events and writes the client's.
#[derive(Debug)]
pub struct Translator {
    reader: EventReader,
    writer: EventWriter,
    keeps_answer: bool,
    /// Folded from the events, where the answer is wanted once it is whole and no writer puts it together anyway.
    assembly: Option<Assembly>,
    usage: Option<Tokens>,
    content_bytes: u64,
    events: Vec<Event>,
}

impl Translator {
    /// With `keeps_answer`, [`Translator::take_answer`] has the whole answer at the end.
    pub fn new(
        api: Dialect,
        client: Dialect,
        context: &Arc<AnswerContext>,
        keeps_answer: bool,
    ) -> Self {
        Self {
            reader: EventReader::new(api, Arc::clone(context)),
            writer: EventWriter::new(client, Arc::clone(context)),
            keeps_answer,
            assembly: (keeps_answer && client != Dialect::Responses).then(Assembly::default),
            usage: None,
            content_bytes: 0,
            events: Vec::new(),
        }
    }

    /// Reads one event; gives what it means and what the client is to be sent for it, which may be nothing. For a
    /// terminal event that is the dialect's closing one.
    ///
    /// # Errors
    /// `provider_protocol_error` when it is not the provider's dialect.
    pub fn read(&mut self, event: &[u8]) -> Result<(Seen, Bytes), RequestError> {
        let mut events = std::mem::take(&mut self.events);
        let read = self.reader.read(event, &mut events);
        let mut out = Vec::new();
        let mut seen = Seen::Preamble;
        for event in events.drain(..) {
            match event {
                Event::Failed(error) => {
                    let closing = self.writer.error_event(&error);
                    return Ok((Seen::Failed(error), closing));
                }
                Event::Ended => {
                    out.extend_from_slice(&self.writer.close());
                    seen = Seen::Terminal;
                    break;
                }
                event => {
                    if self.note(&event) {
                        seen = Seen::Content;
                    }
                    self.writer.write(&event, &mut out);
                }
            }
        }
        self.events = events;
        read?;
        Ok((seen, out.into()))
    }

    /// Keeps what the event tells; true when a client could not do without it.
    fn note(&mut self, event: &Event) -> bool {
        if let Some(assembly) = &mut self.assembly {
            assembly.take(event);
        }
        match event {
            Event::Usage(tokens) => {
                self.usage = Some(*tokens);
                false
            }
            Event::Delta { delta, .. } => {
                let bytes = delta.content_bytes();
                self.content_bytes += u64::try_from(bytes).unwrap_or_default();
                bytes > 0
            }
            Event::Finished { .. } => true,
            Event::Started { .. } | Event::Ended | Event::Failed(_) => false,
        }
    }

    pub fn usage(&self) -> Option<Tokens> {
        self.usage
    }

    pub fn content_bytes(&self) -> u64 {
        self.content_bytes
    }

    pub fn may_end_here(&self) -> bool {
        self.reader.may_end_here()
    }

    /// The closing events, for a provider whose streams have none.
    pub fn close(&mut self) -> Bytes {
        self.writer.close()
    }

    pub fn error_event(&self, error: &RequestError) -> Bytes {
        self.writer.error_event(error)
    }

    /// The whole answer, if it was to be kept.
    pub fn take_answer(&mut self) -> Option<Answer> {
        match &self.writer {
            EventWriter::Responses(writer) => self.keeps_answer.then(|| writer.answer().clone()),
            _ => self.assembly.take().map(Assembly::into_answer),
        }
    }
}
