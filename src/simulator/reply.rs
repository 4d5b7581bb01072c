//! What the simulated model says: thoughts, the prompt's words back, JSON, or tool calls, with the token counts they
//! amount to.
//!
//! Everything follows from the request and the directive; nothing here knows a wire format, a clock or a socket.

use serde_json::Value;

use super::{
    calls::{ToolCall, call_tools},
    faults::{CallForm, Directive, Finish, UsageMode},
    schema,
    state::Tag,
    stats::Usage,
};

/// A long prompt is echoed up to here.
const WORDS_MAX: usize = 64;
const ECHOED_CHARACTERS_MAX: usize = 400;

/// Tool arguments and JSON are streamed in pieces of so many bytes.
const PIECE_BYTES: usize = 12;

const REFUSAL: [&str; 5] = ["I", " cannot", " help", " with", " that."];

/// What every dialect asks a model.
#[derive(Debug, Default)]
pub struct Turn {
    /// The last user message, without its directive.
    pub prompt: String,
    pub input_tokens: u64,
    pub output_tokens_max: Option<u64>,
    pub tools: Vec<Tool>,
    pub choice: ToolChoice,
    /// At most one tool may be called.
    pub one_tool: bool,
    /// The tools have answered: now the model sums up instead of calling them again.
    pub after_tools: bool,
    pub output: OutputForm,
    /// The first of the stop sequences.
    pub stop: Option<String>,
    /// To be said word for word instead of anything else.
    pub recite: Option<String>,
}

/// What the client says about calling tools.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub enum ToolChoice {
    #[default]
    Free,
    /// Any of them, but one.
    Required,
    Named(String),
}

/// The form the answer must have.
#[derive(Debug, Default, Clone, PartialEq)]
pub enum OutputForm {
    #[default]
    Text,
    JsonObject,
    JsonSchema(Value),
}

/// A function the client offers.
#[derive(Debug, Clone)]
pub struct Tool {
    pub name: String,
    /// JSON Schema of its arguments.
    pub parameters: Value,
    /// It takes free text instead (OpenAI's custom tools).
    pub custom: bool,
}

/// What the model says to it.
#[derive(Debug)]
pub struct Reply {
    /// Pieces of thought; none means that it was made without reasoning.
    pub thought: Vec<String>,
    /// The thought is not shown.
    pub redacted: bool,
    /// Pieces of text: the answer's, or the refusal's.
    pub text: Vec<String>,
    pub calls: Vec<ToolCall>,
    pub form: CallForm,
    pub stopped: Stopped,
    /// `None` where the directive withholds it.
    pub usage: Option<Usage>,
}

/// Why the answer ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// It was complete.
    End,
    /// A stop sequence, if the request had one.
    Sequence(Option<String>),
    /// The limit on output tokens.
    Limit,
    Calls,
    /// The model refused; the text is its refusal.
    Refusal,
    Filter,
    /// The prompt was filtered: there is no answer.
    PromptFilter,
}

impl Reply {
    /// Speaks to `turn`; `random` is the usage to report where the directive wants any.
    pub fn to(turn: &Turn, directive: &Directive, random: impl FnOnce() -> Usage) -> Self {
        let mut reply = Self {
            thought: think(turn, directive.content.reasoning),
            redacted: directive.content.redacted,
            text: Vec::new(),
            calls: Vec::new(),
            form: directive.calls,
            stopped: Stopped::End,
            usage: None,
        };
        reply.speak(turn, directive);
        reply.finish(turn, directive.finish);
        reply.usage = match directive.usage {
            UsageMode::Withheld => None,
            UsageMode::Random => Some(random()),
            UsageMode::Counted => Some(reply.counted(turn, directive)),
        };
        reply
    }

    fn speak(&mut self, turn: &Turn, directive: &Directive) {
        let forced = turn.choice != ToolChoice::Free;
        if let Some(words) = &turn.recite {
            self.text = pieces_of(words);
        } else if (directive.content.tools || forced) && !turn.after_tools {
            if directive.calls.after_text {
                self.text = ["Let", " me", " look."].map(str::to_owned).into();
            }
            self.calls = call_tools(turn);
            self.stopped = Stopped::Calls;
        } else {
            match &turn.output {
                OutputForm::Text => self.say(turn, directive),
                OutputForm::JsonObject => {
                    let answer = serde_json::json!({"answer": echoed(&turn.prompt)});
                    self.text = pieces_of(&answer.to_string());
                }
                OutputForm::JsonSchema(schema) => {
                    let answer = schema::fit(schema, &echoed(&turn.prompt));
                    self.text = pieces_of(&answer.to_string());
                }
            }
        }
    }

    fn say(&mut self, turn: &Turn, directive: &Directive) {
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
        let numbered = words.iter().cycle().take(wanted.min(allowed)).enumerate();
        self.text = numbered
            .map(|(index, word)| match index {
                0 => (*word).to_owned(),
                _ => format!(" {word}"),
            })
            .collect();
        if allowed < wanted {
            self.stopped = Stopped::Limit;
        }
    }

    /// Ends the answer as the directive wants it.
    fn finish(&mut self, turn: &Turn, finish: Option<Finish>) {
        let Some(finish) = finish else { return };
        self.calls.clear();
        self.stopped = match finish {
            Finish::Refuse => {
                self.text = REFUSAL.map(str::to_owned).into();
                Stopped::Refusal
            }
            Finish::Filter => {
                self.text.truncate(self.text.len().div_ceil(2));
                Stopped::Filter
            }
            Finish::FilterPrompt => {
                self.text.clear();
                self.thought.clear();
                Stopped::PromptFilter
            }
            Finish::Length => Stopped::Limit,
            Finish::StopSequence => Stopped::Sequence(turn.stop.clone()),
        };
    }

    fn counted(&self, turn: &Turn, directive: &Directive) -> Usage {
        let count = |pieces: usize| u64::try_from(pieces).unwrap_or(u64::MAX);
        let calls: usize = self.calls.iter().map(|call| call.pieces.len() + 1).sum();
        let reasoning = count(self.thought.len());
        let (cached, cache_write) = (directive.cached.into(), directive.cache_write.into());
        Usage {
            input: turn.input_tokens + cached + cache_write,
            output: count(self.text.len() + calls) + reasoning,
            cached,
            cache_write,
            reasoning,
        }
    }

    /// The tag of the reasoning behind the answer with this id.
    pub fn tag(&self, id: u64) -> Option<Tag> {
        (!self.thought.is_empty()).then(|| Tag::of(id))
    }
}

/// So many pieces of thought about the prompt.
fn think(turn: &Turn, pieces: u32) -> Vec<String> {
    let opening = ["Thinking", "about:"];
    let words = turn.prompt.split_whitespace().take(WORDS_MAX);
    let words: Vec<&str> = opening.into_iter().chain(words).collect();
    let count = usize::try_from(pieces).unwrap_or_default();
    let cycle = words.iter().cycle().take(count).enumerate();
    cycle
        .map(|(index, word)| match index {
            0 => (*word).to_owned(),
            _ => format!(" {word}"),
        })
        .collect()
}

/// As much of the prompt as is said back inside JSON.
pub fn echoed(prompt: &str) -> String {
    prompt.chars().take(ECHOED_CHARACTERS_MAX).collect()
}

/// `text` in pieces that break between characters.
pub fn pieces_of(text: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for character in text.chars() {
        match pieces.last_mut() {
            Some(piece) if piece.len() < PIECE_BYTES => piece.push(character),
            _ => pieces.push(character.into()),
        }
    }
    pieces
}
