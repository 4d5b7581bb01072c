//! A message: its blocks, its reason to stop, its usage.

use serde_json::{Map, Value, json};

use crate::simulator::{
    calls::ToolCall,
    dialects::Identity,
    reply::{Reply, Stopped},
    state::{Kind, Tag, seal},
    stats::Usage,
};

/// One answer, and how its thoughts are shown.
#[derive(Clone, Copy)]
pub(super) struct Answer<'a> {
    pub(super) reply: &'a Reply,
    pub(super) identity: Identity<'a>,
    /// The thoughts are signed, but empty.
    pub(super) omitted: bool,
}

impl Answer<'_> {
    pub(super) fn whole(&self) -> Value {
        let mut message = self.message(&self.blocks());
        let (reason, sequence) = self.stop();
        message["stop_reason"] = reason.into();
        message["stop_sequence"] = sequence.into();
        if let Some(details) = self.stop_details() {
            message["stop_details"] = details;
        }
        if let Some(usage) = self.reply.usage {
            message["usage"] = usage_field(usage);
        }
        message
    }

    /// The message around `content`, not stopped yet.
    pub(super) fn message(&self, content: &[Value]) -> Value {
        json!({
            "id": format!("msg_{:016x}", self.identity.id),
            "type": "message",
            "role": "assistant",
            "model": self.identity.model,
            "content": content,
            "stop_reason": null,
            "stop_sequence": null,
        })
    }

    fn blocks(&self) -> Vec<Value> {
        let mut blocks = Vec::new();
        if self.has_thinking() {
            blocks.push(self.thinking(&self.shown_thought().concat(), &self.signature()));
        }
        if self.has_redacted() {
            blocks.push(self.redacted());
        }
        if !self.reply.text.is_empty() {
            blocks.push(json!({"type": "text", "text": self.reply.text.concat()}));
        }
        for (index, call) in self.reply.calls.iter().enumerate() {
            let input = serde_json::from_str(&call.arguments()).unwrap_or_default();
            blocks.push(self.tool_use(index, call, input));
        }
        blocks
    }

    pub(super) fn has_thinking(&self) -> bool {
        !self.reply.thought.is_empty() && !self.reply.redacted
    }

    pub(super) fn has_redacted(&self) -> bool {
        !self.reply.thought.is_empty() && self.reply.redacted
    }

    pub(super) fn shown_thought(&self) -> &[String] {
        if self.omitted {
            &[]
        } else {
            &self.reply.thought
        }
    }

    pub(super) fn signature(&self) -> String {
        let tag = Tag::of(self.identity.id);
        seal(Kind::Thinking, &self.shown_thought().concat(), tag)
    }

    pub(super) fn thinking(&self, text: &str, signature: &str) -> Value {
        json!({"type": "thinking", "thinking": text, "signature": signature})
    }

    pub(super) fn redacted(&self) -> Value {
        let data = seal(Kind::Redacted, "", Tag::of(self.identity.id));
        json!({"type": "redacted_thinking", "data": data})
    }

    pub(super) fn tool_use(
        &self,
        index: usize,
        call: &ToolCall,
        input: Map<String, Value>,
    ) -> Value {
        let index = u64::try_from(index).unwrap_or_default();
        let number = self.identity.id.wrapping_add(index);
        let mark = self.reply.tag(self.identity.id).map(Tag::mark);
        let id = format!("toolu_{number:016x}{}", mark.unwrap_or_default());
        json!({"type": "tool_use", "id": id, "name": call.name, "input": input})
    }

    /// Why the message ends, and with which stop sequence.
    pub(super) fn stop(&self) -> (&'static str, Option<&str>) {
        match &self.reply.stopped {
            Stopped::End | Stopped::Sequence(None) => ("end_turn", None),
            Stopped::Sequence(Some(sequence)) => ("stop_sequence", Some(sequence)),
            Stopped::Limit => ("max_tokens", None),
            Stopped::Calls => ("tool_use", None),
            Stopped::Refusal | Stopped::Filter | Stopped::PromptFilter => ("refusal", None),
        }
    }

    pub(super) fn stop_details(&self) -> Option<Value> {
        let (reason, _) = self.stop();
        (reason == "refusal").then(|| {
            json!({"type": "refusal", "category": "general_harms", "explanation": "The simulated model refused."})
        })
    }
}

/// What the cache gave and took is told apart from the input.
pub(super) fn usage_field(usage: Usage) -> Value {
    let fresh = usage
        .input
        .saturating_sub(usage.cached)
        .saturating_sub(usage.cache_write);
    json!({
        "input_tokens": fresh,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cached,
        "cache_creation": {"ephemeral_5m_input_tokens": usage.cache_write, "ephemeral_1h_input_tokens": 0},
        "output_tokens": usage.output,
        "output_tokens_details": {"thinking_tokens": usage.reasoning},
        "service_tier": "standard",
    })
}
