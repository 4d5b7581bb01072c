//! Answers that are not streamed: read to their end, checked, and turned into what the client speaks.

use bytes::Bytes;
use ferrogate_api::{Outcome, Tokens};
use http::{HeaderMap, HeaderValue, header};

use super::failure::{Failure, cut, inside};
use super::headers::{note_dropped, passed_headers};
use super::{Asking, Reply};
use crate::ai::Ai;
use crate::ai::conversation::Answer as Said;
use crate::ai::dialects::{
    Dialect, convert, embeddings, gemini, messages, responses, usage_of_answer,
};
use crate::ai::request::Operation;
use crate::ai::turn::{AnswerWay, Prepared, Turn};
use crate::ai::upstream::Answer;
use crate::error::{ErrorKind, RequestError};
use crate::metering::Recording;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An answer in the client's dialect.
struct Turned {
    body: Bytes,
    usage: Option<Tokens>,
    /// Where it was translated and is to be kept.
    said: Option<Said>,
}

impl Ai {
    pub(super) async fn read_whole(
        &self,
        mut answer: Answer,
        asking: &Asking<'_>,
        recording: &mut Recording,
    ) -> Result<Reply, Failure> {
        let Asking {
            prepared,
            turn,
            planned,
            ..
        } = *asking;
        let max = self.limits().provider_response_body_max_bytes;
        let body = collect(&mut answer, max).await?;
        let status = answer.status();
        let mut headers = answer.headers().map(passed_headers).unwrap_or_default();
        answer.release().await;
        if is_json(&headers) && serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_err() {
            return Err(Failure::sent(
                RequestError::new(
                    ErrorKind::ProviderProtocolError,
                    "The provider's answer is not the JSON it says it is; it was cut short.",
                ),
                Outcome::UpstreamCut,
            ));
        }
        let turned = turn_answer(&body, prepared, turn).map_err(Failure::reported)?;
        if turned.usage.is_none()
            && let Some(error) = inside(planned.api, &planned.candidate.provider.name, &body)
        {
            return Err(Failure::reported(error));
        }
        if let Some(attempt) = recording.attempt() {
            attempt.reported = turned.usage;
            attempt.content_bytes = generated_bytes(&body, turn.asked.dialect);
        }
        if !matches!(prepared.answer, AnswerWay::Passing) {
            headers.insert(header::CONTENT_TYPE, JSON);
            note_dropped(&mut headers, &prepared.dropped);
        }
        let remember = turn
            .remember(&prepared.answer, &planned.candidate.provider.name)
            .map_err(|error| Failure::for_good(error, Outcome::UpstreamError))?;
        match &turned.said {
            Some(said) => remember.answer(&self.store, said),
            None => remember.passed(&self.store, || responses::id_of_answer(&body)),
        }
        Ok(Reply::Whole {
            status,
            headers,
            body: turned.body,
        })
    }
}

/// For an estimate where the provider reports no usage: vectors are no output.
fn generated_bytes(body: &[u8], client: Dialect) -> u64 {
    match client {
        Dialect::Embeddings | Dialect::GeminiEmbeddings => 0,
        _ => u64::try_from(body.len()).unwrap_or_default(),
    }
}

/// Turns a provider's whole answer into the client's, and finds out what it used.
fn turn_answer(body: &Bytes, prepared: &Prepared, turn: &Turn<'_>) -> Result<Turned, RequestError> {
    let client = turn.asked.dialect;
    // Counting is free of charge at every provider that offers it.
    let counted = (turn.asked.operation == Operation::CountTokens).then(Tokens::default);
    Ok(match &prepared.answer {
        AnswerWay::Passing => Turned {
            body: body.clone(),
            usage: counted.or_else(|| usage_of_answer(client, body)),
            said: None,
        },
        AnswerWay::Counting { api } => Turned {
            body: turn_count(*api, client, body)?,
            usage: counted,
            said: None,
        },
        AnswerWay::Embeddings { asked, model } => turn_vectors(body, (*asked, model), turn)?,
        AnswerWay::Translating { api, context } => {
            let said = convert::read_answer(*api, body, context)?;
            Turned {
                body: convert::write_answer(client, &said, context),
                usage: said.usage,
                said: Some(said),
            }
        }
    })
}

/// Most of Gemini's models count no tokens of embeddings: then the answer says what was estimated, and so does the
/// ledger, which marks it as that.
fn turn_vectors(
    body: &[u8],
    (asked, model): (embeddings::Asked, &str),
    turn: &Turn<'_>,
) -> Result<Turned, RequestError> {
    let read = embeddings::read_answer(body, asked)?;
    let told = read
        .prompt_tokens
        .unwrap_or_else(|| turn.asked.estimated_input_tokens());
    Ok(Turned {
        body: embeddings::write_embeddings_answer(&read.vectors, model, asked.format, told),
        usage: read.prompt_tokens.map(|input| Tokens {
            input,
            ..Tokens::default()
        }),
        said: None,
    })
}

fn turn_count(api: Dialect, client: Dialect, body: &[u8]) -> Result<Bytes, RequestError> {
    let count = match api {
        Dialect::Gemini => gemini::read_count_answer(body),
        _ => messages::read_count_answer(body),
    };
    let count = count.ok_or_else(|| {
        RequestError::new(
            ErrorKind::ProviderProtocolError,
            "The provider's answer holds no count of tokens.",
        )
    })?;
    Ok(write_count(client, count))
}

/// A count of tokens as `client` reads it.
pub(in crate::ai) fn write_count(client: Dialect, count: u64) -> Bytes {
    match client {
        Dialect::Gemini => gemini::write_count_answer(count),
        _ => messages::write_count_answer(count),
    }
}

/// Reads a body to its end, up to `max` bytes.
pub(super) async fn collect(answer: &mut Answer, max: u64) -> Result<Bytes, Failure> {
    let mut pieces: Vec<Bytes> = Vec::new();
    let mut total = 0u64;
    while let Some(piece) = answer.chunk().await.map_err(|error| cut(&error))? {
        total += u64::try_from(piece.len()).unwrap_or(u64::MAX);
        if total > max {
            return Err(Failure::sent(
                RequestError::new(
                    ErrorKind::ProviderResponseTooLarge,
                    format!(
                        "The provider's answer is over {max} bytes; raise `[reliability] provider_response_body_max_bytes`."
                    ),
                ),
                Outcome::UpstreamError,
            ));
        }
        pieces.push(piece);
    }
    Ok(match pieces.len() {
        1 => pieces.remove(0),
        _ => pieces.concat().into(),
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/json"))
}
