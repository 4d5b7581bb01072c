//! The answer for a client: a list of vectors, as numbers or as base64 of little-endian 32-bit floats.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::Serialize;

/// How a vector is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::ai) enum EncodingFormat {
    #[default]
    Float,
    Base64,
}

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Embedding<'a>>,
    model: &'a str,
    usage: Usage,
}

#[derive(Serialize)]
struct Embedding<'a> {
    object: &'static str,
    embedding: Vector<'a>,
    index: usize,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Vector<'a> {
    Numbers(&'a [f32]),
    Base64(String),
}

#[derive(Serialize)]
struct Usage {
    prompt_tokens: u64,
    total_tokens: u64,
}

/// Writes `vectors`, which are in the order of the inputs.
pub(in crate::ai) fn write_embeddings_answer(
    vectors: &[Vec<f32>],
    model: &str,
    format: EncodingFormat,
    prompt_tokens: u64,
) -> Bytes {
    let list = List {
        object: "list",
        data: (0..)
            .zip(vectors)
            .map(|(index, vector)| Embedding {
                object: "embedding",
                embedding: match format {
                    EncodingFormat::Float => Vector::Numbers(vector),
                    EncodingFormat::Base64 => Vector::Base64(base64(vector)),
                },
                index,
            })
            .collect(),
        model,
        usage: Usage {
            prompt_tokens,
            total_tokens: prompt_tokens,
        },
    };
    serde_json::to_vec(&list)
        .expect("plain structs with text keys are always JSON")
        .into()
}

fn base64(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn write(vectors: &[Vec<f32>], format: EncodingFormat) -> Value {
        serde_json::from_slice(&write_embeddings_answer(vectors, "m", format, 5)).unwrap()
    }

    #[test]
    fn vectors_are_a_list_of_numbers() {
        assert_eq!(
            write(&[vec![0.5, -1.0], vec![]], EncodingFormat::Float),
            json!({"object": "list", "model": "m", "usage": {"prompt_tokens": 5, "total_tokens": 5}, "data": [
                {"object": "embedding", "index": 0, "embedding": [0.5, -1.0]},
                {"object": "embedding", "index": 1, "embedding": []},
            ]})
        );
        // A float of 32 bits keeps its short form.
        let body = write_embeddings_answer(&[vec![0.1]], "m", EncodingFormat::Float, 0);
        assert!(std::str::from_utf8(&body).unwrap().contains("[0.1]"));
    }

    #[test]
    fn base64_holds_little_endian_floats() {
        let written = write(&[vec![1.0, -2.5]], EncodingFormat::Base64);
        let text = written["data"][0]["embedding"].as_str().unwrap();
        let bytes = STANDARD.decode(text).unwrap();
        assert_eq!(bytes, [0, 0, 0x80, 0x3f, 0, 0, 0x20, 0xc0]);
    }
}
