//! Directives: how the operator, or one request, tells the simulator what to do.
//!
//! The same words work as flags of the process, after a `+` in the model name
//! (`gpt-4o-mini+fault=cut,after=3`) and after `sim:` at the start of the last user message
//! (`sim: fault=429 retry_after=2`). A word that is not known is refused, never ignored: a test that misspells its
//! fault must not pass.

use std::{fmt::Write, time::Duration};

/// What [`Directive::apply`] understands, as shown to whoever wrote something else.
const KNOWN: &str = "ttft_ms=N, delay_ms=N, tokens_per_second=N, tokens=N, \
    fault=429|500|<any status from 400>|slow|stall|cut|malformed|json_error|tools|no_usage, cut=role, after=N, \
    retry_after=SECONDS, times=N, once, usage=counted|random|none, tag=TEXT";

/// More content events than this are refused, so that one request cannot ask for all memory.
pub const TOKENS_MAX: u32 = 100_000;

/// No answer waits longer for its first byte, and no event for the one before.
const WAIT_MS_MAX: u64 = 3_600_000;

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
    /// `fault=tools`: answer with tool calls.
    pub tools: bool,
    pub usage: UsageMode,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// An error answer of this status.
    Status(u16),
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

/// Why a directive was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectiveError {
    #[error("the simulator does not know `{word}`; it knows {KNOWN}")]
    UnknownWord { word: String },
    #[error("`{word}` takes {expected}, not `{value}`")]
    BadValue {
        word: String,
        value: String,
        expected: String,
    },
    #[error("`{word}` is a second fault; a request can carry one")]
    SecondFault { word: String },
}

impl Directive {
    /// `self` with everything `words` says; words are set apart by commas or white space.
    ///
    /// # Errors
    /// The first word that is unknown, has a bad value, or is a second fault.
    pub fn with(&self, words: &str) -> Result<Self, DirectiveError> {
        let mut directive = self.clone();
        let mut has_fault = false;
        let split = words.split(|c: char| c == ',' || c.is_whitespace());
        for word in split.filter(|word| !word.is_empty()) {
            if directive.apply(word)? && std::mem::replace(&mut has_fault, true) {
                return Err(DirectiveError::SecondFault { word: word.into() });
            }
        }
        Ok(directive)
    }

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
        self.tools = false;
        self.usage = defaults.usage;
        self
    }

    /// Takes one word in; `true` when it named a fault.
    fn apply(&mut self, word: &str) -> Result<bool, DirectiveError> {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        match name {
            "ttft_ms" => self.first_byte = milliseconds(name, value)?,
            "delay_ms" => self.gap = milliseconds(name, value)?,
            "tokens_per_second" => {
                let rate: u32 = number(name, value, 1..=1_000_000)?;
                self.gap = Duration::from_secs(1) / rate;
            }
            "tokens" => self.tokens = Some(number(name, value, 1..=TOKENS_MAX)?),
            "after" => self.after = number(name, value, 0..=TOKENS_MAX)?,
            "retry_after" => self.retry_after_secs = Some(number(name, value, 0..=86_400)?),
            "times" => self.times = Some(number(name, value, 1..=u32::MAX)?),
            "once" => self.times = Some(1),
            "usage" => self.usage = usage_mode(name, value)?,
            // Tells two requests apart that would otherwise share one count of `times`.
            "tag" => {}
            "cut" if value == "role" => return Ok(self.fail_with(Fault::CutAfterRole)),
            "fault" => return self.apply_fault(value),
            _ => return Err(DirectiveError::UnknownWord { word: word.into() }),
        }
        Ok(false)
    }

    fn apply_fault(&mut self, value: &str) -> Result<bool, DirectiveError> {
        let fault = match value {
            "slow" => Fault::Slow,
            "stall" => Fault::Stall,
            "cut" => Fault::Cut,
            "malformed" => Fault::Malformed,
            "json_error" => Fault::JsonError,
            "tools" => {
                self.tools = true;
                return Ok(false);
            }
            "no_usage" => {
                self.usage = UsageMode::Withheld;
                return Ok(false);
            }
            status => match status.parse() {
                Ok(status @ 400..=599) => Fault::Status(status),
                _ => {
                    return Err(DirectiveError::BadValue {
                        word: "fault".into(),
                        value: value.into(),
                        expected: "a status from 400 to 599, slow, stall, cut, malformed, json_error, tools or no_usage"
                            .into(),
                    });
                }
            },
        };
        Ok(self.fail_with(fault))
    }

    fn fail_with(&mut self, fault: Fault) -> bool {
        self.fault = Some(fault);
        true
    }
}

