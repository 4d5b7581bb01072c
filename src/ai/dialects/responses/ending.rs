//! How a response ends, in the words of this dialect in both directions: complete, incomplete for a reason, or failed.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::ai::conversation::{Finish, Part};
use crate::ai::dialects::{error, usage::Usage};
use crate::error::{ErrorKind, RequestError};

/// A response object, as far as it is read.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Response {
    #[serde(default)]
    pub(super) id: Option<String>,
    #[serde(default)]
    pub(super) model: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    pub(super) output: Option<Vec<Value>>,
    #[serde(default)]
    usage: Option<Value>,
    #[serde(default)]
    pub(super) error: Option<Value>,
    #[serde(default)]
    incomplete_details: Option<IncompleteDetails>,
}

#[derive(Debug, Deserialize)]
struct IncompleteDetails {
    #[serde(default)]
    reason: Option<String>,
}

/// What kinds of output an answer holds, as far as that decides how it ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) call: bool,
    pub(super) text: bool,
    pub(super) refusal: bool,
}

impl Response {
    /// The failure it reports, if it is one.
    pub(super) fn failure(&self) -> Option<RequestError> {
        let fault = self.error.as_ref().filter(|error| !error.is_null());
        let failed = matches!(self.status.as_deref(), Some("failed" | "cancelled"));
        (failed || (fault.is_some() && self.output.is_none())).then(|| reported(fault))
    }

    /// With the status that its event tells, where it does not say so itself.
    pub(super) fn with_status(mut self, status: &str) -> Self {
        self.status.get_or_insert_with(|| status.to_owned());
        self
    }

    /// Whether it is still being made, which only an answer that was not asked for can be.
    pub(super) fn is_pending(&self) -> bool {
        matches!(self.status.as_deref(), Some("in_progress" | "queued"))
    }

    pub(super) fn tokens(&self) -> Option<ferrogate_api::Tokens> {
        // A usage object that cannot be read costs the counts, not the answer.
        Usage::deserialize(self.usage.as_ref()?).ok()?.tokens()
    }

    pub(super) fn finish(&self, held: Held) -> Finish {
        let reason = self.incomplete_details.as_ref();
        let reason = reason.and_then(|details| details.reason.as_deref());
        match self.status.as_deref() {
            Some("incomplete") => incomplete_finish(reason),
            // Some servers name a reason and forget the status.
            None if reason.is_some() => incomplete_finish(reason),
            _ if held.call => Finish::ToolCalls,
            _ if held.refusal && !held.text => Finish::Refusal,
            _ => Finish::Stop,
        }
    }
}

/// One row a reason that an incomplete response can have.
const REASONS: [(&str, Finish); 2] = [
    ("max_output_tokens", Finish::Length),
    ("content_filter", Finish::ContentFilter),
];

fn incomplete_finish(reason: Option<&str>) -> Finish {
    let known = REASONS.iter().find(|(word, _)| Some(*word) == reason);
    match (known, reason) {
        (Some((_, finish)), _) => finish.clone(),
        (None, Some(other)) => Finish::Other(other.to_owned()),
        // The dialect's own ceiling is by far the most frequent one.
        (None, None) => Finish::Length,
    }
}

/// The ending of an answer that holds `parts`. A model that declines says so in a refusal; where there is none, only a
/// filter tells the client why it got nothing, or not all.
pub(super) fn shown<'f>(finish: &'f Finish, parts: &[Part]) -> &'f Finish {
    let has_words = || parts.iter().any(|part| matches!(part, Part::Refusal(_)));
    match finish {
        Finish::Refusal if !has_words() => &Finish::ContentFilter,
        finish => finish,
    }
}

/// Why a response is incomplete; `None` where it is complete.
pub(super) fn incomplete_reason(finish: &Finish) -> Option<&str> {
    match finish {
        Finish::Length | Finish::ContextWindow => Some("max_output_tokens"),
        Finish::ContentFilter => Some("content_filter"),
        // The two words that only this dialect has.
        Finish::Other(word) if matches!(&**word, "max_messages" | "steered") => Some(word),
        Finish::Stop
        | Finish::StopSequence(_)
        | Finish::ToolCalls
        | Finish::Refusal
        | Finish::Other(_) => None,
    }
}

/// `provider_protocol_error`: `what` is not what this API promises.
pub(super) fn protocol_error(what: &str) -> RequestError {
    RequestError::new(
        ErrorKind::ProviderProtocolError,
        format!("The provider's {what} is not one of the responses API."),
    )
}

