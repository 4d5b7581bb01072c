//! `models/{model}:embedContent` and `models/{model}:batchEmbedContents`.

use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, json};

use super::{Identity, Written, check, json_bytes, read, request::Content, words};
use crate::simulator::{
    dialects::{
        self,
        embeddings::{Embedded, check_size, input_only, vector},
    },
    errors::Problem,
    heard::{Heard, Role},
    reply::{Reply, Turn},
    route::{Endpoint, Route},
};

/// Google's own bound on one request.
const REQUESTS_MAX: usize = 100;

/// The size of `gemini-embedding-001`.
const DIMENSIONS: usize = 3072;

/// One content, or a batch of them.
#[derive(Debug)]
pub struct EmbedRequest {
    requests: Vec<Single>,
    model: String,
    batch: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch {
    requests: Vec<Single>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Single {
    model: Option<String>,
    content: Content,
    #[serde(alias = "output_dimensionality")]
    output_dimensionality: Option<usize>,
    #[serde(rename = "taskType", alias = "task_type")]
    _task_type: Option<String>,
    #[serde(rename = "title")]
    _title: Option<String>,
    #[serde(rename = "embedContentConfig", alias = "embed_content_config")]
    _embed_content_config: Option<IgnoredAny>,
}

impl EmbedRequest {
    pub(in crate::simulator::dialects) fn parse(
        route: &Route,
        body: &[u8],
    ) -> Result<Self, Problem> {
        let batch = route.endpoint == Endpoint::BatchEmbed;
        let requests = if batch {
            read::<Batch>(body, words)?.requests
        } else {
            vec![read(body, words)?]
        };
        let request = Self {
            requests,
            model: route.model.clone().unwrap_or_default(),
            batch,
        };
        request.check()?;
        Ok(request)
    }

    fn check(&self) -> Result<(), Problem> {
        if !(1..=REQUESTS_MAX).contains(&self.requests.len()) {
            return Err(Problem::invalid(format!(
                "* BatchEmbedContentsRequest.requests: at most {REQUESTS_MAX} requests can be in one batch\n"
            )));
        }
        for (index, single) in self.requests.iter().enumerate() {
            if self.batch && single.model.is_none() {
                return Err(Problem::invalid(format!(
                    "* BatchEmbedContentsRequest.requests[{index}].model: unexpected model name format\n"
                )));
            }
            check::parts(&single.content.parts, &format!("requests[{index}].content"))?;
            check_size(self.requests.len(), single.dimensions())?;
        }
        Ok(())
    }
}

impl Single {
    fn dimensions(&self) -> usize {
        self.output_dimensionality.unwrap_or(DIMENSIONS)
    }

    fn embedded(&self) -> Embedded {
        let text: Vec<&str> = self.content.texts().collect();
        Embedded::text(&text.concat())
    }

    fn embedding(&self) -> Value {
        json!({"values": vector(self.embedded().seed, self.dimensions())})
    }
}

impl dialects::Request for EmbedRequest {
    fn model(&self) -> &str {
        &self.model
    }

    fn prompt(&self) -> &str {
        let first = self
            .requests
            .first()
            .and_then(|single| single.content.texts().next());
        first.unwrap_or_default()
    }

    fn turn(&self, _prompt: &str) -> Turn {
        Turn {
            input_tokens: self
                .requests
                .iter()
                .map(|single| single.embedded().tokens)
                .sum(),
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

    fn write(&self, reply: &Reply, _identity: Identity<'_>) -> Written {
        let usage = reply.usage.map(input_only);
        let embeddings: Vec<Value> = self.requests.iter().map(Single::embedding).collect();
        let mut answer = match embeddings.as_slice() {
            [embedding] if !self.batch => json!({"embedding": embedding}),
            _ => json!({"embeddings": embeddings}),
        };
        if let Some(usage) = usage {
            answer["usageMetadata"] =
                json!({"promptTokenCount": usage.input, "totalTokenCount": usage.input});
        }
        Written::Whole(json_bytes(&answer), usage)
    }
}
