//! A GenerateContentResponse, whole or in chunks.

use serde_json::{Value, json};

use super::state::vouched;
use crate::simulator::{
    calls::ToolCall,
    dialects::{
        Identity,
        events::{Events, Framing},
    },
    reply::{Reply, Stopped},
    state::{Kind, Tag, seal},
    stats::Usage,
};

/// One answer, how many times it is given, and whether its thoughts are shown.
#[derive(Clone, Copy)]
pub(super) struct Answer<'a> {
    pub(super) reply: &'a Reply,
    pub(super) identity: Identity<'a>,
    pub(super) candidates: u32,
    pub(super) thoughts: bool,
    /// Of all candidates.
    pub(super) usage: Option<Usage>,
}

impl Answer<'_> {
    pub(super) fn whole(&self) -> Value {
        if self.reply.stopped == Stopped::PromptFilter {
            return self.blocked();
        }
        let mut parts = Vec::new();
        let thought = self.shown_thought();
        if !thought.is_empty() {
            parts.push(json!({"text": thought.concat(), "thought": true}));
        }
        if !self.reply.text.is_empty() {
            parts.push(self.sign_text(json!({"text": self.reply.text.concat()})));
        }
        parts.extend(self.calls());
        self.response(&parts, true)
    }

    /// One chunk for each piece.
    pub(super) fn stream(&self, framing: Framing) -> Events {
        let mut events = Events::framed(framing);
        if self.reply.stopped == Stopped::PromptFilter {
            events.step();
            events.data(&self.blocked());
        } else {
            events.data(&self.response(&[json!({"text": ""})], false));
            events.step();
            for piece in self.shown_thought() {
                let part = json!({"text": piece, "thought": true});
                events.data(&self.response(&[part], false));
                events.step();
            }
            let silent = self.reply.stopped == Stopped::Refusal;
            for piece in self.reply.text.iter().filter(|_| !silent) {
                events.data(&self.response(&[json!({"text": piece})], false));
                events.step();
            }
            for part in self.calls() {
                events.data(&self.response(&[part], false));
                events.step();
            }
            // A signature may come alone, behind all the text.
            let last = self.sign_text(json!({"text": ""}));
            events.data(&self.response(&[last], true));
        }
        events.close();
        events.step();
        events
    }

    fn shown_thought(&self) -> &[String] {
        if self.thoughts && !self.reply.redacted {
            &self.reply.thought
        } else {
            &[]
        }
    }

    /// Where there are no calls, the signature stands on the text.
    fn sign_text(&self, mut part: Value) -> Value {
        if let (Some(tag), []) = (
            self.reply.tag(self.identity.id),
            self.reply.calls.as_slice(),
        ) {
            part["thoughtSignature"] = seal(Kind::Text, "", tag).into();
        }
        part
    }

    fn calls(&self) -> Vec<Value> {
        let calls = self.reply.calls.iter().enumerate();
        calls.map(|(index, call)| self.call(index, call)).collect()
    }

    /// Of parallel calls, the first has the signature.
    fn call(&self, index: usize, call: &ToolCall) -> Value {
        let args: Value = serde_json::from_str(&call.arguments()).unwrap_or_else(|_| json!({}));
        let tag = self.reply.tag(self.identity.id).filter(|_| index == 0);
        let mut function_call = json!({"name": call.name, "args": args});
        if !self.reply.form.without_ids {
            let number = self
                .identity
                .id
                .wrapping_add(u64::try_from(index).unwrap_or_default());
            let mark = tag.map(Tag::mark).unwrap_or_default();
            function_call["id"] = format!("fc-{number:016x}{mark}").into();
        }
        let mut part = json!({"functionCall": function_call});
        if let Some(tag) = tag {
            let subject = vouched(&call.name, &args);
            part["thoughtSignature"] = seal(Kind::Call, &subject, tag).into();
        }
        part
    }

    /// A response with `parts`, the `last` of its stream or the only one.
    fn response(&self, parts: &[Value], last: bool) -> Value {
        let finish = finish_reason(&self.reply.stopped);
        let refused = last && self.reply.stopped == Stopped::Refusal;
        let candidate = |index: u32| {
            let mut candidate = json!({"index": index});
            if !refused {
                candidate["content"] = json!({"parts": parts, "role": "model"});
            }
            if last {
                candidate["finishReason"] = finish.into();
            }
            if refused {
                candidate["safetyRatings"] = ratings(true);
            }
            candidate
        };
        let candidates: Vec<Value> = (0..self.candidates).map(candidate).collect();
        let mut response = json!({"candidates": candidates});
        if let Some(usage) = self.usage {
            response["usageMetadata"] = self.usage_metadata(usage, last);
        }
        self.signed(response)
    }

    /// There is no candidate for a prompt that was blocked.
    fn blocked(&self) -> Value {
        let mut response = json!({
            "promptFeedback": {"blockReason": "PROHIBITED_CONTENT", "safetyRatings": ratings(true)},
        });
        if let Some(usage) = self.usage {
            response["usageMetadata"] = self.usage_metadata(usage, false);
        }
        self.signed(response)
    }

    fn signed(&self, mut response: Value) -> Value {
        response["modelVersion"] = self.identity.model.into();
        response["responseId"] = format!("{:016x}", self.identity.id).into();
        response
    }

    /// What was thought is told apart from what was said. Only the last chunk knows either.
    fn usage_metadata(&self, usage: Usage, last: bool) -> Value {
        let mut told = json!({
            "promptTokenCount": usage.input,
            "totalTokenCount": usage.input,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": usage.input}],
        });
        if usage.cached > 0 {
            told["cachedContentTokenCount"] = usage.cached.into();
            told["cacheTokensDetails"] = json!([{"modality": "TEXT", "tokenCount": usage.cached}]);
        }
        if last {
            told["candidatesTokenCount"] = usage.output.saturating_sub(usage.reasoning).into();
            told["totalTokenCount"] = (usage.input + usage.output).into();
            if usage.reasoning > 0 {
                told["thoughtsTokenCount"] = usage.reasoning.into();
            }
        }
        told
    }
}

fn finish_reason(stopped: &Stopped) -> &'static str {
    match stopped {
        Stopped::End | Stopped::Sequence(_) | Stopped::Calls => "STOP",
        Stopped::Limit => "MAX_TOKENS",
        Stopped::Refusal => "SAFETY",
        Stopped::Filter | Stopped::PromptFilter => "PROHIBITED_CONTENT",
    }
}

fn ratings(blocked: bool) -> Value {
    json!([{"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "probability": "HIGH", "blocked": blocked}])
}
