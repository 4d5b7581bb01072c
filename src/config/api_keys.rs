//! `[[api_keys]]`: virtual keys declared in the file.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    sync::Arc,
};

use sha2::{Digest, Sha256};

use super::{
    Secret,
    findings::Place,
    names::{self, Names},
    reader::{Located, Section},
    values::one_of,
    variables,
};

/// One virtual key.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// `id`: unique, not secret.
    pub id: Arc<str>,
    /// `name`; default the id.
    pub name: String,
    /// One of `key_hash`, `key_env` and `key`.
    pub secret: KeySecret,
    /// `enabled`; default true.
    pub enabled: bool,
    /// `scopes`; omitted means [`Scope::CLIENT`], never an admin scope.
    pub scopes: Vec<Scope>,
    /// `allowed_models`, `allowed_providers`: empty means all; `denied_*` win.
    pub allowed_models: Vec<Arc<str>>,
    pub denied_models: Vec<Arc<str>>,
    pub allowed_providers: Vec<Arc<str>>,
    pub denied_providers: Vec<Arc<str>>,
    /// `organization_id`, `project_id`: whose key it is, which decides what models it sees.
    pub organization_id: Option<Arc<str>>,
    pub project_id: Option<Arc<str>>,
    /// `request_limit_per_minute`: absent means no limit.
    pub request_limit_per_minute: Option<u64>,
    /// `expires_at_unix`, in seconds.
    pub expires_at_unix: Option<i64>,
}

/// How a key's secret was given.
#[derive(Debug, Clone)]
pub enum KeySecret {
    /// `key_hash`: `sha256:<64 hex digits>` or the original's `blake2b:<128 hex digits>`; the syntax is checked here.
    Hash(String),
    /// `key_env`: what the environment variable held. An unset variable is a configuration error.
    Env(Secret),
    /// `key`: the secret itself, for development.
    Inline(Secret),
}

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
}

/// What a key may refer to.
#[derive(Clone, Copy)]
pub(super) struct References<'n> {
    pub(super) models: &'n Names,
    pub(super) providers: &'n Names,
}

impl ApiKey {
    pub(super) const LATER: &'static [&'static str] = &[
        "monthly_token_budget",
        "team_id",
        "user_id",
        "log_bodies",
        "cache_enabled",
        "token_limit_per_minute",
        "concurrency_limit",
        "budgets",
    ];

    pub(super) fn read(
        section: &mut Section<'_, '_>,
        ids: &mut Names,
        secrets: &mut SecretsInUse,
        references: References<'_>,
    ) -> Option<Self> {
        let References { models, providers } = references;
        let id = ids.claim(section, "id");
        let name = section.text("name").map(|text| text.value.to_owned());
        let secret = KeySecret::read(section, secrets);
        let enabled = section.flag("enabled", true);
        let scopes = read_scopes(section);
        let allowed_models = models.refer_all(section, "allowed_models");
        let denied_models = models.refer_all(section, "denied_models");
        let allowed_providers = providers.refer_all(section, "allowed_providers");
        let denied_providers = providers.refer_all(section, "denied_providers");
        let organization_id = section.parsed("organization_id", names::id);
        let project_id = section.parsed("project_id", names::id);
        let request_limit_per_minute =
            section.number_if_set("request_limit_per_minute", 1..=1_000_000_000);
        // The last second of the year 9999: milliseconds are caught.
        let expires_at_unix = section.number_if_set("expires_at_unix", 1..=253_402_300_799);
        let id = id?;
        Some(Self {
            name: name.unwrap_or_else(|| id.to_string()),
            id,
            secret: secret?,
            enabled,
            scopes,
            allowed_models,
            denied_models,
            allowed_providers,
            denied_providers,
            organization_id,
            project_id,
            request_limit_per_minute,
            expires_at_unix,
        })
    }
}

/// An empty list is refused: whoever wrote it may have meant every scope, or none.
fn read_scopes(section: &mut Section<'_, '_>) -> Vec<Scope> {
    let words = Scope::ALL.map(|scope| (scope.as_str(), scope));
    let scopes = section.all_parsed("scopes", |word| one_of(word, &words));
    if !section.has("scopes") {
        return Scope::CLIENT.to_vec();
    }
    if section.is_empty_array("scopes") {
        let place = section.place_of("scopes");
        section.error(&place, "is empty; leave it out for the scopes of a client");
    }
    scopes
}

/// The secrets that keys of the file already have, each with its line. One secret must not stand for two keys.
#[derive(Default)]
pub(super) struct SecretsInUse(HashMap<String, usize>);

