//! One spelling of a JSON text for every order of its object keys and every way of spacing it.
//!
//! Two texts get the same spelling only where every parser reads the same from both. So strings and numbers stay as
//! they are written, keys that stand twice stay in their order, and an object with an escape in a key is not sorted:
//! two spellings of one key could change places.

use std::ops::Range;

use memchr::memchr2;

/// Deeper than any request of an API; what is deeper still is left as it is.
const DEPTH_MAX: usize = 64;

/// Appends the canonical spelling of `json`, a valid JSON text; false, and nothing appended, where it has none.
pub(super) fn write(json: &[u8], out: &mut Vec<u8>) -> bool {
    let begin = out.len();
    let mut writer = Writer { json, at: 0, out };
    let written = writer.value(0).is_some();
    writer.skip_space();
    if written && writer.at == json.len() {
        return true;
    }
    out.truncate(begin);
    false
}

struct Writer<'j> {
    json: &'j [u8],
    at: usize,
    out: &'j mut Vec<u8>,
}

/// Where a member of an object stands in the output.
struct Member {
    key: Range<usize>,
    whole: Range<usize>,
}

/// `None` everywhere: the text is too deep, or no JSON.
impl Writer<'_> {
    fn value(&mut self, depth: usize) -> Option<()> {
        self.skip_space();
        match self.json.get(self.at)? {
            b'{' if depth < DEPTH_MAX => self.object(depth + 1),
            b'[' if depth < DEPTH_MAX => self.array(depth + 1),
            b'{' | b'[' => None,
            b'"' => self.string().map(|_| ()),
            _ => self.scalar(),
        }
    }

    fn object(&mut self, depth: usize) -> Option<()> {
        self.copy(b'{')?;
        let begin = self.out.len();
        let mut members: Vec<Member> = Vec::new();
        let (mut sortable, mut sorted) = (true, true);
        loop {
            self.skip_space();
            if self.json.get(self.at) == Some(&b'}') {
                break;
            }
            if !members.is_empty() {
                self.copy(b',')?;
                self.skip_space();
            }
            let start = self.out.len();
            sortable &= !self.string()?;
            let key = start..self.out.len();
            self.skip_space();
            self.copy(b':')?;
            self.value(depth)?;
            if let Some(last) = members.last() {
                sorted &= self.out.get(last.key.clone()) <= self.out.get(key.clone());
            }
            let whole = start..self.out.len();
            members.push(Member { key, whole });
        }
        if sortable && !sorted {
            self.sort(begin, members);
        }
        self.copy(b'}')
    }

    /// Stable, so that keys that stand twice keep their order: some readers take the first, some the last.
    fn sort(&mut self, begin: usize, mut members: Vec<Member>) {
        let out = &mut *self.out;
        members.sort_by(|a, b| out.get(a.key.clone()).cmp(&out.get(b.key.clone())));
        let mut sorted = Vec::with_capacity(out.len() - begin);
        for member in members {
            if !sorted.is_empty() {
                sorted.push(b',');
            }
            sorted.extend_from_slice(out.get(member.whole).unwrap_or_default());
        }
        out.truncate(begin);
        out.append(&mut sorted);
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.copy(b'[')?;
        let mut first = true;
        loop {
            self.skip_space();
            if self.json.get(self.at) == Some(&b']') {
                return self.copy(b']');
            }
            if !first {
                self.copy(b',')?;
            }
            first = false;
            self.value(depth)?;
        }
    }

    /// Copies a string as it is written; says whether there is an escape in it.
    fn string(&mut self) -> Option<bool> {
        let start = self.at;
        if self.json.get(start) != Some(&b'"') {
            return None;
        }
        let mut escaped = false;
        let mut at = start + 1;
        loop {
            at += memchr2(b'"', b'\\', self.json.get(at..)?)?;
            if self.json.get(at) == Some(&b'"') {
                break;
            }
            escaped = true;
            at += 2;
        }
        self.copy_to(at + 1)?;
        Some(escaped)
    }

    /// Copies a number or a word.
    fn scalar(&mut self) -> Option<()> {
        let rest = self.json.get(self.at..)?;
        let ends = |byte: &u8| matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r');
        let length = rest.iter().position(ends).unwrap_or(rest.len());
        if length == 0 {
            return None;
        }
        self.copy_to(self.at + length)
    }

    fn copy(&mut self, expected: u8) -> Option<()> {
        if self.json.get(self.at) != Some(&expected) {
            return None;
        }
        self.copy_to(self.at + 1)
    }

    fn copy_to(&mut self, end: usize) -> Option<()> {
        self.out.extend_from_slice(self.json.get(self.at..end)?);
        self.at = end;
        Some(())
    }

    fn skip_space(&mut self) {
        while matches!(self.json.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    use super::*;

    fn canonical(json: &str) -> Option<String> {
        let mut out = b"before".to_vec();
        let written = write(json.as_bytes(), &mut out);
        let text = String::from_utf8(out.split_off("before".len())).unwrap();
        assert_eq!(out, b"before");
        assert!(written || text.is_empty());
        written.then_some(text)
    }

    #[test]
    fn order_of_keys_and_spaces_do_not_count_and_everything_else_does() {
        let check = |json: &str, expected: &str| {
            assert_eq!(canonical(json).as_deref(), Some(expected), "{json}");
        };
        check(r#"{"b":1,"a":2}"#, r#"{"a":2,"b":1}"#);
        check(
            "\n{ \"b\" : [ 1 , { \"d\":null,\t\"c\" : true } ] ,\r\"a\":{}}\n",
            r#"{"a":{},"b":[1,{"c":true,"d":null}]}"#,
        );
        check("[ ]", "[]");
        check("[3, 1, 2]", "[3,1,2]");
        check(r#"{"a":1.0,"b":1e2}"#, r#"{"a":1.0,"b":1e2}"#);
        check(r#"{"a":" x  y "}"#, r#"{"a":" x  y "}"#);
        check(r#"{"a":"\u0041\"}{"}"#, r#"{"a":"\u0041\"}{"}"#);
        check("7", "7");
    }

    #[test]
    fn keys_that_stand_twice_keep_their_order() {
        let check = |json: &str, expected: &str| {
            assert_eq!(canonical(json).as_deref(), Some(expected), "{json}");
        };
        check(r#"{"b":0,"a":1,"a":2}"#, r#"{"a":1,"a":2,"b":0}"#);
        check(r#"{"a":2,"b":0,"a":1}"#, r#"{"a":2,"a":1,"b":0}"#);
        // The same key in two spellings: a reader that takes the last sees 1 here and 2 there.
        check(r#"{"\u0061":2,"a":1}"#, r#"{"\u0061":2,"a":1}"#);
        check(r#"{"a":1,"\u0061":2}"#, r#"{"a":1,"\u0061":2}"#);
    }

    #[test]
    fn what_is_too_deep_or_no_json_has_no_canonical_spelling() {
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(canonical(&deep(DEPTH_MAX)).is_some());
        assert_eq!(canonical(&deep(DEPTH_MAX + 1)), None);
        assert_eq!(canonical(&"[".repeat(1 << 20)), None);
        for json in [
            "", "{", "[1", r#"{"a""#, r#""a"#, r#""\"#, "{}x", "[1]]", "{1:2}", "[,]",
        ] {
            assert_eq!(canonical(json), None, "{json}");
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[ -~äß\n\"\\\\]{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 48, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec(("[a-d]{1,3}", inner), 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// The same value with every object turned round.
    fn turned_round(value: &Value) -> Value {
        match value {
            Value::Object(members) => {
                let turned = members
                    .iter()
                    .rev()
                    .map(|(key, value)| (key.clone(), turned_round(value)));
                Value::Object(turned.collect::<Map<_, _>>())
            }
            Value::Array(items) => items.iter().map(turned_round).collect(),
            _ => value.clone(),
        }
    }

    proptest! {
        #[test]
        fn the_spelling_means_what_was_written_and_is_the_same_in_any_order(value in any_json()) {
            let spelled = canonical(&value.to_string()).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Value>(&spelled).unwrap(), &value);
            let turned = turned_round(&value);
            let pretty = serde_json::to_string_pretty(&turned).unwrap();
            for same in [turned.to_string(), pretty, spelled.clone()] {
                prop_assert_eq!(canonical(&same).unwrap(), &*spelled);
            }
        }
    }
}
