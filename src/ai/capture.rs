//! What a client is sent, collected on its way: whole for the cache, its beginning for the log.
//!
//! Pieces are shared and not copied. Where nobody wants them it costs a comparison; what neither can use any more is let
//! go at once.

use bytes::{Bytes, BytesMut};

/// A piece that is smaller may hold a much larger buffer alive, the one it was read into; it is copied out of it.
const SHARED_BYTES_MIN: usize = 64 << 10;

/// Collects the pieces of one answer.
#[derive(Debug, Default)]
pub(super) struct Capture {
    /// The whole answer is wanted, unless it is larger.
    whole_max: Option<usize>,
    /// So much of its beginning is wanted.
    beginning_max: Option<usize>,
    /// From the answer's first byte on, without a gap.
    pieces: Vec<Bytes>,
    held: usize,
    sent: usize,
}

impl Capture {
    /// Asks for the whole answer, if it has no more than `max` bytes.
    pub(super) fn want_whole(&mut self, max: usize) {
        self.whole_max = Some(max);
    }

    /// Asks for the first `max` bytes.
    pub(super) fn want_beginning(&mut self, max: usize) {
        self.beginning_max = Some(max);
    }

    /// Takes note of what the client is sent next.
    pub(super) fn take(&mut self, piece: &Bytes) {
        self.sent = self.sent.saturating_add(piece.len());
        if self.whole_max.is_some_and(|max| self.sent > max) {
            self.give_up_whole();
        }
        let wanted = match (self.whole_max, self.beginning_max) {
            (Some(_), _) => piece.len(),
            (None, Some(max)) => piece.len().min(max.saturating_sub(self.held)),
            (None, None) => 0,
        };
        if wanted > 0 {
            self.held += wanted;
            self.pieces.push(piece.slice(..wanted));
        }
    }

    /// The whole answer, where it was wanted and has not become too large; call it when all of it has been taken.
    pub(super) fn whole(&self) -> Option<Bytes> {
        self.whole_max?;
        Some(match &*self.pieces {
            [piece] if piece.len() >= SHARED_BYTES_MIN => piece.clone(),
            pieces => pieces.concat().into(),
        })
    }

    /// The whole answer is of no use any more.
    pub(super) fn give_up_whole(&mut self) {
        self.whole_max = None;
        let keep = self.beginning_max.unwrap_or_default();
        let mut held = 0;
        self.pieces.retain_mut(|piece| {
            piece.truncate(keep - held);
            held += piece.len();
            !piece.is_empty()
        });
        self.held = held;
    }

    /// The beginning, where it was wanted; an end that is missing is marked.
    pub(super) fn beginning(&self) -> Option<Bytes> {
        let max = self.beginning_max?;
        let mut text = BytesMut::with_capacity(self.held.min(max));
        for piece in &self.pieces {
            let room = max - text.len();
            text.extend_from_slice(piece.get(..room).unwrap_or(piece));
        }
        Some(marked(text, self.sent))
    }
}

/// The first `max` bytes of a body; an end that is missing is marked.
pub(super) fn beginning_of(body: &Bytes, max: usize) -> Bytes {
    match body.get(..max) {
        Some(beginning) if beginning.len() < body.len() => {
            marked(BytesMut::from(beginning), body.len())
        }
        _ => body.clone(),
    }
}

