//! Reads server-sent events from bytes that arrive in pieces of any size.
//!
//! An event that is larger than the limit is an error: a peer must not be able to fill our memory.

use crate::client::ClientError;

/// One event as it was sent, not yet decoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RawEvent {
    /// The `event:` field; empty when there was none.
    pub name: Vec<u8>,
    /// The `data:` lines, joined by line feeds.
    pub data: Vec<u8>,
}

/// The parser's state between two pieces.
#[derive(Debug)]
pub struct SseParser {
    line: Vec<u8>,
    /// The last byte was a carriage return: a line feed that follows belongs to it.
    after_cr: bool,
    first_line: bool,
    has_data: bool,
    event: RawEvent,
    size_max: usize,
}

impl SseParser {
    pub fn new(size_max: usize) -> Self {
        Self {
            line: Vec::new(),
            after_cr: false,
            first_line: true,
            has_data: false,
            event: RawEvent::default(),
            size_max,
        }
    }

    /// Takes the next piece and appends every event it completes.
    pub fn feed(&mut self, piece: &[u8], events: &mut Vec<RawEvent>) -> Result<(), ClientError> {
        for &byte in piece {
            let follows_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
            match byte {
                b'\n' if follows_cr => {}
                b'\n' | b'\r' => self.end_line(events),
                _ => {
                    self.line.push(byte);
                    if self.line.len() + self.event.data.len() > self.size_max {
                        return Err(ClientError::EventTooLarge {
                            limit_bytes: self.size_max,
                        });
                    }
                }
            }
        }
        Ok(())
    }

    fn end_line(&mut self, events: &mut Vec<RawEvent>) {
        let line = std::mem::take(&mut self.line);
        let line = if std::mem::take(&mut self.first_line) {
            line.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(&line)
        } else {
            &line
        };
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            if std::mem::take(&mut self.has_data) {
                events.push(event);
            }
            return;
        }
        let (field, value) = match line.iter().position(|&byte| byte == b':') {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &[][..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"event" => self.event.name = value.to_vec(),
            b"data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.event.data.push(b'\n');
                }
                self.event.data.extend_from_slice(value);
            }
            // Comments keep the connection open; `id` and `retry` are not used by this feed.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEED: &str = "\u{FEFF}: hello\n\nevent: second\ndata: {\"a\":1}\n\nevent:finished\r\ndata: one\r\ndata:  two\r\n\r\n\
                        data\rid: 7\r\revent: nothing\n\n: ping\n\ndata: last\n\n";

    fn expected() -> Vec<RawEvent> {
        [
            ("second", "{\"a\":1}"),
            ("finished", "one\n two"),
            ("", ""),
            ("", "last"),
        ]
        .map(|(name, data)| RawEvent {
            name: name.into(),
            data: data.into(),
        })
        .into()
    }

    #[test]
    fn the_feed_reads_the_same_however_it_is_cut() {
        let bytes = FEED.as_bytes();
        for cut in 0..=bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            let (mut parser, mut events) = (SseParser::new(1024), Vec::new());
            parser.feed(head, &mut events).unwrap();
            parser.feed(tail, &mut events).unwrap();
            assert_eq!(events, expected(), "cut at {cut}");
        }
        let (mut parser, mut events) = (SseParser::new(1024), Vec::new());
        for byte in bytes {
            parser.feed(&[*byte], &mut events).unwrap();
        }
        assert_eq!(events, expected(), "byte by byte");
    }

    #[test]
    fn an_event_beyond_the_limit_is_an_error_also_when_it_never_ends() {
        let check = |feed: &str| {
            let (mut parser, mut events) = (SseParser::new(16), Vec::new());
            assert!(matches!(
                parser.feed(feed.as_bytes(), &mut events),
                Err(ClientError::EventTooLarge { limit_bytes: 16 })
            ));
        };
        check("data: 0123456789abcdef");
        check("data: 0123456\ndata: 0123456789");
    }
}
