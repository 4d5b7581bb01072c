//! Arguments of calls: an object on this side, JSON text in the conversation. Numbers keep their digits either way.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::ai::conversation::{ToolCall, ToolKind};

/// The object for a call; `None` where its arguments are none, as when the model was cut off in the middle.
pub(super) fn object(call: &ToolCall) -> Option<Cow<'_, RawValue>> {
    if call.custom {
        let stand_in = ToolKind::custom_arguments(&call.arguments);
        return RawValue::from_string(stand_in).ok().map(Cow::Owned);
    }
    if call.arguments.trim().is_empty() {
        return RawValue::from_string("{}".to_owned()).ok().map(Cow::Owned);
    }
    raw_object(&call.arguments).map(Cow::Borrowed)
}

/// `text` as JSON, if it is an object.
pub(super) fn raw_object(text: &str) -> Option<&RawValue> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// The arguments of a provider's or client's call; `custom` where the tool takes free text and had a stand-in.
pub(super) fn arguments(args: Option<&RawValue>, custom: bool) -> String {
    let json = args.map_or_else(|| "{}".to_owned(), |args| compact(args.get()));
    if custom {
        ToolKind::custom_input(&json)
    } else {
        json
    }
}

/// JSON without the white space between its tokens: Google's answers are indented.
pub(super) fn compact(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut in_string, mut escaped) = (false, false);
    for letter in json.chars() {
        if in_string {
            in_string = letter != '"' || escaped;
            escaped = letter == '\\' && !escaped;
        } else if matches!(letter, ' ' | '\n' | '\r' | '\t') {
            continue;
        } else {
            in_string = letter == '"';
        }
        out.push(letter);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(arguments: &str, custom: bool) -> ToolCall {
        ToolCall {
            arguments: arguments.into(),
            custom,
            ..ToolCall::default()
        }
    }

    #[test]
    fn arguments_are_an_object_or_nothing() {
        let check = |arguments: &str, custom, expected: Option<&str>| {
            let call = call(arguments, custom);
            assert_eq!(
                object(&call).map(|raw| raw.get().to_owned()).as_deref(),
                expected
            );
        };
        check("", false, Some("{}"));
        check(r#"{"a":1.50}"#, false, Some(r#"{"a":1.50}"#));
        check(
            " {\"a\":12345678901234567890123} ",
            false,
            Some(r#"{"a":12345678901234567890123}"#),
        );
        check("[1]", false, None);
        check("{\"a\":", false, None);
        check("text", false, None);
        check("say \"hi\"", true, Some(r#"{"input":"say \"hi\""}"#));
    }

    #[test]
    fn white_space_goes_except_inside_strings() {
        let raw: Box<RawValue> =
            serde_json::from_str("{\n  \"a b\" : [ 1.0 , \"x \\\" y\\\\\" ] ,\n \"c\":\"\" }")
                .unwrap();
        assert_eq!(
            arguments(Some(&raw), false),
            r#"{"a b":[1.0,"x \" y\\"],"c":""}"#
        );
        assert_eq!(arguments(None, false), "{}");
        let stand_in: Box<RawValue> = serde_json::from_str(r#"{"input": "free text"}"#).unwrap();
        assert_eq!(arguments(Some(&stand_in), true), "free text");
    }
}
