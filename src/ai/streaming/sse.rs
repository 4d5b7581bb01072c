//! Server-sent events: cutting a byte stream into events, and reading an event's data.
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream>

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};

/// A small chunk is copied: it is a slice of the connection's read buffer, which is 64 KiB and can be filled again as
/// soon as nothing refers to it. Without that every open stream would hold two of them.
const COPIED_BYTES_MAX: usize = 4096;

/// Cuts a stream into whole events, each with the blank line that ends it; events of a large chunk are slices of it.
/// All three line endings of the standard are known: LF, CR LF and CR.
#[derive(Debug, Default)]
pub struct Splitter {
    buffer: Bytes,
    /// Up to here no event ends.
    scanned: usize,
    line_start: usize,
    /// The last line ended in CR as the last byte there was: an LF that comes next belongs to it.
    after_cr: bool,
    /// The last line ended in CR LF. So does the next one, though its LF may be still on the way.
    crlf: bool,
}

impl Splitter {
    pub fn push(&mut self, chunk: Bytes) {
        if self.buffer.is_empty() {
            self.buffer = if chunk.len() <= COPIED_BYTES_MAX {
                Bytes::copy_from_slice(&chunk)
            } else {
                chunk
            };
        } else {
            let mut joined = BytesMut::with_capacity(self.buffer.len() + chunk.len());
            joined.extend_from_slice(&self.buffer);
            joined.extend_from_slice(&chunk);
            self.buffer = joined.freeze();
        }
    }

    /// The next whole event, if there is one.
    pub fn next_event(&mut self) -> Option<Bytes> {
        if self.after_cr && self.scanned < self.buffer.len() {
            self.after_cr = false;
            if self.buffer.get(self.scanned) == Some(&b'\n') {
                self.scanned += 1;
                self.line_start = self.scanned;
                self.crlf = true;
            }
        }
        while let Some(offset) = memchr::memchr2(
            b'\n',
            b'\r',
            self.buffer.get(self.scanned..).unwrap_or_default(),
        ) {
            let at = self.scanned + offset;
            let blank = at == self.line_start;
            let mut end = at + 1;
            if self.buffer[at] == b'\r' {
                match self.buffer.get(end) {
                    Some(b'\n') => {
                        end += 1;
                        self.crlf = true;
                    }
                    Some(_) => self.crlf = false,
                    None if self.crlf => {
                        // An event without its last LF would be the last one of a stream without it.
                        self.scanned = at;
                        return None;
                    }
                    None => self.after_cr = true,
                }
            }
            self.scanned = end;
            self.line_start = end;
            if blank {
                self.scanned = 0;
                self.line_start = 0;
                let event = self.buffer.split_to(end);
                if self.buffer.is_empty() {
                    // An empty rest would keep the whole chunk's memory from being used again.
                    self.buffer = Bytes::new();
                }
                return Some(event);
            }
        }
        self.scanned = self.buffer.len();
        None
    }

    /// Bytes of the event that is not whole yet.
    pub fn pending(&self) -> usize {
        self.buffer.len()
    }
}

/// The data of one event: its `data:` lines joined by LF; empty for a comment.
pub fn data(event: &[u8]) -> Cow<'_, [u8]> {
    let mut lines = event
        .split(|byte| matches!(byte, b'\n' | b'\r'))
        .filter_map(|line| line.strip_prefix(b"data"))
        .filter_map(|rest| match rest {
            [] => Some(rest),
            [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
            _ => None,
        });
    let Some(first) = lines.next() else {
        return Cow::Borrowed(&[]);
    };
    let Some(second) = lines.next() else {
        return Cow::Borrowed(first);
    };
    let mut joined = first.to_vec();
    for line in std::iter::once(second).chain(lines) {
        joined.push(b'\n');
        joined.extend_from_slice(line);
    }
    Cow::Owned(joined)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn events(chunks: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut splitter = Splitter::default();
        let mut found = Vec::new();
        for chunk in chunks {
            splitter.push(Bytes::copy_from_slice(chunk));
            while let Some(event) = splitter.next_event() {
                found.push(event.to_vec());
            }
        }
        found
    }

    fn datas(chunks: &[&[u8]]) -> Vec<Vec<u8>> {
        events(chunks)
            .iter()
            .map(|event| data(event).into_owned())
            .filter(|data| !data.is_empty())
            .collect()
    }

    #[test]
    fn an_event_is_whole_with_its_blank_line_in_every_line_ending() {
        for text in [
            "data: a\n\ndata: b\n\n",
            "data: a\r\n\r\ndata: b\r\n\r\n",
            "data: a\r\rdata: b\r\r",
        ] {
            assert_eq!(datas(&[text.as_bytes()]), [b"a", b"b"], "{text:?}");
            assert_eq!(events(&[text.as_bytes()]).concat(), text.as_bytes());
        }
        assert!(events(&[b"data: a\n"]).is_empty());
    }

    #[test]
    fn data_lines_are_joined_and_other_fields_passed_over() {
        let check = |event: &str, expected: &str| {
            assert_eq!(&*data(event.as_bytes()), expected.as_bytes(), "{event:?}");
        };
        check("data: x\n\n", "x");
        check("data:x\n\n", "x");
        check("data:  x\n\n", " x");
        check("event: e\nid: 1\ndata: a\ndata: b\n\n", "a\nb");
        check(": comment\n\n", "");
        check("database: x\n\n", "");
        check("data\n\n", "");
    }

    proptest! {
        #[test]
        fn the_same_events_come_however_the_bytes_are_cut(
            cuts in proptest::collection::vec(0usize..200, 0..12),
            ending in prop_oneof![Just("\n"), Just("\r\n"), Just("\r")],
        ) {
            let text = ["data: one", "", "event: x", "data: two", "data: three", "", ": ping", "", "data: [DONE]", "", ""]
                .join(ending);
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % (bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(datas(&chunks), datas(&[bytes]));
        }
    }
}
