//! One spelling for one path, so that routes, keys and upstreams all judge the same thing.
//!
//! RFC 3986: escaped unreserved characters are decoded and hex digits written large (section 6.2.2), dot segments are
//! removed (section 5.2.4). Nothing else is decoded: an escaped slash stays data inside its segment. Empty segments
//! (`//`) stay too, since they mean something to some upstreams; [`under_v1`] looks through them.
//!
//! Refused instead of repaired: climbing above the root, malformed escapes, control characters, and dot segments that
//! only another reader would see (`..%2f`, `..\`, `..;x`), because that reader may stand behind us.

use std::borrow::Cow;

use crate::error::{ErrorKind, RequestError};

/// The normal form of a path, without query. Borrowed when it is normal already, which is nearly always.
///
/// # Errors
/// [`ErrorKind::InvalidPath`], saying what is wrong.
pub fn normalise(path: &str) -> Result<Cow<'_, str>, RequestError> {
    if !path.starts_with('/') {
        return Err(invalid("The path must begin with `/`."));
    }
    if is_plain(path.as_bytes()) {
        return Ok(Cow::Borrowed(path));
    }
    let decoded = decode_unreserved(path)?;
    Ok(Cow::Owned(remove_dot_segments(&decoded)?))
}

/// The text behind every escape of one path segment or tail, such as a model's name.
///
/// # Errors
/// [`ErrorKind::InvalidPath`] when it is not UTF-8. Escapes were checked by [`normalise`].
pub fn decode(text: &str) -> Result<String, RequestError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte == b'%' {
            bytes.push(escaped_byte(rest)?);
            rest = rest.get(2..).unwrap_or_default();
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).map_err(|_| invalid("The path's escapes must spell UTF-8."))
}

/// Whether a normal path lies under `/v1` for any reader: one that merges slashes, decodes escaped ones, or does not
/// care about case. Used to demand a key, so it errs on the side of yes.
pub fn under_v1(path: &str) -> bool {
    let mut rest = path.as_bytes();
    while let Some(after) = strip_separator(rest) {
        rest = after;
    }
    let Some((name, tail)) = rest.split_at_checked(2) else {
        return false;
    };
    name.eq_ignore_ascii_case(b"v1")
        && (tail.is_empty() || tail[0] == b';' || strip_separator(tail).is_some())
}

/// `Some(rest)` when `path` is `prefix` or lies below it, whole segments only. A prefix ends without a slash.
pub fn below<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    path.strip_prefix(prefix)
        .filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn strip_separator(path: &[u8]) -> Option<&[u8]> {
    match path {
        [b'/' | b'\\', rest @ ..]
        | [b'%', b'2', b'F' | b'f', rest @ ..]
        | [b'%', b'5', b'C' | b'c', rest @ ..] => Some(rest),
        _ => None,
    }
}

/// No escape, no dot at the start of a segment, nothing to refuse.
fn is_plain(path: &[u8]) -> bool {
    let mut previous = 0;
    for &byte in path {
        if byte == b'%'
            || byte == b'\\'
            || must_not_appear(byte)
            || (byte == b'.' && previous == b'/')
        {
            return false;
        }
        previous = byte;
    }
    true
}

fn must_not_appear(byte: u8) -> bool {
    byte.is_ascii_control() || byte == b'?' || byte == b'#'
}

fn decode_unreserved(path: &str) -> Result<String, RequestError> {
    let mut decoded = String::with_capacity(path.len());
    let mut chars = path.char_indices();
    while let Some((at, char)) = chars.next() {
        if u8::try_from(char).is_ok_and(must_not_appear) {
            return Err(invalid("The path holds a control character, `?` or `#`."));
        }
        if char != '%' {
            decoded.push(char);
            continue;
        }
        let byte = escaped_byte(path.as_bytes().get(at + 1..).unwrap_or_default())?;
        chars.nth(1);
        if byte.is_ascii_control() {
            return Err(invalid("The path holds an escaped control character."));
        }
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            decoded.push(char::from(byte));
        } else {
            decoded.push('%');
            for digit in [byte >> 4, byte & 15] {
                decoded.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
            }
        }
    }
    Ok(decoded)
}

/// The byte that two hex digits at the front of `digits` stand for.
fn escaped_byte(digits: &[u8]) -> Result<u8, RequestError> {
    let value = |digit: &u8| char::from(*digit).to_digit(16);
    digits
        .first()
        .and_then(value)
        .zip(digits.get(1).and_then(value))
        .and_then(|(high, low)| u8::try_from(high * 16 + low).ok())
        .ok_or_else(|| invalid("A `%` in the path must be followed by two hex digits."))
}

