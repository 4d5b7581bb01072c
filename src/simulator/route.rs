//! Which API a request is for: its endpoint, whose rules apply, and what the path says about model and delivery.

use std::borrow::Cow;

use http::{HeaderMap, Uri};

use super::echo::decode;

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    Models,
    Chat,
    Responses,
    /// A response that was made before.
    StoredResponse,
    /// Counting the tokens of a request to [`Endpoint::Responses`].
    InputTokens,
    Embeddings,
    Messages,
    /// Counting the tokens of a request to [`Endpoint::Messages`].
    CountMessages,
    /// Gemini's `generateContent` and `streamGenerateContent`.
    Generate,
    /// Gemini's `countTokens`.
    CountContents,
    /// Gemini's `embedContent`.
    EmbedContent,
    /// Gemini's `batchEmbedContents`.
    BatchEmbed,
    /// Every path that no API claims.
    Echo,
}

impl Endpoint {
    pub const ALL: [Self; 13] = [
        Self::Models,
        Self::Chat,
        Self::Responses,
        Self::StoredResponse,
        Self::InputTokens,
        Self::Embeddings,
        Self::Messages,
        Self::CountMessages,
        Self::Generate,
        Self::CountContents,
        Self::EmbedContent,
        Self::BatchEmbed,
        Self::Echo,
    ];

    /// Its name in the statistics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Models => "/v1/models",
            Self::Chat => "/v1/chat/completions",
            Self::Responses => "/v1/responses",
            Self::StoredResponse => "/v1/responses/{id}",
            Self::InputTokens => "/v1/responses/input_tokens",
            Self::Embeddings => "/v1/embeddings",
            Self::Messages => "/v1/messages",
            Self::CountMessages => "/v1/messages/count_tokens",
            Self::Generate => "generateContent",
            Self::CountContents => "countTokens",
            Self::EmbedContent => "embedContent",
            Self::BatchEmbed => "batchEmbedContents",
            Self::Echo => "other",
        }
    }

    pub fn dialect(self) -> &'static str {
        match self {
            Self::Models => "models",
            Self::Chat => "chat",
            Self::Responses | Self::StoredResponse | Self::InputTokens => "responses",
            Self::Embeddings => "embeddings",
            Self::Messages | Self::CountMessages => "messages",
            Self::Generate | Self::CountContents | Self::EmbedContent | Self::BatchEmbed => {
                "gemini"
            }
            Self::Echo => "none",
        }
    }
}

/// Whose rules apply: where the key is, what an error looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    OpenAi,
    Azure,
    Anthropic,
    Gemini,
}

impl Surface {
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Azure => "azure",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }
}

/// How the answer is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// As the body asks.
    Asked,
    Whole,
    /// A stream of events.
    Events,
    /// A stream that is one JSON array.
    Array,
}

/// A request, as far as its head tells.
#[derive(Debug, Clone)]
pub struct Route {
    pub endpoint: Endpoint,
    pub surface: Surface,
    /// The model or deployment in the path.
    pub model: Option<String>,
    pub delivery: Delivery,
    /// The id of a single model or response in the path.
    pub item: Option<String>,
    /// Azure's `api-version` is missing.
    pub unversioned: bool,
    /// Where the body alone does not say what is asked: the rest of it.
    asked_by_path: Option<String>,
}

impl Route {
    /// The API that claims this request, or `None`.
    pub fn of(uri: &Uri, headers: &HeaderMap) -> Option<Self> {
        let path = uri.path();
        if let Some(rest) = path.strip_prefix("/openai/") {
            return Self::azure(rest, uri);
        }
        if let Some(rest) = path.strip_prefix("/v1beta/") {
            return Self::gemini(rest, uri);
        }
        let versioned = path.strip_prefix("/v1/");
        match versioned.or_else(|| path.strip_prefix('/'))? {
            "messages" if versioned.is_some() => {
                Some(Self::to(Endpoint::Messages, Surface::Anthropic))
            }
            "messages/count_tokens" if versioned.is_some() => {
                Some(Self::to(Endpoint::CountMessages, Surface::Anthropic))
            }
            models if models == "models" || models.starts_with("models/") => {
                Self::gemini_method(models, uri).or_else(|| Self::models(models, headers))
            }
            other => Self::open_ai(other, Surface::OpenAi),
        }
    }

    /// What no API claims.
    pub fn echo() -> Self {
        Self::to(Endpoint::Echo, Surface::OpenAi)
    }

    fn to(endpoint: Endpoint, surface: Surface) -> Self {
        Self {
            endpoint,
            surface,
            model: None,
            delivery: Delivery::Asked,
            item: None,
            unversioned: false,
            asked_by_path: None,
        }
    }

    fn open_ai(path: &str, surface: Surface) -> Option<Self> {
        let endpoint = match path {
            "chat/completions" => Endpoint::Chat,
            "responses" => Endpoint::Responses,
            "responses/input_tokens" => Endpoint::InputTokens,
            "embeddings" => Endpoint::Embeddings,
            "models" => Endpoint::Models,
            _ => {
                let (endpoint, id) = match path.split_once('/')? {
                    ("responses", id) => (Endpoint::StoredResponse, id),
                    ("models", id) => (Endpoint::Models, id),
                    _ => return None,
                };
                if endpoint == Endpoint::StoredResponse && id.contains('/') {
                    return None;
                }
                let item = Some(segment(id));
                return Some(Self {
                    item,
                    ..Self::to(endpoint, surface)
                });
            }
        };
        Some(Self::to(endpoint, surface))
    }

