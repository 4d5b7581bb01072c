//! `POST /v1/embeddings`: vectors that follow from the text, as numbers or in base64.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use super::{Identity, Written, json_bytes, read};
use crate::simulator::{
    errors::Problem,
    heard::{Heard, Role},
    reply::{Reply, Turn},
    route::Route,
    stats::Usage,
    tokens::tokens_of,
};

/// OpenAI's own bounds on one request.
const INPUTS_MAX: usize = 2048;
const DIMENSIONS_MAX: usize = 3072;

/// The size of `text-embedding-3-small`.
const DIMENSIONS: usize = 1536;

/// The values of one answer in all, so that its memory has a bound too.
const VALUES_MAX: usize = 1 << 22;

#[derive(Debug, Deserialize)]
pub struct Request {
    #[serde(default)]
    model: String,
    input: Input,
    dimensions: Option<usize>,
    #[serde(default)]
    encoding_format: Encoding,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Input {
    Text(String),
    Texts(Vec<String>),
    Tokens(Vec<u64>),
    TokenLists(Vec<Vec<u64>>),
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Encoding {
    #[default]
    Float,
    Base64,
}

impl Request {
    pub(super) fn parse(route: &Route, body: &[u8]) -> Result<Self, Problem> {
        let mut request: Self = read(body, |error| {
            format!("We could not parse the JSON body of your request: {error}.")
        })?;
        if let Some(deployment) = &route.model {
            request.model.clone_from(deployment);
        }
        request.check()?;
        Ok(request)
    }

    fn check(&self) -> Result<(), Problem> {
        if self.model.is_empty() {
            return Err(Problem::invalid("you must provide a model parameter"));
        }
        let inputs = self.inputs();
        if !(1..=INPUTS_MAX).contains(&inputs.len()) {
            let message = format!("Invalid 'input': expected 1 to {INPUTS_MAX} inputs.");
            return Err(Problem::invalid_at("input", message));
        }
        check_size(inputs.len(), self.dimensions())
    }

    fn dimensions(&self) -> usize {
        self.dimensions.unwrap_or(DIMENSIONS)
    }

    fn inputs(&self) -> Vec<Embedded> {
        match &self.input {
            Input::Text(text) => vec![Embedded::text(text)],
            Input::Texts(texts) => texts.iter().map(|text| Embedded::text(text)).collect(),
            Input::Tokens(tokens) => vec![Embedded::tokens(tokens)],
            Input::TokenLists(lists) => lists.iter().map(|list| Embedded::tokens(list)).collect(),
        }
    }

    fn encode(&self, vector: &[f32]) -> Vector {
        match self.encoding_format {
            Encoding::Float => Vector::Float(vector.to_vec()),
            Encoding::Base64 => {
                let bytes: Vec<u8> = vector
                    .iter()
                    .flat_map(|value| value.to_le_bytes())
                    .collect();
                Vector::Base64(STANDARD.encode(bytes))
            }
        }
    }
}

impl super::Request for Request {
    fn model(&self) -> &str {
        &self.model
    }

    fn prompt(&self) -> &str {
        match &self.input {
            Input::Text(text) => text,
            Input::Texts(texts) => texts.first().map_or("", String::as_str),
            Input::Tokens(_) | Input::TokenLists(_) => "",
        }
    }

    /// What there is to read; an embedding answers nothing.
    fn turn(&self, _prompt: &str) -> Turn {
        Turn {
            input_tokens: self.inputs().iter().map(|input| input.tokens).sum(),
            ..Turn::default()
        }
    }

    fn hear(&self) -> Heard {
        let mut heard = Heard {
            model: self.model.clone(),
            ..Heard::default()
        };
        heard.turn(Role::User).say(self.prompt());
        heard
    }

    fn write(&self, reply: &Reply, identity: Identity<'_>) -> Written {
        let usage = reply.usage.map(input_only);
        let data = (0..)
            .zip(self.inputs())
            .map(|(index, input)| Embedding {
                object: "embedding",
                index,
                embedding: self.encode(&vector(input.seed, self.dimensions())),
            })
            .collect();
        let list = List {
            object: "list",
            data,
            model: identity.model,
            usage: usage.map(|usage| UsageField {
                prompt_tokens: usage.input,
                total_tokens: usage.input,
            }),
        };
        Written::Whole(json_bytes(&list), usage)
    }
}

/// An embedding has no output and no cache.
pub(super) fn input_only(usage: Usage) -> Usage {
    Usage {
        input: usage.input,
        ..Usage::default()
    }
}

/// The vectors of one answer stay within bounds.
pub(super) fn check_size(inputs: usize, dimensions: usize) -> Result<(), Problem> {
    if !(1..=DIMENSIONS_MAX).contains(&dimensions) {
        let message = format!("Invalid 'dimensions': expected 1 to {DIMENSIONS_MAX}.");
        return Err(Problem::invalid_at("dimensions", message));
    }
    if inputs * dimensions > VALUES_MAX {
        let message = format!("Invalid 'input': more than {VALUES_MAX} values in one answer.");
        return Err(Problem::invalid_at("input", message));
    }
    Ok(())
}

/// One input: what its vector follows from, and what it costs.
pub(super) struct Embedded {
    pub(super) seed: u64,
    pub(super) tokens: u64,
}

impl Embedded {
    pub(super) fn text(text: &str) -> Self {
        Self {
            seed: hash(text.bytes().map(u64::from)),
            tokens: tokens_of(text.len()),
        }
    }

    fn tokens(tokens: &[u64]) -> Self {
        Self {
            seed: hash(tokens.iter().copied()),
            tokens: u64::try_from(tokens.len()).unwrap_or(u64::MAX),
        }
    }
}

/// FNV-1a over `values`.
fn hash(values: impl Iterator<Item = u64>) -> u64 {
    values.fold(0xcbf2_9ce4_8422_2325, |hash, value| {
        (hash ^ value).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A vector of length one, as OpenAI's are.
pub(super) fn vector(seed: u64, dimensions: usize) -> Vec<f32> {
    let mut state = seed | 1;
    let raw: Vec<f32> = (0..dimensions)
        .map(|_| {
            // xorshift64; the top bits are the good ones.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let unit = u16::try_from(state >> 48).unwrap_or_default();
            f32::from(unit) / 32768.0 - 1.0
        })
        .collect();
    let length = raw.iter().map(|value| value * value).sum::<f32>().sqrt();
    let scale = if length > 0.0 { length.recip() } else { 1.0 };
    raw.into_iter().map(|value| value * scale).collect()
}

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Embedding>,
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<UsageField>,
}

#[derive(Serialize)]
struct Embedding {
    object: &'static str,
    index: u64,
    embedding: Vector,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Vector {
    Float(Vec<f32>),
    Base64(String),
}

#[derive(Serialize)]
struct UsageField {
    prompt_tokens: u64,
    total_tokens: u64,
}
