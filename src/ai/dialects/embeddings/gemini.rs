//! `batchEmbedContents`: the same list of inputs for a Gemini provider, and its vectors.
//! <https://ai.google.dev/api/embeddings>

use serde::{Deserialize, Serialize};

use super::answer::EncodingFormat;
use super::request;
use crate::ai::dialects::Written;
use crate::error::{ErrorKind, RequestError};

/// What the answer is held against, and how the client wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ai) struct Asked {
    pub(in crate::ai) format: EncodingFormat,
    /// How many inputs there were.
    pub(in crate::ai) inputs: usize,
}

/// A provider's answer.
#[derive(Debug, PartialEq)]
pub(in crate::ai) struct Vectors {
    /// In the order of the inputs.
    pub(in crate::ai) vectors: Vec<Vec<f32>>,
    /// What the inputs were, if the provider counts: most of its models do not.
    pub(in crate::ai) prompt_tokens: Option<u64>,
}

#[derive(Serialize)]
struct Batch<'a> {
    requests: Vec<EmbedRequest<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EmbedRequest<'a> {
    model: &'a str,
    content: Content<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimensionality: Option<u64>,
}

#[derive(Serialize)]
struct Content<'a> {
    parts: [Text<'a>; 1],
}

#[derive(Serialize)]
struct Text<'a> {
    text: &'a str,
}

/// Writes a client's body for the model `model`.
///
/// # Errors
/// 400 naming the field that is wrong or cannot cross.
pub(in crate::ai) fn write_request(
    body: &[u8],
    model: &str,
) -> Result<(Written, Asked), RequestError> {
    let request = request::read(body)?;
    // Each names the model of the path again.
    let model = match model.strip_prefix("models/") {
        Some(_) => model.to_owned(),
        None => format!("models/{model}"),
    };
    let requests = request.inputs.iter().map(|text| EmbedRequest {
        model: &model,
        content: Content {
            parts: [Text { text }],
        },
        output_dimensionality: request.dimensions,
    });
    let batch = Batch {
        requests: requests.collect(),
    };
    let written = Written {
        body: serde_json::to_vec(&batch)
            .expect("plain structs with text keys are always JSON")
            .into(),
        dropped: request.unread,
    };
    let asked = Asked {
        format: request.format,
        inputs: request.inputs.len(),
    };
    Ok((written, asked))
}

/// Reads a provider's answer.
///
/// # Errors
/// `provider_protocol_error` where it is none, or has not one vector for each input.
pub(in crate::ai) fn read_answer(body: &[u8], asked: Asked) -> Result<Vectors, RequestError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        embeddings: Vec<Embedding>,
        #[serde(default)]
        usage_metadata: Option<Usage>,
    }
    #[derive(Deserialize)]
    struct Embedding {
        values: Vec<f32>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Usage {
        prompt_token_count: Option<u64>,
    }
    let protocol = |message: String| RequestError::new(ErrorKind::ProviderProtocolError, message);
    let answer: Answer = serde_json::from_slice(body)
        .map_err(|_| protocol("The provider's answer is not a list of embeddings.".into()))?;
    let found = answer.embeddings.len();
    if found != asked.inputs {
        return Err(protocol(format!(
            "The provider answered {found} vectors for {} inputs.",
            asked.inputs
        )));
    }
    let vectors = answer.embeddings.into_iter();
    Ok(Vectors {
        vectors: vectors.map(|embedding| embedding.values).collect(),
        prompt_tokens: answer
            .usage_metadata
            .and_then(|usage| usage.prompt_token_count),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const TWO: Asked = Asked {
        format: EncodingFormat::Float,
        inputs: 2,
    };

    #[test]
    fn every_input_is_a_request_of_its_own() {
        let body = br#"{"model":"m","input":["a","b"],"dimensions":8,"user":"u"}"#;
        let (written, asked) = write_request(body, "gemini-embedding-001").unwrap();
        let one = |text: &str| {
            json!({"model": "models/gemini-embedding-001", "content": {"parts": [{"text": text}]},
                "outputDimensionality": 8})
        };
        let sent: Value = serde_json::from_slice(&written.body).unwrap();
        assert_eq!(sent, json!({"requests": [one("a"), one("b")]}));
        assert_eq!(written.dropped, ["user"]);
        assert_eq!(asked, TWO);
        let (written, asked) =
            write_request(br#"{"input":"a","encoding_format":"base64"}"#, "models/x").unwrap();
        let sent: Value = serde_json::from_slice(&written.body).unwrap();
        assert_eq!(
            sent,
            json!({"requests": [{"model": "models/x", "content": {"parts": [{"text": "a"}]}}]})
        );
        assert_eq!(asked.format, EncodingFormat::Base64);
    }

    #[test]
    fn an_answer_has_one_vector_for_each_input() {
        let read = |body: &Value| read_answer(body.to_string().as_bytes(), TWO);
        let two = json!({"embeddings": [{"values": [0.5, 1]}, {"values": [-1.5], "shape": [1]}]});
        assert_eq!(
            read(&two).unwrap(),
            Vectors {
                vectors: vec![vec![0.5, 1.0], vec![-1.5]],
                prompt_tokens: None
            }
        );
        for body in [
            json!({"embeddings": [{"values": [0.5]}]}),
            json!({"embedding": {"values": [0.5]}}),
            json!({"embeddings": [{}, {}]}),
        ] {
            let error = read(&body).unwrap_err();
            assert_eq!(error.kind, ErrorKind::ProviderProtocolError, "{body}");
        }
    }

    #[test]
    fn a_count_of_the_providers_is_read_where_there_is_one() {
        let counted = |metadata: Value| {
            let body =
                json!({"embeddings": [{"values": []}, {"values": []}], "usageMetadata": metadata});
            read_answer(body.to_string().as_bytes(), TWO)
                .unwrap()
                .prompt_tokens
        };
        assert_eq!(counted(Value::Null), None);
        assert_eq!(counted(json!({})), None);
        assert_eq!(counted(json!({"promptTokenCount": 4})), Some(4));
    }
}
