//! Why a model stopped, in Gemini's words. <https://ai.google.dev/api/generate-content#FinishReason>

use crate::ai::conversation::Finish;

pub(super) const STOP: &str = "STOP";
pub(super) const MALFORMED_FUNCTION_CALL: &str = "MALFORMED_FUNCTION_CALL";

/// What a provider's word means; `None` for the word that says that it has not stopped. There is no word of its own
/// for an answer that ends in calls: `called` says whether this one does.
pub(super) fn read(word: &str, called: bool) -> Option<Finish> {
    Some(match word {
        "" | "FINISH_REASON_UNSPECIFIED" => return None,
        STOP if called => Finish::ToolCalls,
        STOP => Finish::Stop,
        // The second one stops a turn that a later request could go on with.
        "MAX_TOKENS" | "CONTINUATION" => Finish::Length,
        "SAFETY"
        | "RECITATION"
        | "LANGUAGE"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "ESCALATION"
        | "MODEL_ARMOR"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => Finish::ContentFilter,
        other => Finish::Other(other.to_owned()),
    })
}

/// The word for a client.
pub(super) fn write(finish: &Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::StopSequence(_) | Finish::ToolCalls | Finish::Other(_) => STOP,
        Finish::Length | Finish::ContextWindow => "MAX_TOKENS",
        // A model that declines is the nearest to a filter that this dialect has.
        Finish::ContentFilter | Finish::Refusal => "SAFETY",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_has_its_meaning() {
        let other = |word: &str| Some(Finish::Other(word.into()));
        for (word, called, expected) in [
            ("STOP", false, Some(Finish::Stop)),
            ("STOP", true, Some(Finish::ToolCalls)),
            ("MAX_TOKENS", true, Some(Finish::Length)),
            ("CONTINUATION", false, Some(Finish::Length)),
            ("SAFETY", false, Some(Finish::ContentFilter)),
            ("RECITATION", false, Some(Finish::ContentFilter)),
            ("LANGUAGE", false, Some(Finish::ContentFilter)),
            ("BLOCKLIST", false, Some(Finish::ContentFilter)),
            ("PROHIBITED_CONTENT", false, Some(Finish::ContentFilter)),
            ("SPII", false, Some(Finish::ContentFilter)),
            ("ESCALATION", false, Some(Finish::ContentFilter)),
            ("MODEL_ARMOR", false, Some(Finish::ContentFilter)),
            ("IMAGE_SAFETY", false, Some(Finish::ContentFilter)),
            (
                "IMAGE_PROHIBITED_CONTENT",
                false,
                Some(Finish::ContentFilter),
            ),
            ("IMAGE_RECITATION", false, Some(Finish::ContentFilter)),
            (
                "MALFORMED_FUNCTION_CALL",
                false,
                other("MALFORMED_FUNCTION_CALL"),
            ),
            ("OTHER", false, other("OTHER")),
            ("A_WORD_OF_TOMORROW", true, other("A_WORD_OF_TOMORROW")),
            ("FINISH_REASON_UNSPECIFIED", false, None),
            ("", false, None),
        ] {
            assert_eq!(read(word, called), expected, "{word}");
        }
    }

    #[test]
    fn every_finish_has_its_word() {
        for (finish, word) in [
            (Finish::Stop, "STOP"),
            (Finish::StopSequence(Some("x".into())), "STOP"),
            (Finish::ToolCalls, "STOP"),
            (Finish::Other("pause_turn".into()), "STOP"),
            (Finish::Length, "MAX_TOKENS"),
            (Finish::ContextWindow, "MAX_TOKENS"),
            (Finish::ContentFilter, "SAFETY"),
            (Finish::Refusal, "SAFETY"),
        ] {
            assert_eq!(write(&finish), word, "{finish:?}");
        }
    }
}
