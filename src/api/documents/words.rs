//! Words that documents choose from.

use serde::Deserialize;
use utoipa::ToSchema;

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, ToSchema)]
pub enum Scope {
    #[serde(rename = "models.read")]
    ModelsRead,
    #[serde(rename = "chat.completions")]
    ChatCompletions,
    #[serde(rename = "responses.create")]
    ResponsesCreate,
    #[serde(rename = "messages.create")]
    MessagesCreate,
    #[serde(rename = "embeddings.create")]
    EmbeddingsCreate,
    #[serde(rename = "tools.read")]
    ToolsRead,
    #[serde(rename = "tools.execute")]
    ToolsExecute,
    #[serde(rename = "admin.read")]
    AdminRead,
    #[serde(rename = "admin.write")]
    AdminWrite,
}

/// What a tenant is, from the widest to the narrowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TenantKind {
    Organization,
    Team,
    Project,
    User,
}

/// What a policy does: it denies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PolicyEffect {
    Deny,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// Whose API a provider has. `azure-openai` is another word for `azure`, `grok` for `xai`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProviderKind {
    #[serde(rename = "openai")]
    OpenAi,
    /// A server that speaks OpenAI's API, under any address.
    #[serde(rename = "openai-compatible")]
    OpenAiCompatible,
    /// OpenAI's models on Azure.
    Azure,
    #[serde(rename = "azure-openai")]
    AzureOpenAi,
    #[serde(rename = "openrouter")]
    OpenRouter,
    Xai,
    Grok,
    Anthropic,
    Gemini,
}

/// An API that a provider is spoken to in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProviderApi {
    /// OpenAI's chat completions.
    Chat,
    /// OpenAI's responses.
    Responses,
    /// Anthropic's messages.
    Messages,
    /// Gemini's `generateContent`.
    Gemini,
    /// OpenAI's embeddings, or Gemini's for a provider of that kind.
    Embeddings,
}

/// What a model can do: an endpoint, or a feature that a request may need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Everything that converses: chat completions, responses, messages and Gemini.
    Chat,
    Embeddings,
    Streaming,
    Tools,
    Vision,
    Json,
    Reasoning,
}

/// How the candidates of a model are put in order: what comes first is tried first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RoutingStrategy {
    /// By `priority`, the smallest number first.
    Priority,
    /// By `priority`, and drawn by `weight` among equals.
    Weighted,
    LowestCost,
    LowestLatency,
    /// Cost, latency and recent failures together.
    Balanced,
}

/// How an MCP server is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum McpTransport {
    /// Over HTTP.
    StreamableHttp,
    /// Over HTTP, the older way.
    Sse,
    /// A process that the gateway starts.
    Stdio,
}

/// How an MCP server knows who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum McpAuth {
    None,
    /// By `headers`.
    Headers,
    #[serde(rename = "oauth")]
    OAuth,
    #[serde(rename = "per_user_oauth")]
    PerUserOAuth,
    PerUserHeaders,
}
