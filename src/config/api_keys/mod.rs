//! `[[api_keys]]`: virtual keys.

mod scopes;
mod secrets;

use std::sync::Arc;

pub(super) use self::secrets::SecretsInUse;
pub use self::{
    scopes::Scope,
    secrets::{KeySecret, PreviousHash},
};

use super::{
    AccountLimits, TenantKind,
    names::{self, Names},
    reader::Section,
    references::References,
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
    /// `previous_key_hashes`: secrets that go on working for a while after the key got a new one.
    pub previous_hashes: Vec<PreviousHash>,
    /// `enabled`; default true.
    pub enabled: bool,
    /// `scopes`; omitted means [`Scope::CLIENT`], never an admin scope.
    pub scopes: Vec<Scope>,
    /// `allowed_models`, `allowed_providers`: empty means all; `denied_*` win. Tools of MCP servers stand among the
    /// models as `mcp_tool:<server>-<tool>`, their servers among the providers as `mcp:<server>`.
    pub allowed_models: Vec<Arc<str>>,
    pub denied_models: Vec<Arc<str>>,
    pub allowed_providers: Vec<Arc<str>>,
    pub denied_providers: Vec<Arc<str>>,
    /// `organization_id`, `team_id`, `project_id`, `user_id`: whose key it is, as far as it says. What their parents
    /// add is in [`super::effective_context`].
    pub organization_id: Option<Arc<str>>,
    pub team_id: Option<Arc<str>>,
    pub project_id: Option<Arc<str>>,
    pub user_id: Option<Arc<str>>,
    /// What this key alone may spend.
    pub limits: AccountLimits,
    /// `cache_enabled`: whether it may be answered from the cache; default true.
    pub cache_enabled: bool,
    /// `log_bodies`: whether its bodies are logged where `[telemetry] log_bodies` is on; default false.
    pub log_bodies: bool,
    /// `expires_at_unix`, in seconds.
    pub expires_at_unix: Option<i64>,
}

/// The last second of the year 9999: milliseconds are caught.
const UNIX_MAX: i64 = 253_402_300_799;

impl ApiKey {
    pub(super) const LATER: &'static [&'static str] = &[];

    pub(super) fn read(
        section: &mut Section<'_, '_>,
        ids: &mut Names,
        secrets: &mut SecretsInUse,
        references: References<'_>,
    ) -> Option<Self> {
        let id = ids.claim(section, "id");
        let name = section.text("name").map(|text| text.value.to_owned());
        let secret = KeySecret::read(section, secrets);
        let previous_hashes = PreviousHash::read_all(section, secrets);
        let enabled = section.flag("enabled", true);
        let scopes = Scope::read_all(section);
        let allowed_models = references.models(section, "allowed_models");
        let denied_models = references.models(section, "denied_models");
        let allowed_providers = references.providers(section, "allowed_providers");
        let denied_providers = references.providers(section, "denied_providers");
        let [organization_id, team_id, project_id, user_id] =
            TenantKind::ALL.map(|kind| section.parsed(kind.key(), names::id));
        let limits = AccountLimits::read(section);
        let cache_enabled = section.flag("cache_enabled", true);
        let log_bodies = section.flag("log_bodies", false);
        let expires_at_unix = section.number_if_set("expires_at_unix", 1..=UNIX_MAX);
        let id = id?;
        Some(Self {
            name: name.unwrap_or_else(|| id.as_ref().to_owned()),
            id,
            secret: secret?,
            previous_hashes,
            enabled,
            scopes,
            allowed_models,
            denied_models,
            allowed_providers,
            denied_providers,
            organization_id,
            team_id,
            project_id,
            user_id,
            limits,
            cache_enabled,
            log_bodies,
            expires_at_unix,
        })
    }

    /// The tenant of this kind that the key itself names.
    pub fn tenant(&self, kind: TenantKind) -> Option<&Arc<str>> {
        match kind {
            TenantKind::Organization => self.organization_id.as_ref(),
            TenantKind::Team => self.team_id.as_ref(),
            TenantKind::Project => self.project_id.as_ref(),
            TenantKind::User => self.user_id.as_ref(),
        }
    }
}
