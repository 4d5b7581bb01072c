//! Directives: how the operator, or one request, tells the simulator what to do.
//!
//! The same words work as flags of the process, after a `+` in the model name
//! (`gpt-4o-mini+fault=cut,after=3`) and after `sim:` at the start of the last user message
//! (`sim: fault=429 retry_after=2`), in every dialect. A word that is not known is refused, never ignored: a test
//! that misspells its fault must not pass.

mod words;

#[cfg(test)]
mod tests;

use std::{fmt::Write, time::Duration};

pub use self::words::DirectiveError;

/// More content events than this are refused, so that one request cannot ask for all memory.
pub const TOKENS_MAX: u32 = 100_000;

/// How long [`Fault::Slow`] keeps its client waiting when `ttft_ms` does not say.
const SLOW_FIRST_BYTE: Duration = Duration::from_secs(10);

/// How one request is to be answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directive {
    /// `ttft_ms`: the wait before the first byte of the answer.
    pub first_byte: Duration,
    /// `delay_ms` or `tokens_per_second`: the wait before each content event of a stream.
    pub gap: Duration,
    /// `tokens`: how many content events; without it, as many as the sentence has words.
    pub tokens: Option<u32>,
    pub fault: Option<Fault>,
    /// `after`: how many content events pass before the fault.
    pub after: u32,
    /// `retry_after`: seconds, sent with an error status.
    pub retry_after_secs: Option<u32>,
    /// `times`, `once`: only the first so many calls with this very directive fail; the others are answered as usual.
    pub times: Option<u32>,
    /// `context_window`: a prompt of more tokens is refused.
    pub context_window: Option<u64>,
    /// What the answer says.
    pub content: Content,
    /// Which form its tool calls take.
    pub calls: CallForm,
    pub finish: Option<Finish>,
    pub usage: UsageMode,
    /// `cached`, `cache_write`: input tokens that were read from and written to a cache, beside those of the prompt.
    pub cached: u32,
    pub cache_write: u32,
    /// `strict_state`: every tool call in the history must come with its reasoning state.
    pub strict_state: bool,
}

/// What an answer consists of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Content {
    /// `tools`: call tools instead of talking.
    pub tools: bool,
    /// `describe`: say what arrived.
    pub describe: bool,
    /// `reasoning`: so many pieces of thought come first.
    pub reasoning: u32,
    /// `redacted`: the thought is there, but not shown.
    pub redacted: bool,
}

/// The liberties that providers take with tool calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallForm {
    /// `args`: how the arguments are streamed.
    pub arguments: Arguments,
    /// `calls=interleaved`: the pieces of parallel calls alternate.
    pub interleaved: bool,
    /// `calls=empty`: what calls no tool has an empty list of calls (chat completions).
    pub empty: bool,
    /// `calls=after_text`: a sentence precedes the calls.
    pub after_text: bool,
    /// `calls=no_ids`: the calls have no ids (Gemini).
    pub without_ids: bool,
}

/// How the arguments of a tool call arrive in a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Arguments {
    /// A few characters at a time.
    #[default]
    Pieces,
    /// All at once, where the call begins.
    Whole,
    /// All at once, when every call has begun.
    End,
}

/// How an answer ends, when not by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// The model refuses.
    Refuse,
    /// A filter ends the answer.
    Filter,
    /// A filter stops the prompt.
    FilterPrompt,
    /// The limit on output tokens ends it.
    Length,
    /// The first of the request's stop sequences ends it.
    StopSequence,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// An error answer of this status.
    Status(u16),
    /// The error answer for a prompt that is too long, however long it is.
    ContextWindow,
    /// The first byte takes long.
    Slow,
    /// Nothing more comes, and the connection stays open.
    Stall,
    /// The connection is closed in the middle.
    Cut,
    /// The connection is closed right after the first event, before any content.
    CutAfterRole,
    /// One event is no valid JSON; the stream goes on behind it.
    Malformed,
    /// An error object in the middle of an answer whose status said 200.
    JsonError,
}

/// Which token counts an answer reports.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UsageMode {
    /// What the words amount to.
    #[default]
    Counted,
    /// Anything, cached and reasoning tokens too, from the seed and the call's number.
    Random,
    /// None at all.
    Withheld,
}

impl Directive {
    /// The answer's wait, whichever word asked for it.
    pub fn wait_for_first_byte(&self) -> Duration {
        if self.fault == Some(Fault::Slow) && self.first_byte.is_zero() {
            SLOW_FIRST_BYTE
        } else {
            self.first_byte
        }
    }

    /// What is left of this directive once its `times` are used up: the pace, but nothing that goes wrong.
    pub fn without_faults(mut self, defaults: &Self) -> Self {
        if self.fault == Some(Fault::Slow) {
            self.first_byte = defaults.first_byte;
        }
        self.fault = None;
        self.finish = None;
        self.content.tools = false;
        self.context_window = defaults.context_window;
        self.usage = defaults.usage;
        self
    }
}

/// A request's own directive, and what is left of model and prompt without it.
#[derive(Debug, PartialEq, Eq)]
pub struct Asked<'a> {
    pub model: &'a str,
    pub prompt: &'a str,
    pub directive: Directive,
    /// The directive as it was written: what `times` counts by. Empty when there was none.
    pub written: String,
}

/// Reads the directives in a model name and in the text of the last user message; the message has the last word.
///
/// # Errors
/// Either of them is refused as [`Directive::with`] says.
pub fn read<'a>(
    defaults: &Directive,
    model: &'a str,
    text: &'a str,
) -> Result<Asked<'a>, DirectiveError> {
    let (model, in_model) = model.split_once('+').unwrap_or((model, ""));
    let (in_text, prompt) = match text.trim_start().strip_prefix("sim:") {
        Some(rest) => rest.split_once('\n').unwrap_or((rest, "")),
        None => ("", text),
    };
    let directive = defaults.with(in_model)?.with(in_text)?;
    let mut written = String::new();
    if directive.times.is_some() {
        write!(written, "{model}+{in_model} sim:{in_text}").expect("a string takes any text");
    }
    Ok(Asked {
        model,
        prompt,
        directive,
        written,
    })
}