    /// The same path means three lists of models; the headers tell them apart.
    fn models(path: &str, headers: &HeaderMap) -> Option<Self> {
        let surface = if headers.contains_key("anthropic-version") {
            Surface::Anthropic
        } else if headers.contains_key("x-goog-api-key") {
            Surface::Gemini
        } else {
            Surface::OpenAi
        };
        Self::open_ai(path, surface)
    }

    fn azure(path: &str, uri: &Uri) -> Option<Self> {
        let mut route = if let Some(deployed) = path.strip_prefix("deployments/") {
            let (deployment, path) = deployed.split_once('/')?;
            let route = Self::open_ai(path, Surface::Azure)?;
            Self {
                model: Some(segment(deployment)),
                ..route
            }
        } else {
            Self::open_ai(path.strip_prefix("v1/").unwrap_or(path), Surface::Azure)?
        };
        let versioned = path.starts_with("v1/") || argument(uri, "api-version").is_some();
        route.unversioned = !versioned;
        route.asked_by_path = asked(uri);
        Some(route)
    }

    fn gemini(path: &str, uri: &Uri) -> Option<Self> {
        Self::gemini_method(path, uri).or_else(|| {
            let models = path == "models" || path.starts_with("models/");
            models.then(|| Self::open_ai(path, Surface::Gemini))?
        })
    }

    /// `models/{model}:{method}`.
    fn gemini_method(path: &str, uri: &Uri) -> Option<Self> {
        let (model, method) = path.strip_prefix("models/")?.rsplit_once(':')?;
        let (endpoint, delivery) = match method {
            "generateContent" => (Endpoint::Generate, Delivery::Whole),
            "streamGenerateContent" if argument(uri, "alt").as_deref() == Some("sse") => {
                (Endpoint::Generate, Delivery::Events)
            }
            "streamGenerateContent" => (Endpoint::Generate, Delivery::Array),
            "countTokens" => (Endpoint::CountContents, Delivery::Whole),
            "embedContent" => (Endpoint::EmbedContent, Delivery::Whole),
            "batchEmbedContents" => (Endpoint::BatchEmbed, Delivery::Whole),
            _ => return None,
        };
        Some(Self {
            model: Some(segment(model)),
            delivery,
            asked_by_path: asked(uri),
            ..Self::to(endpoint, Surface::Gemini)
        })
    }

    /// All that the answer follows from: the body, and the path where it has a say.
    pub fn question<'a>(&self, body: &'a [u8]) -> Cow<'a, [u8]> {
        match &self.asked_by_path {
            None => Cow::Borrowed(body),
            Some(path) => Cow::Owned([path.as_bytes(), b"\0", body].concat()),
        }
    }
}

/// A segment of the path; unlike in a query, a plus sign is itself.
fn segment(text: &str) -> String {
    decode(&text.replace('+', "%2B"))
}

fn asked(uri: &Uri) -> Option<String> {
    uri.path_and_query()
        .map(|target| target.as_str().to_owned())
}

/// An argument of the query.
pub fn argument(uri: &Uri, name: &str) -> Option<String> {
    let pairs = uri.query()?.split('&');
    let mut found = pairs.filter_map(|pair| pair.split_once('='));
    found
        .find(|(found, _)| *found == name)
        .map(|(_, value)| decode(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_what_is_asked_and_of_whom() {
        let check = |path: &str, expected: &str| {
            let route = Route::of(&path.parse().unwrap(), &HeaderMap::new());
            let told = route.map(|route| {
                let name = route.model.or(route.item).unwrap_or_default();
                let (endpoint, surface) = (route.endpoint, route.surface);
                format!("{surface:?} {endpoint:?} {:?} {name}", route.delivery)
            });
            assert_eq!(told.as_deref().unwrap_or("none"), expected, "{path}");
        };
        check("/v1/chat/completions", "OpenAi Chat Asked ");
        check("/chat/completions", "OpenAi Chat Asked ");
        check("/v1/responses/input_tokens", "OpenAi InputTokens Asked ");
        check("/v1/responses/resp_1", "OpenAi StoredResponse Asked resp_1");
        check("/v1/responses/resp_1/input_items", "none");
        check("/v1/models/llama3:8b", "OpenAi Models Asked llama3:8b");
        check("/v1/messages", "Anthropic Messages Asked ");
        check("/messages", "none");
        check(
            "/v1/messages/count_tokens",
            "Anthropic CountMessages Asked ",
        );
        check("/v1beta/models", "Gemini Models Asked ");
        check("/v1beta/models/g", "Gemini Models Asked g");
        check("/v1/models/g:generateContent", "Gemini Generate Whole g");
        check(
            "/v1beta/models/g+once%2Cfault=500:streamGenerateContent?alt=sse",
            "Gemini Generate Events g+once,fault=500",
        );
        check(
            "/v1beta/models/g:streamGenerateContent",
            "Gemini Generate Array g",
        );
        check(
            "/v1beta/models/g:countTokens",
            "Gemini CountContents Whole g",
        );
        check("/v1beta/files", "none");
        check(
            "/openai/deployments/gpt/chat/completions?api-version=1",
            "Azure Chat Asked gpt",
        );
        check("/openai/v1/responses", "Azure Responses Asked ");
        check("/get/it", "none");
    }
}
