//! The trace a request belongs to (W3C Trace Context), and the id a client brings along.
//!
//! A valid `traceparent` is continued. Without one a trace begins here and takes the request's own id: its last bytes
//! are random, as the standard asks, and an operator who holds one of the two ids holds the other.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::ids::RequestId;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const CLIENT_REQUEST_ID_MAX_BYTES: usize = 128;

/// `00-` trace id `-` span id `-` flags.
const TRACEPARENT_LENGTH: usize = 55;
const SAMPLED: u8 = 0x01;
const RANDOM_TRACE_ID: u8 = 0x02;

/// A request's place in a distributed trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: [u8; 16],
    /// The span that this request is at the gateway, and the parent of what it causes upstream.
    span_id: [u8; 8],
    flags: u8,
    continued: bool,
}

impl TraceContext {
    pub fn from_headers(headers: &HeaderMap, request_id: RequestId) -> Self {
        let id = *request_id.as_bytes();
        let [.., a, b, c, d, e, f, g, h] = id;
        let span_id = [a, b, c, d, e, f, g, h];
        match incoming(headers) {
            Some((trace_id, flags)) => Self {
                trace_id,
                span_id,
                flags: flags & (SAMPLED | RANDOM_TRACE_ID),
                continued: true,
            },
            // Sampled: not to be would switch tracing off for all who come after.
            None => Self {
                trace_id: id,
                span_id,
                flags: SAMPLED | RANDOM_TRACE_ID,
                continued: false,
            },
        }
    }

    /// 32 hexadecimal digits.
    pub fn trace_id(&self) -> String {
        Hex(&self.trace_id).to_string()
    }

    /// The `traceparent` for what this request causes upstream, and for its answer.
    pub fn child_header(&self) -> HeaderValue {
        let mut text = [b'-'; TRACEPARENT_LENGTH];
        write_hex(&mut text[0..2], &[0]);
        write_hex(&mut text[3..35], &self.trace_id);
        write_hex(&mut text[36..52], &self.span_id);
        write_hex(&mut text[53..55], &[self.flags]);
        HeaderValue::from_bytes(&text).expect("digits and hyphens are a header value")
    }

    /// Whether the trace began before this gateway. If not, an incoming `tracestate` belongs to no valid trace and
    /// must not be passed on.
    pub fn is_continued(&self) -> bool {
        self.continued
    }
}

/// The client's own id for its request: printable ASCII, at most 128 bytes. Anything else is ignored.
pub fn client_request_id(headers: &HeaderMap) -> Option<&str> {
    let id = headers.get(X_REQUEST_ID)?.to_str().ok()?.trim();
    let valid = !id.is_empty()
        && id.len() <= CLIENT_REQUEST_ID_MAX_BYTES
        && id.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    valid.then_some(id)
}

/// Trace id and flags of a single, valid `traceparent`.
fn incoming(headers: &HeaderMap) -> Option<([u8; 16], u8)> {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    parse(value.as_bytes())
}

fn parse(text: &[u8]) -> Option<([u8; 16], u8)> {
    let (known, rest) = text.split_at_checked(TRACEPARENT_LENGTH)?;
    let [version] = read_hex::<1>(&known[0..2])?;
    // A later version may append fields, after another hyphen; this one may not.
    let rest_is_valid = match version {
        0x00 => rest.is_empty(),
        0xff => false,
        _ => rest.first().is_none_or(|byte| *byte == b'-'),
    };
    let hyphens = [2, 35, 52].iter().all(|at| known[*at] == b'-');
    let trace_id = read_hex::<16>(&known[3..35])?;
    let parent_id = read_hex::<8>(&known[36..52])?;
    let [flags] = read_hex::<1>(&known[53..55])?;
    let valid = rest_is_valid && hyphens && trace_id != [0; 16] && parent_id != [0; 8];
    valid.then_some((trace_id, flags))
}

/// Lower-case digits only, as the standard says.
fn read_hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let nibble = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = (nibble(pair[0])? << 4) | nibble(pair[1])?;
    }
    Some(bytes)
}

