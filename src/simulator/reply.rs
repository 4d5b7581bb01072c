//! What the simulated model says: the prompt's words back, or tool calls, with the token counts they amount to.
//!
//! Everything follows from the request and the directive; nothing here knows a wire format, a clock or a socket.

use serde_json::{Map, Value};

use super::{
    faults::{Directive, UsageMode},
    stats::Usage,
};

/// A long prompt is echoed up to here.
const WORDS_MAX: usize = 64;

/// Tool arguments are streamed in pieces of so many bytes.
const ARGUMENT_PIECE_BYTES: usize = 12;

/// What every dialect asks a model.
#[derive(Debug, Default)]
pub struct Turn {
    /// The last user message, without its directive.
    pub prompt: String,
    pub input_tokens: u64,
    pub output_tokens_max: Option<u64>,
    pub tools: Vec<Tool>,
    /// The tools have answered: now the model sums up instead of calling them again.
    pub after_tools: bool,
}

/// A function the client offers.
#[derive(Debug)]
pub struct Tool {
    pub name: String,
    /// JSON Schema of its arguments.
    pub parameters: Value,
}

/// What the model says to it.
#[derive(Debug)]
pub struct Reply {
    pub said: Said,
    /// `None` where the directive withholds it.
    pub usage: Option<Usage>,
}

/// Text or tool calls.
#[derive(Debug)]
pub enum Said {
    Text {
        pieces: Vec<String>,
        /// The client's limit cut the sentence short.
        cut_short: bool,
    },
    Calls(Vec<ToolCall>),
}

/// One call of a tool.
#[derive(Debug)]
pub struct ToolCall {
    pub name: String,
    /// A JSON object, in the pieces it is streamed in.
    pub pieces: Vec<String>,
}

impl Reply {
    /// Speaks to `turn`; `random` is the usage to report where the directive wants any.
    pub fn to(turn: &Turn, directive: &Directive, random: impl FnOnce() -> Usage) -> Self {
        let said = if directive.tools && !turn.after_tools {
            Said::Calls(call_tools(turn))
        } else {
            say(turn, directive)
        };
        let usage = match directive.usage {
            UsageMode::Withheld => None,
            UsageMode::Random => Some(random()),
            UsageMode::Counted => Some(Usage {
                input: turn.input_tokens,
                output: said.tokens(),
                ..Usage::default()
            }),
        };
        Self { said, usage }
    }
}

impl Said {
    fn tokens(&self) -> u64 {
        let pieces = match self {
            Self::Text { pieces, .. } => pieces.len(),
            Self::Calls(calls) => calls.iter().map(|call| call.pieces.len() + 1).sum(),
        };
        u64::try_from(pieces).unwrap_or(u64::MAX)
    }
}

fn say(turn: &Turn, directive: &Directive) -> Said {
    let opening = if turn.after_tools {
        ["The", "tools", "answered:"]
    } else {
        ["You", "said", "this:"]
    };
    let words: Vec<&str> = opening
        .into_iter()
        .chain(turn.prompt.split_whitespace().take(WORDS_MAX))
        .collect();
    let wanted = directive
        .tokens
        .and_then(|tokens| usize::try_from(tokens).ok())
        .unwrap_or(words.len());
    let allowed = turn
        .output_tokens_max
        .and_then(|tokens| usize::try_from(tokens).ok())
        .unwrap_or(usize::MAX);
    let pieces = words
        .iter()
        .cycle()
        .take(wanted.min(allowed))
        .enumerate()
        .map(|(index, word)| match index {
            0 => (*word).to_owned(),
            _ => format!(" {word}"),
        })
        .collect();
    Said::Text {
        pieces,
        cut_short: allowed < wanted,
    }
}

/// Calls the first two tools on offer, so that parallel calls are met; without any, one that nobody declared.
fn call_tools(turn: &Turn) -> Vec<ToolCall> {
    let undeclared = Tool {
        name: "look_up".into(),
        parameters: serde_json::json!({"properties": {"query": {"type": "string"}}}),
    };
    let offered = match turn.tools.as_slice() {
        [] => std::slice::from_ref(&undeclared),
        tools => &tools[..tools.len().min(2)],
    };
    offered
        .iter()
        .map(|tool| ToolCall {
            name: tool.name.clone(),
            pieces: pieces_of(&arguments(tool, &turn.prompt)),
        })
        .collect()
}

/// An argument for every property of the tool's schema.
fn arguments(tool: &Tool, prompt: &str) -> String {
    let properties = tool.parameters.get("properties").and_then(Value::as_object);
    let arguments: Map<String, Value> = properties
        .into_iter()
        .flatten()
        .map(|(name, schema)| {
            let value = match schema.get("type").and_then(Value::as_str) {
                Some("integer" | "number") => Value::from(7),
                Some("boolean") => Value::from(true),
                Some("array") => Value::Array(Vec::new()),
                Some("object") => Value::Object(Map::new()),
                _ => Value::from(prompt),
            };
            (name.clone(), value)
        })
        .collect();
    Value::Object(arguments).to_string()
}

/// `text` in pieces that break between characters.
fn pieces_of(text: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for character in text.chars() {
        match pieces.last_mut() {
            Some(piece) if piece.len() < ARGUMENT_PIECE_BYTES => piece.push(character),
            _ => pieces.push(character.into()),
        }
    }
    pieces
}

/// What a text costs: four bytes a token, rounded up.
pub fn tokens_of(bytes: usize) -> u64 {
    u64::try_from(bytes.div_ceil(4)).unwrap_or(u64::MAX)
}

/// Usage that has nothing to do with the words, the same for the same seed and call.
pub fn random_usage(seed: u64, call: u64) -> Usage {
    let mut random = SplitMix(seed ^ call.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let input = 1 + random.below(4000);
    let output = 1 + random.below(1000);
    Usage {
        input,
        output,
        cached: random.below(input + 1),
        reasoning: random.below(output + 1),
    }
}

/// SplitMix64: enough randomness for made-up usage, and the same on every machine.
struct SplitMix(u64);

impl SplitMix {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}
