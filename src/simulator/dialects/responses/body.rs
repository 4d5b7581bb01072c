//! The response object: what was asked, repeated, and how far the answer has come.

use serde_json::{Value, json};

use super::{
    Request,
    output::{incomplete_details, status},
};
use crate::simulator::{
    dialects::{CREATED_UNIX, Identity},
    reply::Reply,
    stats::Usage,
};

impl Request {
    /// The finished response.
    pub(super) fn ended(&self, reply: &Reply, identity: Identity<'_>) -> Value {
        let progress = Progress {
            status: status(&reply.stopped),
            incomplete_details: incomplete_details(&reply.stopped),
            output: self.output(reply, identity).items(),
            usage: reply.usage,
        };
        self.response(identity, &progress)
    }

    /// The response as far as `progress`.
    pub(super) fn response(&self, identity: Identity<'_>, progress: &Progress) -> Value {
        let format = self.text.format.clone();
        json!({
            "id": format!("resp_{:016x}", identity.id),
            "object": "response",
            "created_at": CREATED_UNIX,
            "status": progress.status,
            "background": false,
            "error": null,
            "incomplete_details": progress.incomplete_details,
            "instructions": self.instructions,
            "max_output_tokens": self.max_output_tokens,
            "max_tool_calls": null,
            "metadata": self.metadata,
            "model": identity.model,
            "output": progress.output,
            "parallel_tool_calls": self.parallel_tool_calls.unwrap_or(true),
            "previous_response_id": self.previous_response_id,
            "reasoning": {"effort": self.reasoning.effort, "summary": self.reasoning.summary},
            "service_tier": "default",
            "store": self.store.unwrap_or(true),
            "temperature": self.temperature.unwrap_or(1.0),
            "text": {"format": format.unwrap_or_else(|| json!({"type": "text"})), "verbosity": "medium"},
            "tool_choice": self.tool_choice.clone().unwrap_or_else(|| "auto".into()),
            "tools": self.tools,
            "top_logprobs": 0,
            "top_p": self.top_p.unwrap_or(1.0),
            "truncation": "disabled",
            "usage": progress.usage.map(usage_field),
            "user": null,
        })
    }
}

/// How far a response has come.
pub(super) struct Progress {
    status: &'static str,
    incomplete_details: Value,
    output: Vec<Value>,
    usage: Option<Usage>,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            status: "in_progress",
            incomplete_details: Value::Null,
            output: Vec::new(),
            usage: None,
        }
    }
}

fn usage_field(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": usage.cache_write},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input + usage.output,
    })
}
