//! Where a call's arguments end, told without keeping them: a block is closed with the last brace.

/// How far a JSON object that comes in pieces has come.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    begun: bool,
    depth: u32,
    in_string: bool,
    escaped: bool,
}

impl Arguments {
    /// Whether anything but white space came.
    pub(super) fn have_begun(&self) -> bool {
        self.begun
    }

    /// Takes a piece; whether the object is whole with it.
    pub(super) fn push(&mut self, text: &str) -> bool {
        for byte in text.bytes() {
            self.begun |= !byte.is_ascii_whitespace();
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => self.depth = self.depth.saturating_add(1),
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return true;
                    }
                }
                _ => {}
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_ends_with_its_own_last_brace() {
        let check = |pieces: &[&str], expected: bool| {
            let mut arguments = Arguments::default();
            let whole = pieces.iter().any(|piece| arguments.push(piece));
            assert_eq!(whole, expected, "{pieces:?}");
        };
        check(&["{}"], true);
        check(&["{\"a\"", ":[1,{\"b\":2}]", "}"], true);
        check(&["{\"a\":\"}"], false);
        check(&["{\"a\":\"}\\", "\"}\"", "}"], true);
        check(&["{\"a\":\"\\\\\"}"], true);
        check(&["{\"a\":{}"], false);
        check(&["", " "], false);
    }

    #[test]
    fn white_space_is_no_beginning() {
        let mut arguments = Arguments::default();
        arguments.push(" \n");
        assert!(!arguments.have_begun());
        arguments.push("{");
        assert!(arguments.have_begun());
    }
}
