//! The words of a directive: one parser for flags, model names and messages.

use std::{borrow::Cow, time::Duration};

use super::{Arguments, Directive, Fault, Finish, TOKENS_MAX, UsageMode};

/// What [`Directive::apply`] understands, as shown to whoever wrote something else.
const KNOWN: &str = "ttft_ms=N, delay_ms=N, tokens_per_second=N, tokens=N, \
    fault=429|500|<any status from 400>|slow|stall|cut|malformed|json_error|context_window|tools|no_usage, cut=role, \
    after=N, retry_after=SECONDS, times=N, once, context_window[=N], tools, describe, reasoning=N, redacted, \
    args=pieces|whole|end, calls=interleaved|empty|after_text|no_ids, refuse, filter[=prompt], length, stop_sequence, \
    usage=counted|random|none, cached=N, cache_write=N, strict_state, tag=TEXT";

/// No answer waits longer for its first byte, and no event for the one before.
const WAIT_MS_MAX: u64 = 3_600_000;

/// Token counts larger than this would be mistaken for broken ones.
const CACHED_MAX: u32 = 10_000_000;

/// Thoughts are for show; nobody needs long ones.
const REASONING_MAX: u32 = 1000;

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
    /// `self` with everything `words` says; words are set apart by commas or white space, and may be spelled with
    /// hyphens as well.
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

    /// Takes one word in; `true` when it named a fault.
    fn apply(&mut self, word: &str) -> Result<bool, DirectiveError> {
        let spelled = if word.contains('-') {
            Cow::Owned(word.replace('-', "_"))
        } else {
            Cow::Borrowed(word)
        };
        let (name, value) = spelled.split_once('=').unwrap_or((&spelled, ""));
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
            "once" if value.is_empty() => self.times = Some(1),
            "usage" => self.usage = usage_mode(name, value)?,
            "cached" => self.cached = number(name, value, 0..=CACHED_MAX)?,
            "cache_write" => self.cache_write = number(name, value, 0..=CACHED_MAX)?,
            "strict_state" if value.is_empty() => self.strict_state = true,
            // Tells two requests apart that would otherwise share one count of `times`.
            "tag" => {}
            "cut" if value == "role" => return Ok(self.fail_with(Fault::CutAfterRole)),
            "fault" => return self.apply_fault(value),
            "context_window" if value.is_empty() => {
                return Ok(self.fail_with(Fault::ContextWindow));
            }
            "context_window" => self.context_window = Some(number(name, value, 1..=u64::MAX)?),
            _ => return self.apply_content(name, value, word),
        }
        Ok(false)
    }

    /// The words that say what the answer says, and how it ends.
    fn apply_content(
        &mut self,
        name: &str,
        value: &str,
        word: &str,
    ) -> Result<bool, DirectiveError> {
        match (name, value) {
            ("tools", "") => self.content.tools = true,
            ("describe", "") => self.content.describe = true,
            ("redacted", "") => self.content.redacted = true,
            ("reasoning", _) => self.content.reasoning = number(name, value, 0..=REASONING_MAX)?,
            ("refuse", "") => self.finish = Some(Finish::Refuse),
            ("filter", "") => self.finish = Some(Finish::Filter),
            ("filter", "prompt") => self.finish = Some(Finish::FilterPrompt),
            ("length", "") => self.finish = Some(Finish::Length),
            ("stop_sequence", "") => self.finish = Some(Finish::StopSequence),
            ("args", "pieces") => self.calls.arguments = Arguments::Pieces,
            ("args", "whole") => self.calls.arguments = Arguments::Whole,
            ("args", "end") => self.calls.arguments = Arguments::End,
            ("calls", "interleaved") => self.calls.interleaved = true,
            ("calls", "empty") => self.calls.empty = true,
            ("calls", "after_text") => self.calls.after_text = true,
            ("calls", "no_ids") => self.calls.without_ids = true,
            _ => return Err(DirectiveError::UnknownWord { word: word.into() }),
        }
        Ok(false)
    }

    fn apply_fault(&mut self, value: &str) -> Result<bool, DirectiveError> {
        let fault = match value {
            "slow" => Fault::Slow,
            "stall" => Fault::Stall,
            "cut" => Fault::Cut,
            "cut_after_role" => Fault::CutAfterRole,
            "malformed" => Fault::Malformed,
            "json_error" => Fault::JsonError,
            "context_window" => Fault::ContextWindow,
            "tools" => {
                self.content.tools = true;
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
                        expected: "a status from 400 to 599, slow, stall, cut, cut_after_role, malformed, json_error, \
                            context_window, tools or no_usage"
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