impl SecretsInUse {
    fn claim(&mut self, section: &mut Section<'_, '_>, place: &Place, secret: &KeySecret) {
        let line = section.line_of(place);
        match self.0.entry(secret.fingerprint()) {
            Entry::Vacant(free) => {
                free.insert(line);
            }
            Entry::Occupied(taken) => {
                let line = taken.get();
                section.error(place, format!("the key on line {line} has the same secret"));
            }
        }
    }
}

impl KeySecret {
    fn read(section: &mut Section<'_, '_>, in_use: &mut SecretsInUse) -> Option<Self> {
        const KEYS: [&str; 3] = ["key_hash", "key_env", "key"];
        let [hash, env, inline] = KEYS.map(|key| section.text(key));
        match KEYS.iter().filter(|key| section.has(key)).count() {
            1 => (),
            0 => {
                let place = section.place();
                section.absence(&place, "needs one of `key_hash`, `key_env` and `key`");
            }
            _ => {
                let place = section.place();
                section.error(&place, "takes only one of `key_hash`, `key_env` and `key`");
            }
        }
        let place = hash
            .as_ref()
            .or(env.as_ref())
            .or(inline.as_ref())?
            .place
            .clone();
        let secret = hash
            .and_then(|text| read_hash(section, &text))
            .or_else(|| env.and_then(|text| read_env(section, &text)))
            .or_else(|| inline.and_then(|text| read_inline(section, &text)))?;
        in_use.claim(section, &place, &secret);
        Some(secret)
    }

    /// The same for the same secret, as far as hashes of different kinds allow it.
    fn fingerprint(&self) -> String {
        match self {
            Self::Hash(hash) => hash.to_ascii_lowercase(),
            Self::Env(secret) | Self::Inline(secret) => {
                format!("sha256:{:x}", Sha256::digest(secret.expose()))
            }
        }
    }
}

fn read_hash(section: &mut Section<'_, '_>, text: &Located<&str>) -> Option<KeySecret> {
    let is_hash = [("sha256:", 64), ("blake2b:", 128)]
        .into_iter()
        .filter_map(|(prefix, digits)| Some((text.value.strip_prefix(prefix)?, digits)))
        .any(|(hex, digits)| {
            hex.len() == digits && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
        });
    let checked = is_hash.then(|| KeySecret::Hash(text.value.to_owned()));
    let expected = "must be `sha256:` and 64 hex digits, or `blake2b:` and 128, as `ferrogate hash-key` prints them";
    section.accept(&text.place, checked.ok_or_else(|| expected.to_owned()))
}

fn read_env(section: &mut Section<'_, '_>, text: &Located<&str>) -> Option<KeySecret> {
    let name = text.value;
    section.accept(&text.place, variables::check_name(name))?;
    let secret = section.variable(name).ok_or_else(|| variables::unset(name));
    let secret = Secret::new(section.accept(&text.place, secret)?);
    let checked =
        check_secret(&secret).map_err(|reason| format!("the secret in `{name}` {reason}"));
    section.accept(&text.place, checked)?;
    if can_be_guessed(secret.expose()) {
        let advice = format!("the secret in `{name}` can be guessed: {STRONGER}");
        section.warn(&text.place, advice);
    }
    Some(KeySecret::Env(secret))
}

fn read_inline(section: &mut Section<'_, '_>, text: &Located<&str>) -> Option<KeySecret> {
    let secret = Secret::new(text.value);
    section.accept(&text.place, check_secret(&secret).map_err(str::to_owned))?;
    section.warn(
        &text.place,
        "a secret in the file is for development; `ferrogate hash-key` makes a `key_hash` of it",
    );
    if can_be_guessed(text.value) {
        section.warn(
            &text.place,
            format!("this secret can be guessed: {STRONGER}"),
        );
    }
    Some(KeySecret::Inline(secret))
}

/// Clients send the secret in a header.
fn check_secret(secret: &Secret) -> Result<(), &'static str> {
    let secret = secret.expose();
    if secret.is_empty() {
        Err("must not be empty")
    } else if secret.len() > SECRET_BYTES_MAX {
        Err("must be at most 512 characters long")
    } else if secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(())
    } else {
        Err("must be printable ASCII without spaces or line breaks")
    }
}

const SECRET_BYTES_MAX: usize = 512;
const STRONGER: &str = "use at least 24 random characters";

/// A coarse judgement: too short, or made of too few different characters, to have been drawn at random.
fn can_be_guessed(secret: &str) -> bool {
    let different: HashSet<u8> = secret.bytes().collect();
    secret.len() < 24 || different.len() < 10
}
