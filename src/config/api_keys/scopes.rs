//! `scopes` of a key.

use super::super::{reader::Section, values::one_of};

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    ModelsRead,
    ChatCompletions,
    ResponsesCreate,
    MessagesCreate,
    EmbeddingsCreate,
    ToolsRead,
    ToolsExecute,
    AdminRead,
    AdminWrite,
}

impl Scope {
    pub const ALL: [Self; 9] = [
        Self::ModelsRead,
        Self::ChatCompletions,
        Self::ResponsesCreate,
        Self::MessagesCreate,
        Self::EmbeddingsCreate,
        Self::ToolsRead,
        Self::ToolsExecute,
        Self::AdminRead,
        Self::AdminWrite,
    ];
    /// What a key without `scopes` may do.
    pub const CLIENT: [Self; 5] = [
        Self::ModelsRead,
        Self::ChatCompletions,
        Self::ResponsesCreate,
        Self::MessagesCreate,
        Self::EmbeddingsCreate,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::ModelsRead => "models.read",
            Self::ChatCompletions => "chat.completions",
            Self::ResponsesCreate => "responses.create",
            Self::MessagesCreate => "messages.create",
            Self::EmbeddingsCreate => "embeddings.create",
            Self::ToolsRead => "tools.read",
            Self::ToolsExecute => "tools.execute",
            Self::AdminRead => "admin.read",
            Self::AdminWrite => "admin.write",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name)
    }

    /// An empty list is refused: whoever wrote it may have meant every scope, or none.
    pub(in crate::config) fn read_all(section: &mut Section<'_, '_>) -> Vec<Self> {
        let words = Self::ALL.map(|scope| (scope.as_str(), scope));
        let scopes = section.all_parsed("scopes", |word| one_of(word, &words));
        if !section.has("scopes") {
            return Self::CLIENT.to_vec();
        }
        if section.is_empty_array("scopes") {
            let place = section.place_of("scopes");
            section.error(&place, "is empty; leave it out for the scopes of a client");
        }
        scopes
    }
}
