//! A stream as one JSON array, for clients that ask for `streamGenerateContent` without `alt=sse`.

use bytes::Bytes;

use crate::ai::streaming::sse::{self, Splitter};

/// Turns events into elements of an array.
#[derive(Debug, Default)]
pub(in crate::ai) struct ArrayFraming {
    begun: bool,
}

impl ArrayFraming {
    /// The bytes of the array for whole events; `ends` where they are the last of the stream. Comments give nothing.
    ///
    /// What ends a stream may still be replaced by an error before it is sent, so an end changes nothing here.
    pub(in crate::ai) fn frame(&mut self, events: &Bytes, ends: bool) -> Bytes {
        let mut begun = self.begun;
        let mut splitter = Splitter::default();
        splitter.push(events.clone());
        let mut out = Vec::with_capacity(events.len() + 4);
        while let Some(event) = splitter.next_event() {
            let data = sse::data(&event);
            if !data.is_empty() {
                let before: &[u8] = if begun { b",\r\n" } else { b"[" };
                out.extend_from_slice(before);
                out.extend_from_slice(&data);
                begun = true;
            }
        }
        if !ends {
            self.begun = begun;
            return out.into();
        }
        out.extend_from_slice(if begun { b"]" } else { b"[]" });
        out.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(framing: &mut ArrayFraming, events: &'static str, ends: bool) -> String {
        let bytes = framing.frame(&Bytes::from_static(events.as_bytes()), ends);
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn events_become_the_elements_of_one_array() {
        let mut framing = ArrayFraming::default();
        let mut all = frame(&mut framing, ": ping\n\n", false);
        assert_eq!(all, "");
        all += &frame(&mut framing, "data: {\"a\":1}\r\n\r\n", false);
        assert_eq!(all, "[{\"a\":1}");
        all += &frame(
            &mut framing,
            "data: {\ndata: }\n\ndata: {\"b\":2}\n\n",
            false,
        );
        all += &frame(&mut framing, "data: {\"c\":3}\n\n", true);
        let parsed: serde_json::Value = serde_json::from_str(&all).unwrap();
        assert_eq!(
            parsed,
            serde_json::json!([{"a": 1}, {}, {"b": 2}, {"c": 3}])
        );
    }

    #[test]
    fn an_end_without_an_event_is_an_end_and_an_empty_stream_an_empty_array() {
        assert_eq!(frame(&mut ArrayFraming::default(), "", true), "[]");
        let mut framing = ArrayFraming::default();
        frame(&mut framing, "data: {}\n\n", false);
        assert_eq!(frame(&mut framing, "", true), "]");
    }

    #[test]
    fn an_error_may_take_the_place_of_an_end_that_was_not_sent() {
        let mut framing = ArrayFraming::default();
        frame(&mut framing, "data: {\"last\":1}\n\n", true);
        let error = frame(&mut framing, "data: {\"error\":{}}\n\n", true);
        assert_eq!(error, "[{\"error\":{}}]");
    }
}
