//! JSON as a person reads it: a value on one line where it fits, else its elements on lines of their own. What was
//! written stays as it was written: the order of the fields, and every digit.

use std::collections::HashSet;

use serde::de::IgnoredAny;

const WIDTH: usize = 110;

/// Lays out `json`.
///
/// # Panics
/// Where it is no JSON, or an object in it names a field twice.
pub(super) fn json(json: &[u8]) -> String {
    let text = std::str::from_utf8(json).expect("JSON is UTF-8");
    serde_json::from_str::<IgnoredAny>(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let mut reader = Reader(text);
    let node = reader.node();
    let mut out = String::new();
    node.write(&mut out, 0, 0);
    out.push('\n');
    out
}

enum Node<'t> {
    Leaf(&'t str),
    Array(Vec<Node<'t>>),
    Object(Vec<(&'t str, Node<'t>)>),
}

/// What is left of a text that is known to be JSON.
struct Reader<'t>(&'t str);

impl<'t> Reader<'t> {
    fn peek(&mut self) -> Option<char> {
        self.0 = self.0.trim_start();
        self.0.chars().next()
    }

    fn skip(&mut self, punctuation: char) -> bool {
        let found = self.peek() == Some(punctuation);
        if found {
            self.0 = self.0.strip_prefix(punctuation).unwrap();
        }
        found
    }

    fn node(&mut self) -> Node<'t> {
        match self.peek() {
            Some('[') => {
                self.skip('[');
                let mut nodes = Vec::new();
                while !self.skip(']') {
                    nodes.push(self.node());
                    self.skip(',');
                }
                Node::Array(nodes)
            }
            Some('{') => {
                self.skip('{');
                let mut fields = Vec::new();
                let mut names = HashSet::new();
                while !self.skip('}') {
                    let name = self.leaf();
                    assert!(names.insert(name), "{name} stands twice in one object");
                    self.skip(':');
                    fields.push((name, self.node()));
                    self.skip(',');
                }
                Node::Object(fields)
            }
            _ => Node::Leaf(self.leaf()),
        }
    }

    /// A text with its quotes, a number or a word.
    fn leaf(&mut self) -> &'t str {
        let quoted = self.peek() == Some('"');
        let mut escaped = false;
        let mut end = self.0.len();
        for (at, letter) in self.0.char_indices().skip(1) {
            if quoted {
                if letter == '"' && !escaped {
                    end = at + 1;
                    break;
                }
                escaped = letter == '\\' && !escaped;
            } else if matches!(letter, ',' | ']' | '}' | ':') || letter.is_whitespace() {
                end = at;
                break;
            }
        }
        let (leaf, rest) = self.0.split_at(end);
        self.0 = rest;
        leaf
    }
}

impl Node<'_> {
    /// `before` is what stands in front of it on its line.
    fn write(&self, out: &mut String, indent: usize, before: usize) {
        let line = self.line();
        let is_short = indent + before + line.chars().count() <= WIDTH;
        let pad = " ".repeat(indent + 2);
        match self {
            Self::Array(nodes) if !is_short => {
                out.push_str("[\n");
                for (at, node) in nodes.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { ",\n" });
                    out.push_str(&pad);
                    node.write(out, indent + 2, 1);
                }
                out.push_str(&format!("\n{}]", " ".repeat(indent)));
            }
            Self::Object(fields) if !is_short => {
                out.push_str("{\n");
                for (at, (name, node)) in fields.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { ",\n" });
                    out.push_str(&format!("{pad}{name}: "));
                    node.write(out, indent + 2, name.chars().count() + 3);
                }
                out.push_str(&format!("\n{}}}", " ".repeat(indent)));
            }
            _ => out.push_str(&line),
        }
    }

    fn line(&self) -> String {
        match self {
            Self::Leaf(leaf) => (*leaf).to_owned(),
            Self::Array(nodes) => {
                let nodes: Vec<String> = nodes.iter().map(Node::line).collect();
                format!("[{}]", nodes.join(", "))
            }
            Self::Object(fields) => {
                let field = |(name, node): &(&str, Node<'_>)| format!("{name}: {}", node.line());
                let fields: Vec<String> = fields.iter().map(field).collect();
                format!("{{{}}}", fields.join(", "))
            }
        }
    }
}

#[test]
fn json_is_laid_out_and_nothing_in_it_is_changed() {
    let short = r#"{"b":1.50,"a":["x\"]\\",{}, [ ] ,null]}"#;
    let expected = "{\"b\": 1.50, \"a\": [\"x\\\"]\\\\\", {}, [], null]}\n";
    assert_eq!(json(short.as_bytes()), expected);
    let long = format!(r#"{{"a":[{short},"{}"]}}"#, "x".repeat(100));
    let laid_out = json(long.as_bytes());
    assert_eq!(laid_out.lines().count(), 6, "{laid_out}");
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(value(&laid_out), value(&long));
    assert_eq!(json(laid_out.as_bytes()), laid_out);
}
