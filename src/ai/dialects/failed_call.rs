//! A tool's result that tells of a failure, for dialects that cannot mark it: the text has to say it.

use std::borrow::Cow;

/// The text of a result, which says that it is an error if it is one.
pub(super) fn with_error_named(text: Cow<'_, str>, is_error: bool) -> Cow<'_, str> {
    if !is_error || text.to_lowercase().contains("error") {
        return text;
    }
    Cow::Owned(format!("Error: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_named_once() {
        let check = |text: &str, is_error, expected: &str| {
            assert_eq!(with_error_named(text.into(), is_error), expected);
        };
        check("no such file", true, "Error: no such file");
        check("IO Error 7", true, "IO Error 7");
        check("", true, "Error: ");
        check("no such file", false, "no such file");
    }
}