fn remove_dot_segments(path: &str) -> Result<String, RequestError> {
    let mut kept: Vec<&str> = Vec::new();
    let mut ends_in_dots = false;
    for segment in path.split('/').skip(1) {
        ends_in_dots = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => {
                if kept.pop().is_none() {
                    return Err(invalid("The path climbs above its root."));
                }
            }
            _ if hides_dots(segment) => {
                return Err(invalid(
                    "The path hides a dot segment behind an escaped slash, a backslash or `;`.",
                ));
            }
            _ => kept.push(segment),
        }
    }
    let mut normal = String::with_capacity(path.len());
    for segment in &kept {
        normal.push('/');
        normal.push_str(segment);
    }
    if ends_in_dots || kept.is_empty() {
        normal.push('/');
    }
    Ok(normal)
}

/// `segment` is no dot segment to us, but would be to a reader that takes `%2F`, `%5C` or `\` for a slash or cuts
/// parameters off at `;`.
fn hides_dots(segment: &str) -> bool {
    if !segment.contains('.') || !segment.contains(['%', '\\', ';']) {
        return false;
    }
    // Escapes are in capitals by now.
    let split = segment.replace("%2F", "/").replace("%5C", "/");
    split
        .split(['/', '\\'])
        .filter_map(|part| part.split(';').next())
        .any(|name| matches!(name, "." | ".."))
}

fn invalid(message: &'static str) -> RequestError {
    RequestError::new(ErrorKind::InvalidPath, message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(path: &str, expected: Option<&str>) {
        let normal = normalise(path).ok();
        assert_eq!(normal.as_deref(), expected, "{path}");
    }

    #[test]
    fn one_path_has_one_spelling() {
        check("/", Some("/"));
        check("/v1/models", Some("/v1/models"));
        check("/a/../b", Some("/b"));
        check("/a/%2e%2E/b", Some("/b"));
        check("/a/./b/.", Some("/a/b/"));
        check("/a/b/..", Some("/a/"));
        check("/a/..", Some("/"));
        check("/%61%2D%5f%7E", Some("/a-_~"));
        check("/a%2fb", Some("/a%2Fb"));
        check("/a%20b%c3%a9", Some("/a%20b%C3%A9"));
        check("//a//b/", Some("//a//b/"));
        check("/a//../b", Some("/a/b"));
        check("/.well-known/x", Some("/.well-known/x"));
        check("/a/...", Some("/a/..."));
        check("/a/x..;y", Some("/a/x..;y"));
        check("/%252e", Some("/%252e"));
    }

    #[test]
    fn what_another_reader_could_take_for_a_climb_is_refused() {
        for path in [
            "/..",
            "/a/../..",
            "/%2e%2e/x",
            "/a/..%2fv1",
            "/a/..%5Cv1",
            "/a%2f..%2fv1",
            "/..;/v1",
            "/.;x/v1",
            "/a\\..\\b",
            "/%",
            "/%4",
            "/%zz",
            "/%00",
            "/a%0d",
            "/a%7f",
            "/a\u{1}",
            "/a?b",
            "/a#b",
            "a",
            "*",
            "",
        ] {
            check(path, None);
        }
    }

    #[test]
    fn v1_is_recognised_through_every_disguise() {
        for path in [
            "/v1",
            "/v1/files",
            "//v1/files",
            "/%2Fv1/x",
            "/V1/x",
            "/v1;a/x",
            "/v1%2Ffiles",
            "/\\v1/x",
        ] {
            assert!(under_v1(path), "{path}");
        }
        for path in ["/", "/v10", "/v1beta/models", "/a/v1", "/v"] {
            assert!(!under_v1(path), "{path}");
        }
    }

    #[test]
    fn a_prefix_matches_whole_segments() {
        assert_eq!(below("/api", "/api"), Some(""));
        assert_eq!(below("/api/x", "/api"), Some("/x"));
        assert_eq!(below("/apix", "/api"), None);
        assert_eq!(below("/anything", ""), Some("/anything"));
    }

    proptest! {
        #[test]
        fn normalising_never_panics_and_is_idempotent(path in "/([a-c.%/;]|%2[eEfF5]|\\PC){0,24}") {
            if let Ok(normal) = normalise(&path) {
                let again = normalise(&normal).unwrap();
                prop_assert_eq!(&*again, &*normal);
                prop_assert!(!normal.split('/').any(|segment| matches!(segment, "." | "..")));
            }
        }
    }
}
