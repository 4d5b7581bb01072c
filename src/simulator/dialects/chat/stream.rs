//! A chat stream: the same chunks for every choice.

use super::wire::{
    CallField, Chunk, Delta, PromptFilterResults, StreamChoice, UsageField, call_id,
    prompt_filter_results,
};
use crate::simulator::{
    dialects::{CREATED_UNIX, Identity, events::Events},
    reply::{Reply, Stopped},
    stats::Usage,
};

/// A stream while it is written.
pub(super) struct Stream<'a> {
    pub(super) events: Events,
    id: String,
    identity: Identity<'a>,
    choices: u32,
    include_usage: bool,
    /// Every delta without a call says so (`calls=empty`).
    empty_calls: bool,
}

impl<'a> Stream<'a> {
    pub(super) fn new(identity: Identity<'a>, choices: u32, include_usage: bool) -> Self {
        Self {
            events: Events::default(),
            id: format!("chatcmpl-{:016x}", identity.id),
            identity,
            choices,
            include_usage,
            empty_calls: false,
        }
    }

    /// Azure's first chunk: what its filters think of the prompt, and no choice.
    pub(super) fn filter_prompt(&mut self) {
        let results: [PromptFilterResults; 1] = prompt_filter_results();
        self.events.data(&serde_json::json!({
            "id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": results,
        }));
    }

    pub(super) fn answer(&mut self, reply: &Reply) {
        self.empty_calls = reply.form.empty;
        let mut role = Delta {
            role: Some("assistant"),
            content: Some(None),
            ..Delta::default()
        };
        if reply.calls.is_empty() || !reply.text.is_empty() {
            role.content = Some(Some(""));
            role.refusal = Some(None);
        }
        self.chunk(role, None);
        self.events.step();
        for piece in reply.thought.iter().filter(|_| !reply.redacted) {
            self.chunk_step(Delta {
                reasoning_content: Some(piece),
                ..Delta::default()
            });
        }
        let refused = reply.stopped == Stopped::Refusal;
        for piece in &reply.text {
            self.chunk_step(if refused {
                Delta {
                    refusal: Some(Some(piece)),
                    ..Delta::default()
                }
            } else {
                Delta {
                    content: Some(Some(piece)),
                    ..Delta::default()
                }
            });
        }
        self.calls(reply);
    }

    /// Each call is announced by its id and name.
    fn calls(&mut self, reply: &Reply) {
        for step in reply.call_steps(true) {
            let call = &reply.calls[step.call];
            let index = u64::try_from(step.call).unwrap_or_default();
            let piece = step.piece.as_deref();
            let field = if step.begins {
                let id = call_id(index, self.identity);
                CallField::announcing(index, (id, call), piece.unwrap_or_default())
            } else {
                CallField::continuing(index, call, piece.unwrap_or_default())
            };
            self.chunk(Delta::calling(&[field]), None);
            if piece.is_some() {
                self.events.step();
            }
        }
    }

    pub(super) fn finish(&mut self, finish_reason: &'static str, usage: Option<Usage>) {
        self.chunk(Delta::default(), Some(finish_reason));
        if let Some(usage) = usage {
            self.write(&[], Some(Some(usage.into())));
        }
        self.events.bytes.extend_from_slice(b"data: [DONE]\n\n");
        self.events.step();
    }

    fn chunk_step(&mut self, delta: Delta<'_>) {
        self.chunk(delta, None);
        self.events.step();
    }

    /// The same delta for each choice.
    fn chunk(&mut self, mut delta: Delta<'_>, finish_reason: Option<&'static str>) {
        if self.empty_calls && delta.tool_calls.is_none() {
            delta.tool_calls = Some(&[]);
        }
        for index in 0..self.choices {
            let choice = StreamChoice {
                index,
                delta: &delta,
                logprobs: None,
                finish_reason,
            };
            self.write(&[choice], self.include_usage.then_some(None));
        }
    }

    fn write(&mut self, choices: &[StreamChoice<'_>], usage: Option<Option<UsageField>>) {
        self.events.data(&Chunk {
            id: &self.id,
            object: "chat.completion.chunk",
            created: CREATED_UNIX,
            model: self.identity.model,
            service_tier: "default",
            system_fingerprint: "fp_simulator",
            choices,
            usage,
        });
    }
}
