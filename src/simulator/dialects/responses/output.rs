//! The output items of a response, and their ids.

use serde_json::{Value, json};

use crate::simulator::{
    calls::ToolCall,
    dialects::Identity,
    reply::{Reply, Stopped},
    state::{Kind, Tag, seal},
};

/// The items of one answer, in the order they are given out.
pub(super) struct Output<'a> {
    pub(super) reply: &'a Reply,
    pub(super) identity: Identity<'a>,
    /// The thoughts are summed up for the client.
    pub(super) summary: bool,
}

impl Output<'_> {
    pub(super) fn has_reasoning(&self) -> bool {
        !self.reply.thought.is_empty()
    }

    /// An answer without calls always has a message, if an empty one.
    pub(super) fn has_message(&self) -> bool {
        !self.reply.text.is_empty() || self.reply.calls.is_empty()
    }

    /// Where the calls begin.
    pub(super) fn first_call(&self) -> usize {
        usize::from(self.has_reasoning()) + usize::from(self.has_message())
    }

    /// All items, finished.
    pub(super) fn items(&self) -> Vec<Value> {
        let mut items = Vec::new();
        if self.has_reasoning() {
            items.push(self.reasoning(true));
        }
        if self.has_message() {
            let content = self.part(&self.reply.text.concat());
            items.push(self.message(self.status(), &[content]));
        }
        let calls = self.reply.calls.iter().enumerate();
        items.extend(calls.map(|(index, call)| self.call(index, call, true)));
        items
    }

    pub(super) fn status(&self) -> &'static str {
        status(&self.reply.stopped)
    }

    /// The thoughts, as far as they are shown.
    pub(super) fn shown_thought(&self) -> &[String] {
        if self.summary && !self.reply.redacted {
            &self.reply.thought
        } else {
            &[]
        }
    }

    pub(super) fn reasoning_id(&self) -> String {
        format!("rs_{:016x}", self.identity.id)
    }

    /// The reasoning item; while it is in progress, its summary is still to come.
    pub(super) fn reasoning(&self, done: bool) -> Value {
        let shown = self.shown_thought();
        let summary = match (done, shown) {
            (true, [_, ..]) => vec![summary_part(&shown.concat())],
            _ => Vec::new(),
        };
        let mut item = json!({"id": self.reasoning_id(), "type": "reasoning", "summary": summary});
        if done {
            let sealed = seal(Kind::Encrypted, "", Tag::of(self.identity.id));
            item["encrypted_content"] = sealed.into();
        }
        item
    }

    pub(super) fn message_id(&self) -> String {
        format!("msg_{:016x}", self.identity.id)
    }

    pub(super) fn message(&self, status: &str, content: &[Value]) -> Value {
        json!({
            "id": self.message_id(), "type": "message", "status": status, "content": content, "role": "assistant",
        })
    }

    /// The message's one part.
    pub(super) fn part(&self, text: &str) -> Value {
        if self.is_refusal() {
            json!({"type": "refusal", "refusal": text})
        } else {
            json!({"type": "output_text", "annotations": [], "logprobs": [], "text": text})
        }
    }

    pub(super) fn is_refusal(&self) -> bool {
        self.reply.stopped == Stopped::Refusal
    }

    pub(super) fn call_item_id(&self, index: usize) -> String {
        let prefix = match self.reply.calls.get(index) {
            Some(call) if call.custom => "ctc",
            _ => "fc",
        };
        format!("{prefix}_{:016x}", self.number(index))
    }

    /// A call as an output item; while it is in progress, its arguments are still to come.
    pub(super) fn call(&self, index: usize, call: &ToolCall, done: bool) -> Value {
        let text = if done {
            call.arguments()
        } else {
            String::new()
        };
        let mark = self.reply.tag(self.identity.id).map(Tag::mark);
        let call_id = format!(
            "call_{:016x}{}",
            self.number(index),
            mark.unwrap_or_default()
        );
        let id = self.call_item_id(index);
        let status = if done { "completed" } else { "in_progress" };
        if call.custom {
            json!({"id": id, "type": "custom_tool_call", "call_id": call_id, "name": call.name, "input": text})
        } else {
            json!({"id": id, "type": "function_call", "status": status, "arguments": text, "call_id": call_id, "name": call.name})
        }
    }

    fn number(&self, index: usize) -> u64 {
        let index = u64::try_from(index).unwrap_or_default();
        self.identity.id.wrapping_add(index)
    }
}

pub(super) fn status(stopped: &Stopped) -> &'static str {
    match stopped {
        Stopped::Limit | Stopped::Filter | Stopped::PromptFilter => "incomplete",
        Stopped::End | Stopped::Sequence(_) | Stopped::Calls | Stopped::Refusal => "completed",
    }
}

/// Why a response is incomplete.
pub(super) fn incomplete_details(stopped: &Stopped) -> Value {
    match stopped {
        Stopped::Limit => json!({"reason": "max_output_tokens"}),
        Stopped::Filter | Stopped::PromptFilter => json!({"reason": "content_filter"}),
        Stopped::End | Stopped::Sequence(_) | Stopped::Calls | Stopped::Refusal => Value::Null,
    }
}

pub(super) fn summary_part(text: &str) -> Value {
    json!({"type": "summary_text", "text": text})
}
