//! One request on its way to whoever may answer it: written anew for each candidate, in the dialect that it speaks.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;

use super::conversation::Conversation;
use super::dialects::{
    AnswerContext, Dialect, Passing, StreamReader, Target, Translator, Written, convert,
    embeddings, gemini, messages,
};
use super::memory::{self, Earlier, Kept, Remember};
use super::profiles::Profile;
use super::request::{AiRequest, Operation};
use super::routing::Planned;
use crate::error::{ErrorKind, RequestError};
use crate::ids::RequestId;
use crate::store::Store;

/// A request, who asks it, and what came before it.
#[derive(Debug)]
pub(super) struct Turn<'t> {
    pub(super) asked: &'t AiRequest,
    /// The id of the key that asks.
    pub(super) owner: Arc<str>,
    pub(super) request_id: RequestId,
    pub(super) model: Arc<str>,
    pub(super) profile: Option<Arc<Profile>>,
    earlier: Earlier,
    store: &'t Store,
    /// Read when the first candidate needs it.
    conversation: Option<Arc<Conversation>>,
}

/// A call, ready but for its credential.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) path: String,
    pub(super) body: Bytes,
    /// What of the client's request is not in it, by the client's names.
    pub(super) dropped: Vec<Cow<'static, str>>,
    pub(super) answer: AnswerWay,
}

/// How an answer gets back to the client.
#[derive(Debug)]
pub(super) enum AnswerWay {
    /// As it comes.
    Passing,
    /// From the provider's dialect into the client's.
    Translating {
        api: Dialect,
        context: Arc<AnswerContext>,
    },
    /// A count of tokens, from one dialect to another.
    Counting { api: Dialect },
    /// Gemini's vectors into OpenAI's list.
    Embeddings {
        asked: embeddings::Asked,
        /// What the provider calls the model.
        model: Arc<str>,
    },
}

/// Who asks, and when: the id has the time.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) owner: Arc<str>,
    pub(super) request_id: RequestId,
    pub(super) model: Arc<str>,
    pub(super) profile: Option<Arc<Profile>>,
}

impl<'t> Turn<'t> {
    pub(super) fn new(
        asked: &'t AiRequest,
        origin: Origin,
        earlier: Earlier,
        store: &'t Store,
    ) -> Self {
        Self {
            asked,
            owner: origin.owner,
            request_id: origin.request_id,
            model: origin.model,
            profile: origin.profile,
            earlier,
            store,
            conversation: None,
        }
    }

    /// Writes the request for one candidate.
    ///
    /// # Errors
    /// 400 naming the field that this candidate's dialect cannot express, or that is wrong in itself.
    pub(super) async fn prepare(
        &mut self,
        planned: &Planned<'_>,
    ) -> Result<Prepared, RequestError> {
        let candidate = planned.candidate;
        let (provider, model) = (&candidate.provider, &*candidate.provider_model);
        let (api, stream) = (planned.api, self.asked.stream);
        let path = provider
            .target(api, self.asked.operation, model, stream)
            .ok_or_else(cannot_count)?;
        if api == Dialect::GeminiEmbeddings {
            let (body, asked) = embeddings::write_request(self.asked.body(), model)?;
            return Ok(Prepared {
                path,
                body: body.body,
                dropped: body.dropped,
                answer: AnswerWay::Embeddings {
                    asked,
                    model: Arc::clone(&candidate.provider_model),
                },
            });
        }
        let passes = api == self.asked.dialect && self.asked.may_pass();
        if passes && self.earlier.messages.is_none() {
            return Ok(Prepared {
                path,
                body: self.asked.passing_body(model)?,
                dropped: Vec::new(),
                answer: AnswerWay::Passing,
            });
        }
        let conversation = self.conversation().await?;
        let target = Target {
            model,
            stream,
            quirks: provider.quirks(api),
            default_max_output_tokens: candidate.default_max_output_tokens,
        };
        let counts = self.asked.operation == Operation::CountTokens;
        let Written { body, dropped } = match api {
            Dialect::Messages if counts => messages::write_count_request(&conversation, &target)?,
            Dialect::Gemini if counts => gemini::write_count_request(&conversation, &target)?,
            _ => convert::write_request(api, &conversation, &target)?,
        };
        let answer = if counts {
            AnswerWay::Counting { api }
        } else {
            AnswerWay::Translating {
                api,
                context: self.answer_context(model, conversation),
            }
        };
        Ok(Prepared {
            path,
            body,
            dropped,
            answer,
        })
    }

    /// The request in no dialect, with the turns that the gateway keeps in front of it.
    async fn conversation(&mut self) -> Result<Arc<Conversation>, RequestError> {
        if let Some(conversation) = &self.conversation {
            return Ok(Arc::clone(conversation));
        }
        let mut conversation = self.asked.conversation()?;
        // Copied, not taken: that they are there is what keeps the next candidate from getting the bytes as they are.
        if let Some(earlier) = &self.earlier.messages {
            conversation.go_on_from(earlier.clone());
        }
        memory::recall_reasoning(self.store, &self.owner, &mut conversation).await?;
        let conversation = Arc::new(conversation);
        self.conversation = Some(Arc::clone(&conversation));
        Ok(conversation)
    }

    fn answer_context(&self, model: &str, conversation: Arc<Conversation>) -> Arc<AnswerContext> {
        let seconds = self.request_id.unix_ms().div_euclid(1000);
        Arc::new(AnswerContext {
            request_id: self.request_id.to_string(),
            created_unix: u64::try_from(seconds).unwrap_or_default(),
            model: model.to_owned(),
            response_id: format!("resp_{}", self.request_id.simple()),
            wants_usage_event: self.asked.wants_usage_event,
            conversation,
        })
    }

    /// What is to be kept of an answer that comes back this way from `provider`.
    ///
    /// # Errors
    /// `invalid_request` when the client's `store` is no boolean.
    pub(super) fn remember(
        &self,
        way: &AnswerWay,
        provider: &Arc<str>,
    ) -> Result<Remember, RequestError> {
        let kept = || Kept {
            owner: Arc::clone(&self.owner),
            model: Arc::clone(&self.model),
            provider: Arc::clone(provider),
            created_at_unix_ms: self.request_id.unix_ms(),
        };
        Ok(match (way, self.asked.dialect) {
            (AnswerWay::Passing, Dialect::Responses) if self.asked.wants_store()? => {
                Remember::AtProvider(kept())
            }
            (AnswerWay::Translating { context, .. }, Dialect::Responses)
                if self.asked.wants_store()? =>
            {
                Remember::Response(kept(), Arc::clone(context))
            }
            (AnswerWay::Translating { .. }, _) => Remember::Reasoning {
                owner: Arc::clone(&self.owner),
            },
            _ => Remember::Nothing,
        })
    }
}

/// Such a request is estimated and sent to nobody.
fn cannot_count() -> RequestError {
    RequestError::new(
        ErrorKind::InternalError,
        "A provider that cannot count tokens was asked to. Report it with the request id.",
    )
}

impl AnswerWay {
    /// A reader for the answer as a stream.
    pub(super) fn stream_reader(&self, asked: &AiRequest, keeps_answer: bool) -> StreamReader {
        let (client, framing) = (asked.dialect, asked.framing);
        match self {
            Self::Translating { api, context } => StreamReader::translating(
                Translator::new(*api, client, context, keeps_answer),
                client,
                framing,
            ),
            Self::Passing | Self::Counting { .. } | Self::Embeddings { .. } => {
                StreamReader::passing(
                    Passing::new(client, asked.wants_usage_event),
                    client,
                    framing,
                )
            }
        }
    }
}
