//! What arrived, in one form for all dialects: the answer to `sim: describe`.
//!
//! A test sends a request of one dialect through a gateway to a provider of another, and compares what was heard with
//! what was meant. So everything that dialects spell differently is spelled in one way here, and turns that follow
//! each other on the same side are one turn: dialects differ in how they cut them.

use serde::Serialize;
use serde_json::Value;

use super::state;

/// A request, as the simulated model understood it. `null` is what the request did not say.
#[derive(Debug, Default, Serialize)]
pub struct Heard {
    pub model: String,
    /// The system's and the developer's texts, in their order.
    pub system: Vec<String>,
    pub turns: Vec<Turn>,
    /// The names of the tools; tools that the provider runs itself go by their type.
    pub tools: Vec<String>,
    /// `auto`, `none`, `required`, `tool:NAME`, or `auto:NAME,NAME` and `required:NAME,NAME` where not all are allowed.
    pub tool_choice: Option<String>,
    /// Whether several tools may be called at once.
    pub parallel: Option<bool>,
    pub output: Output,
    pub stop: Vec<String>,
    pub temperature: Option<f64>,
    pub top_p: Option<f64>,
    pub top_k: Option<f64>,
    pub presence_penalty: Option<f64>,
    pub frequency_penalty: Option<f64>,
    pub seed: Option<i64>,
    pub max_tokens: Option<u64>,
    /// How many answers.
    pub n: Option<u32>,
    /// How hard to think, in the dialect's own word, in lower case.
    pub effort: Option<String>,
    /// How many tokens to think; 0 is not at all, -1 as many as the model likes.
    pub budget: Option<i64>,
    /// Whether the thoughts, or a summary of them, are to be shown.
    pub thoughts: Option<bool>,
    pub stream: bool,
}

/// Which form the answer must have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    #[default]
    Text,
    JsonObject,
    JsonSchema,
}

/// Which side spoke. Results of tools are the user's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    User,
    Assistant,
}

/// What one side said before the other did.
#[derive(Debug, Serialize)]
pub struct Turn {
    pub role: Role,
    /// All its texts, a line break between two.
    pub text: String,
    /// URLs, `file:ID`, or `image/png 67 bytes` for those that were sent along.
    pub images: Vec<String>,
    /// The same for everything that is no image: documents, sound, video.
    pub documents: Vec<String>,
    pub tool_calls: Vec<ToolCall>,
    pub tool_results: Vec<ToolResult>,
    /// Reasoning state of an earlier answer came back with it.
    pub reasoning_state: bool,
}

/// A call of an earlier answer.
#[derive(Debug, Serialize)]
pub struct ToolCall {
    pub id: Option<String>,
    pub name: String,
    /// JSON where it is JSON, and otherwise the text.
    pub arguments: Value,
}

/// What a tool answered.
#[derive(Debug, Serialize)]
pub struct ToolResult {
    pub id: Option<String>,
    /// Found by the id where the dialect does not repeat it.
    pub name: Option<String>,
    pub text: String,
    pub error: bool,
}

impl Heard {
    /// The turn of `role` that is being told: the last one, if it is that side's, or a new one.
    pub fn turn(&mut self, role: Role) -> &mut Turn {
        if self.turns.last().is_none_or(|last| last.role != role) {
            self.turns.push(Turn {
                role,
                text: String::new(),
                images: Vec::new(),
                documents: Vec::new(),
                tool_calls: Vec::new(),
                tool_results: Vec::new(),
                reasoning_state: false,
            });
        }
        self.turns
            .last_mut()
            .expect("one was pushed if none was there")
    }

    /// The whole as compact JSON.
    pub fn into_text(mut self) -> String {
        self.name_results();
        serde_json::to_string(&self).expect("plain data is always JSON")
    }

    fn name_results(&mut self) {
        let mut names = Vec::new();
        for turn in &mut self.turns {
            for call in &turn.tool_calls {
                names.push((call.id.clone(), call.name.clone()));
            }
            for result in turn
                .tool_results
                .iter_mut()
                .filter(|one| one.name.is_none())
            {
                let called = names
                    .iter()
                    .find(|(id, _)| id.is_some() && *id == result.id);
                result.name = called.map(|(_, name)| name.clone());
            }
        }
    }
}

impl Turn {
    pub fn say(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(text);
    }

    /// Something that was sent along or pointed at; its type decides what it is.
    pub fn show(&mut self, media: &Media) {
        let shown = media.to_string();
        if media.mime().is_some_and(|mime| mime.starts_with("image/")) {
            self.images.push(shown);
        } else {
            self.documents.push(shown);
        }
    }
}

/// Arguments as a value, whatever form they came in.
pub fn arguments(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

/// A file: sent along in base64, or named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Media {
    Inline { mime: String, size_bytes: usize },
    Named { mime: Option<String>, name: String },
}

impl Media {
    /// Sent along; `None` when the data is no base64.
    pub fn inline(mime: &str, base64: &str) -> Option<Self> {
        Some(Self::Inline {
            mime: mime.to_owned(),
            size_bytes: state::decode(base64)?.len(),
        })
    }

    /// At a URL, which may be a `data:` one; `None` when that is broken.
    pub fn at(url: &str, mime: Option<&str>) -> Option<Self> {
        match url.strip_prefix("data:") {
            Some(data) => {
                let (mime, base64) = data.split_once(";base64,")?;
                Self::inline(mime, base64)
            }
            None => Some(Self::Named {
                mime: mime.map(str::to_owned),
                name: url.to_owned(),
            }),
        }
    }

    fn mime(&self) -> Option<&str> {
        match self {
            Self::Inline { mime, .. } => Some(mime),
            Self::Named { mime, .. } => mime.as_deref(),
        }
    }
}

impl std::fmt::Display for Media {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Inline { mime, size_bytes } => write!(f, "{mime} {size_bytes} bytes"),
            Self::Named { name, .. } => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_told_by_type_and_size_or_by_its_name() {
        let check = |media: Option<Media>, expected: Option<&str>| {
            assert_eq!(media.map(|media| media.to_string()).as_deref(), expected);
        };
        check(
            Media::inline("image/png", "AAAA"),
            Some("image/png 3 bytes"),
        );
        check(Media::inline("image/png", "%%"), None);
        check(
            Media::at("data:application/pdf;base64,AAA=", None),
            Some("application/pdf 2 bytes"),
        );
        check(Media::at("data:nonsense", None), None);
        check(
            Media::at("https://example.com/a.png", None),
            Some("https://example.com/a.png"),
        );
    }

    #[test]
    fn turns_of_one_side_are_one_and_results_learn_their_names() {
        let mut heard = Heard::default();
        heard.turn(Role::User).say("one");
        heard.turn(Role::User).say("two");
        heard.turn(Role::Assistant).tool_calls.push(ToolCall {
            id: Some("a".into()),
            name: "clock".into(),
            arguments: arguments("{\"b\":1,\"a\":2}"),
        });
        heard.turn(Role::User).tool_results.push(ToolResult {
            id: Some("a".into()),
            name: None,
            text: "noon".into(),
            error: false,
        });
        let told: Value = serde_json::from_str(&heard.into_text()).unwrap();
        assert_eq!(told["turns"].as_array().map(Vec::len), Some(3));
        assert_eq!(told["turns"][0]["text"], "one\ntwo");
        assert_eq!(told["turns"][2]["tool_results"][0]["name"], "clock");
    }
}