fn write_hex(digits: &mut [u8], bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

struct Hex<'a>(&'a [u8; 16]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; 32];
        write_hex(&mut digits, self.0);
        f.write_str(str::from_utf8(&digits).expect("digits are ASCII"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

    fn request_id() -> RequestId {
        RequestId::new(&Clock::manual(1_767_225_600_123))
    }

    fn with(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_bytes(value.as_bytes()).unwrap())])
    }

    #[test]
    fn a_valid_traceparent_is_continued_under_a_span_of_ours() {
        let check = |incoming: &str, flags: &str| {
            let context = TraceContext::from_headers(&with(TRACEPARENT, incoming), request_id());
            assert!(context.is_continued(), "{incoming}");
            assert_eq!(context.trace_id(), TRACE);
            let child = context.child_header();
            let child = child.to_str().unwrap();
            assert!(child.starts_with(&format!("00-{TRACE}-")), "{child}");
            assert!(child.ends_with(flags), "{child}");
            assert!(!child.contains("b7ad6b7169203331"), "{child}");
            assert!(parse(child.as_bytes()).is_some(), "{child}");
        };
        check(&format!("00-{TRACE}-b7ad6b7169203331-01"), "-01");
        check(&format!("00-{TRACE}-b7ad6b7169203331-00"), "-00");
        check(&format!("00-{TRACE}-b7ad6b7169203331-03"), "-03");
        check(&format!("00-{TRACE}-b7ad6b7169203331-ff"), "-03");
        check(&format!("cc-{TRACE}-b7ad6b7169203331-01"), "-01");
        check(
            &format!("cc-{TRACE}-b7ad6b7169203331-01-what-comes-later"),
            "-01",
        );
    }

    #[test]
    fn an_invalid_traceparent_begins_a_new_trace() {
        let begins_anew = |headers: &HeaderMap| {
            let id = request_id();
            let context = TraceContext::from_headers(headers, id);
            assert!(!context.is_continued(), "{headers:?}");
            assert_eq!(context.trace_id(), id.to_string().replace('-', ""));
            assert!(context.child_header().to_str().unwrap().ends_with("-03"));
        };
        begins_anew(&HeaderMap::new());
        for incoming in [
            "",
            "00",
            &format!("00-{TRACE}-b7ad6b7169203331"),
            &format!("00-{TRACE}-b7ad6b7169203331-01-more"),
            &format!("00-{TRACE}-b7ad6b7169203331-01."),
            &format!("cc-{TRACE}-b7ad6b7169203331-01.more"),
            &format!("ff-{TRACE}-b7ad6b7169203331-01"),
            &format!("00-{}-b7ad6b7169203331-01", TRACE.to_uppercase()),
            &format!("00-{}-b7ad6b7169203331-01", "0".repeat(32)),
            &format!("00-{TRACE}-0000000000000000-01"),
            &format!("00_{TRACE}-b7ad6b7169203331-01"),
            &format!("00-{TRACE}-b7ad6b716920333x-01"),
            &format!("0ä-{TRACE}-b7ad6b7169203331-01"),
        ] {
            begins_anew(&with(TRACEPARENT, incoming));
        }
        let mut twice = HeaderMap::new();
        for _ in 0..2 {
            let value = format!("00-{TRACE}-b7ad6b7169203331-01");
            twice.append(TRACEPARENT, value.parse().unwrap());
        }
        begins_anew(&twice);
    }

    #[test]
    fn a_clients_own_id_is_kept_when_it_is_short_and_printable() {
        let check = |id: &str, expected: Option<&str>| {
            assert_eq!(client_request_id(&with(X_REQUEST_ID, id)), expected, "{id}");
        };
        check("job-17/step 2", Some("job-17/step 2"));
        check(&"x".repeat(128), Some(&"x".repeat(128)));
        check(&"x".repeat(129), None);
        check("", None);
        check("tab\there", None);
        check("größe", None);
        assert_eq!(client_request_id(&HeaderMap::new()), None);
    }
}