fn marked(mut text: BytesMut, whole_bytes: usize) -> Bytes {
    if text.len() < whole_bytes {
        // Not in the middle of a character, where it is text.
        if let Err(error) = std::str::from_utf8(&text)
            && error.error_len().is_none()
        {
            text.truncate(error.valid_up_to());
        }
        let mark = format!("… [cut: {} of {whole_bytes} bytes]", text.len());
        text.extend_from_slice(mark.as_bytes());
    }
    text.freeze()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn captured(whole: Option<usize>, beginning: Option<usize>, pieces: &[&str]) -> Capture {
        let mut capture = Capture::default();
        if let Some(max) = whole {
            capture.want_whole(max);
        }
        if let Some(max) = beginning {
            capture.want_beginning(max);
        }
        for piece in pieces {
            capture.take(&Bytes::copy_from_slice(piece.as_bytes()));
        }
        capture
    }

    #[test]
    fn each_gets_what_it_wants_and_no_more_is_held() {
        let check = |whole, beginning, pieces: &[&str], expected: [Option<&str>; 2], held| {
            let capture = captured(whole, beginning, pieces);
            let text = |bytes: Option<Bytes>| bytes.map(|b| String::from_utf8(b.to_vec()).unwrap());
            let got = [text(capture.whole()), text(capture.beginning())];
            assert_eq!(
                got,
                expected.map(|text| text.map(str::to_owned)),
                "{pieces:?}"
            );
            assert_eq!(capture.held, held, "{pieces:?}");
            let pieces: usize = capture.pieces.iter().map(Bytes::len).sum();
            assert_eq!(pieces, held);
        };
        check(None, None, &["ab", "cd"], [None, None], 0);
        check(Some(4), None, &["ab", "cd"], [Some("abcd"), None], 4);
        check(Some(3), None, &["ab", "cd"], [None, None], 0);
        check(Some(9), None, &[], [Some(""), None], 0);
        check(None, Some(9), &["ab", "cd"], [None, Some("abcd")], 4);
        check(
            None,
            Some(3),
            &["ab", "cd", "ef"],
            [None, Some("abc… [cut: 3 of 6 bytes]")],
            3,
        );
        check(
            Some(9),
            Some(3),
            &["ab", "cd"],
            [Some("abcd"), Some("abc… [cut: 3 of 4 bytes]")],
            4,
        );
        check(
            Some(5),
            Some(3),
            &["ab", "cd", "ef"],
            [None, Some("abc… [cut: 3 of 6 bytes]")],
            3,
        );
        check(
            None,
            Some(2),
            &["aé"],
            [None, Some("a… [cut: 1 of 3 bytes]")],
            2,
        );
        check(
            None,
            Some(0),
            &["a"],
            [None, Some("… [cut: 0 of 1 bytes]")],
            0,
        );
    }

    #[test]
    fn a_large_piece_is_shared_and_a_small_one_taken_out_of_its_buffer() {
        let large = Bytes::from(vec![b'x'; SHARED_BYTES_MIN]);
        let mut capture = captured(Some(usize::MAX), None, &[]);
        capture.take(&large);
        assert_eq!(capture.whole().unwrap().as_ptr(), large.as_ptr());
        let small = large.slice(..10);
        let mut capture = captured(Some(usize::MAX), None, &[]);
        capture.take(&small);
        assert_ne!(capture.whole().unwrap().as_ptr(), small.as_ptr());
    }

    #[test]
    fn a_body_is_cut_where_it_is_too_long() {
        let check = |body: &'static str, max, expected: &str| {
            assert_eq!(
                beginning_of(&Bytes::from_static(body.as_bytes()), max),
                expected
            );
        };
        check("abc", 3, "abc");
        check("abc", 4, "abc");
        check("abc", 2, "ab… [cut: 2 of 3 bytes]");
        check("", 0, "");
    }

    proptest! {
        #[test]
        fn no_more_is_held_than_somebody_can_use(
            whole in prop::option::of(0usize..200),
            beginning in prop::option::of(0usize..200),
            pieces in prop::collection::vec("[a-z]{0,40}", 0..12),
        ) {
            let texts: Vec<&str> = pieces.iter().map(String::as_str).collect();
            let capture = captured(whole, beginning, &texts);
            let all = texts.concat();
            let most = whole.unwrap_or_default().max(beginning.unwrap_or_default());
            prop_assert!(capture.held <= most);
            let fits = whole.is_some_and(|max| all.len() <= max);
            prop_assert_eq!(capture.whole().is_some(), fits);
            if let Some(whole) = capture.whole() {
                prop_assert_eq!(&whole[..], all.as_bytes());
            }
            if let Some(max) = beginning {
                let begins = &all.as_bytes()[..max.min(all.len())];
                prop_assert!(capture.beginning().unwrap().starts_with(begins));
            }
        }
    }
}