/// A failure as an error object of a response or of a stream tells it, under the status that its code would have had.
pub(super) fn reported(fault: Option<&Value>) -> RequestError {
    let field = |name: &str| fault.and_then(|fault| fault.get(name));
    let code = match field("code") {
        Some(Value::Number(code)) => Some(code.to_string()),
        code => code.and_then(Value::as_str).map(str::to_owned),
    };
    let message = field("message").or(fault).and_then(Value::as_str);
    failure(
        code.as_deref().map_or(502, status_of),
        code.as_deref(),
        message,
    )
}

/// The status that OpenAI answers with when it refuses for such a reason before the answer has begun.
fn status_of(code: &str) -> u16 {
    match code {
        "rate_limit_exceeded" | "insufficient_quota" => 429,
        "context_length_exceeded"
        | "data_residency_mismatch"
        | "bio_policy"
        | "misalignment_policy_violation"
        | "empty_image_file"
        | "failed_to_download_image"
        | "unsupported_image_media_type" => 400,
        _ if code.starts_with("invalid_") || code.starts_with("image_") => 400,
        _ => 502,
    }
}

/// A provider's failure in its own words.
pub(super) fn failure(status: u16, code: Option<&str>, message: Option<&str>) -> RequestError {
    let envelope = json!({"error": {
        "message": message.unwrap_or("The provider's response failed."),
        "code": code,
    }});
    error::provider_error("", status, envelope.to_string().as_bytes(), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ending_has_its_words_in_both_directions() {
        let check = |response: Value, held: Held, expected: Finish| {
            let read: Response = serde_json::from_value(response.clone()).unwrap();
            assert_eq!(read.finish(held), expected, "{response}");
        };
        let none = Held::default();
        let call = Held { call: true, ..none };
        let refusal = Held {
            refusal: true,
            ..none
        };
        let both = Held {
            text: true,
            ..refusal
        };
        check(json!({"status": "completed"}), none, Finish::Stop);
        check(json!({}), none, Finish::Stop);
        check(json!({"status": "completed"}), call, Finish::ToolCalls);
        check(json!({"status": "completed"}), refusal, Finish::Refusal);
        check(json!({"status": "completed"}), both, Finish::Stop);
        let incomplete =
            |reason| json!({"status": "incomplete", "incomplete_details": {"reason": reason}});
        check(incomplete("max_output_tokens"), call, Finish::Length);
        check(incomplete("content_filter"), none, Finish::ContentFilter);
        check(
            incomplete("max_messages"),
            none,
            Finish::Other("max_messages".into()),
        );
        check(
            json!({"status": "incomplete", "incomplete_details": null}),
            none,
            Finish::Length,
        );
        check(
            json!({"incomplete_details": {"reason": "max_output_tokens"}}),
            none,
            Finish::Length,
        );

        let check = |finish: Finish, expected| {
            assert_eq!(incomplete_reason(&finish), expected, "{finish:?}");
        };
        check(Finish::Stop, None);
        check(Finish::StopSequence(Some("x".into())), None);
        check(Finish::ToolCalls, None);
        check(Finish::Refusal, None);
        check(Finish::Length, Some("max_output_tokens"));
        check(Finish::ContextWindow, Some("max_output_tokens"));
        check(Finish::ContentFilter, Some("content_filter"));
        check(Finish::Other("steered".into()), Some("steered"));
        check(Finish::Other("pause_turn".into()), None);
    }

    #[test]
    fn a_refusal_without_words_is_a_filters() {
        let refusal = [Part::Text("a".into()), Part::Refusal("no".into())];
        assert_eq!(shown(&Finish::Refusal, &refusal), &Finish::Refusal);
        assert_eq!(
            shown(&Finish::Refusal, &refusal[..1]),
            &Finish::ContentFilter
        );
        assert_eq!(shown(&Finish::Refusal, &[]), &Finish::ContentFilter);
        assert_eq!(shown(&Finish::Stop, &[]), &Finish::Stop);
    }

    #[test]
    fn a_reported_failure_keeps_its_words_and_gets_the_status_of_its_code() {
        let check = |fault: Value, status: u16, message: &str| {
            let error = reported(Some(&fault));
            assert_eq!(
                (error.status(), &*error.message),
                (status, message),
                "{fault}"
            );
        };
        check(
            json!({"code": "rate_limit_exceeded", "message": "slow"}),
            429,
            "slow",
        );
        check(
            json!({"code": "invalid_prompt", "message": "no"}),
            400,
            "no",
        );
        check(
            json!({"code": "image_parse_error", "message": "no"}),
            400,
            "no",
        );
        check(
            json!({"code": "server_error", "message": "boom"}),
            502,
            "boom",
        );
        check(json!({"code": 7, "message": "boom"}), 502, "boom");
        check(json!("boom"), 502, "boom");
        check(json!({}), 502, "The provider's response failed.");
        assert_eq!(reported(None).status(), 502);
    }
}
