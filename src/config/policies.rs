//! `[[policies]]`: which requests are refused although their key could make them.

use std::sync::Arc;

use super::{
    PolicyCondition, TenantKind,
    names::{self, Names},
    reader::Section,
    references::References,
    values::one_of,
};

/// A rule that refuses. A request is refused by the first enabled policy, in their order, whose every list and
/// condition it meets; an empty list is met by all.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// `name`: unique; may hold spaces.
    pub name: Arc<str>,
    /// `enabled`; default true.
    pub enabled: bool,
    /// `organization_ids`, `team_ids`, `project_ids`, `user_ids`: whose requests.
    pub organization_ids: Vec<Arc<str>>,
    pub team_ids: Vec<Arc<str>>,
    pub project_ids: Vec<Arc<str>>,
    pub user_ids: Vec<Arc<str>>,
    /// `api_key_ids`: with which keys.
    pub api_key_ids: Vec<Arc<str>>,
    /// `models`: to which of them; also `mcp_tool:<server>-<tool>`.
    pub models: Vec<Arc<str>>,
    /// `providers`: answered by whom; also `mcp:<server>`.
    pub providers: Vec<Arc<str>>,
    /// `code` of the error; default `policy_denied`.
    pub code: Arc<str>,
    /// `message` of the error.
    pub message: String,
    /// `when`; `None`: always.
    pub when: Option<PolicyCondition>,
}

impl Policy {
    pub(super) const LATER: &'static [&'static str] = &[];

    pub(super) fn read(
        section: &mut Section<'_, '_>,
        policy_names: &mut Names,
        references: References<'_>,
    ) -> Option<Self> {
        let name = policy_names.claim_phrase(section, "name");
        // There is nothing else that a policy can do. The key says it to whoever reads the file.
        section.required("effect", |word| one_of(word, &[("deny", ())]));
        let [organization_ids, team_ids, project_ids, user_ids] =
            TenantKind::ALL.map(|kind| section.all_parsed(kind.list_key(), names::id));
        let policy = Self {
            name: name.clone().unwrap_or_default(),
            enabled: section.flag("enabled", true),
            organization_ids,
            team_ids,
            project_ids,
            user_ids,
            api_key_ids: references.api_keys(section, "api_key_ids"),
            models: references.models(section, "models"),
            providers: references.providers(section, "providers"),
            code: section
                .parsed("code", code)
                .unwrap_or_else(|| "policy_denied".into()),
            message: section
                .parsed("message", message)
                .unwrap_or_else(|| "A policy denies this request.".to_owned()),
            when: PolicyCondition::read(section),
        };
        if policy.enabled && policy.denies_all() && !section.has("when") {
            let place = section.place();
            section.warn(&place, "denies every request");
        }
        name.map(|_| policy)
    }

    fn denies_all(&self) -> bool {
        let tenants = TenantKind::ALL.iter().map(|kind| self.tenants(*kind));
        let mut lists = tenants.chain([&*self.api_key_ids, &self.models, &self.providers]);
        lists.all(<[_]>::is_empty)
    }

    /// The tenants of this kind whose requests it is about.
    pub fn tenants(&self, kind: TenantKind) -> &[Arc<str>] {
        match kind {
            TenantKind::Organization => &self.organization_ids,
            TenantKind::Team => &self.team_ids,
            TenantKind::Project => &self.project_ids,
            TenantKind::User => &self.user_ids,
        }
    }
}

/// Programs compare it.
fn code(text: &str) -> Result<Arc<str>, String> {
    let in_a_code = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if (1..=64).contains(&text.len()) && text.bytes().all(in_a_code) {
        Ok(text.into())
    } else {
        Err("must be 1 to 64 characters of a-z, 0-9 and _".to_owned())
    }
}

/// One line for people.
pub(super) fn message(text: &str) -> Result<String, String> {
    const BYTES_MAX: usize = 1024;
    if text.trim().is_empty() || text.len() > BYTES_MAX || text.chars().any(char::is_control) {
        Err(format!("must be one line of at most {BYTES_MAX} bytes"))
    } else {
        Ok(text.to_owned())
    }
}