fn usage_mode(word: &str, value: &str) -> Result<UsageMode, DirectiveError> {
    match value {
        "counted" => Ok(UsageMode::Counted),
        "random" => Ok(UsageMode::Random),
        "none" => Ok(UsageMode::Withheld),
        _ => Err(DirectiveError::BadValue {
            word: word.into(),
            value: value.into(),
            expected: "counted, random or none".into(),
        }),
    }
}

fn milliseconds(word: &str, value: &str) -> Result<Duration, DirectiveError> {
    number(word, value, 0..=WAIT_MS_MAX).map(Duration::from_millis)
}

fn number<T>(
    word: &str,
    value: &str,
    range: std::ops::RangeInclusive<T>,
) -> Result<T, DirectiveError>
where
    T: std::str::FromStr + PartialOrd + std::fmt::Display,
{
    match value.parse() {
        Ok(parsed) if range.contains(&parsed) => Ok(parsed),
        _ => Err(DirectiveError::BadValue {
            word: word.into(),
            value: value.into(),
            expected: format!("a number from {} to {}", range.start(), range.end()),
        }),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(model: &str, text: &str) -> Result<Directive, String> {
        read(&Directive::default(), model, text)
            .map(|asked| asked.directive)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn model_and_message_speak_the_same_language() {
        let cut = Directive {
            fault: Some(Fault::Cut),
            after: 3,
            ..Directive::default()
        };
        assert_eq!(
            ask("gpt-4o-mini+fault=cut,after=3", "hello"),
            Ok(cut.clone())
        );
        assert_eq!(ask("gpt-4o-mini", "sim: fault=cut after=3"), Ok(cut));
        assert_eq!(
            ask("gpt-4o-mini", "what does sim: fault=cut mean?"),
            Ok(Directive::default())
        );
    }

    #[test]
    fn model_and_prompt_are_left_without_the_directive() {
        let asked = read(
            &Directive::default(),
            "small+once,fault=503",
            " sim: ttft_ms=5\ntell me\nmore",
        )
        .unwrap();
        assert_eq!((asked.model, asked.prompt), ("small", "tell me\nmore"));
        assert_eq!(asked.directive.times, Some(1));
        assert_eq!(asked.directive.first_byte, Duration::from_millis(5));
        assert_eq!(asked.written, "small+once,fault=503 sim: ttft_ms=5");
    }

    #[test]
    fn every_word_means_what_it_says() {
        let check = |words: &str, expected: Directive| {
            assert_eq!(Directive::default().with(words), Ok(expected), "{words}");
        };
        let base = Directive::default;
        check(
            "ttft_ms=20",
            Directive {
                first_byte: Duration::from_millis(20),
                ..base()
            },
        );
        check(
            "delay_ms=2",
            Directive {
                gap: Duration::from_millis(2),
                ..base()
            },
        );
        check(
            "tokens_per_second=50",
            Directive {
                gap: Duration::from_millis(20),
                ..base()
            },
        );
        check(
            "tokens=7",
            Directive {
                tokens: Some(7),
                ..base()
            },
        );
        check(
            "fault=429 retry_after=2",
            Directive {
                fault: Some(Fault::Status(429)),
                retry_after_secs: Some(2),
                ..base()
            },
        );
        check(
            "cut=role",
            Directive {
                fault: Some(Fault::CutAfterRole),
                ..base()
            },
        );
        check(
            "fault=tools, usage=random",
            Directive {
                tools: true,
                usage: UsageMode::Random,
                ..base()
            },
        );
        check(
            "fault=no_usage",
            Directive {
                usage: UsageMode::Withheld,
                ..base()
            },
        );
        check(
            "fault=stall times=2 tag=mine",
            Directive {
                fault: Some(Fault::Stall),
                times: Some(2),
                ..base()
            },
        );
    }

    #[test]
    fn what_is_not_known_is_refused_with_what_is() {
        let unknown = ask("m", "sim: fualt=cut").unwrap_err();
        assert!(
            unknown.contains("`fualt=cut`") && unknown.contains("retry_after=SECONDS"),
            "{unknown}"
        );
        assert!(
            ask("m+fault=teapot", "")
                .unwrap_err()
                .contains("json_error")
        );
        assert!(ask("m+fault=200", "").is_err());
        assert!(ask("m+cut=late", "").is_err());
        assert!(ask("m+tokens=100001", "").unwrap_err().contains("100000"));
        assert!(ask("m+tokens_per_second=0", "").is_err());
        assert!(ask("m+usage=some", "").is_err());
        assert!(
            ask("m+fault=cut,fault=stall", "")
                .unwrap_err()
                .contains("second fault")
        );
    }
}
