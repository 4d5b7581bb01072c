//! `[[tenants]]`: the organizations, teams, projects and users that keys belong to.
//!
//! A tenant that no table declares exists all the same once a key names it: without limits, and as long as no other of
//! its kind is declared (see `cross_check`).

mod context;
mod index;

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    sync::Arc,
};

use ferrogate_api::AccountKind;

pub(super) use self::context::contradictions;
pub use self::{
    context::{effective_context, with_parents},
    index::TenantIndex,
};

use super::{AccountLimits, names, reader::Section, values::one_of};

/// One organization, team, project or user.
#[derive(Debug, Clone, PartialEq)]
pub struct Tenant {
    /// `kind`.
    pub kind: TenantKind,
    /// `id`: unique among those of its kind; what keys and policies refer to.
    pub id: Arc<str>,
    /// `name`; default the id.
    pub name: String,
    /// `parent`, such as `organization:acme`: whom it belongs to.
    pub parent: Option<TenantRef>,
    /// `enabled`; default true. A disabled tenant stops every key that belongs to it.
    pub enabled: bool,
    /// What all its keys may spend together.
    pub limits: AccountLimits,
}

/// What a tenant is, from the widest to the narrowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TenantKind {
    Organization,
    Team,
    Project,
    User,
}

impl TenantKind {
    pub const ALL: [Self; 4] = [Self::Organization, Self::Team, Self::Project, Self::User];

    /// The word in `kind`, and before the colon of a `parent`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Team => "team",
            Self::Project => "project",
            Self::User => "user",
        }
    }

    /// The reverse of [`TenantKind::as_str`].
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The account that a tenant of this kind is.
    pub fn account(self) -> AccountKind {
        match self {
            Self::Organization => AccountKind::Organization,
            Self::Team => AccountKind::Team,
            Self::Project => AccountKind::Project,
            Self::User => AccountKind::User,
        }
    }

    /// What it can belong to. Always something wider, so that no chain of parents comes back to where it began.
    fn parents(self) -> &'static [Self] {
        match self {
            Self::Organization => &[],
            Self::Team | Self::Project => &[Self::Organization],
            Self::User => &[Self::Team, Self::Project, Self::Organization],
        }
    }

    /// The key of `[[api_keys]]` that names one.
    pub fn key(self) -> &'static str {
        match self {
            Self::Organization => "organization_id",
            Self::Team => "team_id",
            Self::Project => "project_id",
            Self::User => "user_id",
        }
    }

    /// The key of `[[policies]]` that names some.
    pub fn list_key(self) -> &'static str {
        match self {
            Self::Organization => "organization_ids",
            Self::Team => "team_ids",
            Self::Project => "project_ids",
            Self::User => "user_ids",
        }
    }
}

/// A tenant as others name it: `organization:acme`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantRef {
    pub kind: TenantKind,
    pub id: Arc<str>,
}

impl fmt::Display for TenantRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.as_str(), self.id)
    }
}

impl Tenant {
    pub(super) const LATER: &'static [&'static str] = &[];

    pub(super) fn read(section: &mut Section<'_, '_>, taken: &mut TenantLines) -> Option<Self> {
        let words = TenantKind::ALL.map(|kind| (kind.as_str(), kind));
        let kind = section.required("kind", |word| one_of(word, &words));
        let id = section.required("id", names::id);
        let name = section.text("name").map(|text| text.value.to_owned());
        let parent = section.parsed("parent", TenantRef::parse);
        let enabled = section.flag("enabled", true);
        let limits = AccountLimits::read(section);
        let (kind, id) = (kind?, id?);
        taken.claim(
            section,
            TenantRef {
                kind,
                id: Arc::clone(&id),
            },
        );
        let parent = parent.and_then(|parent| {
            let place = section.place_of("parent");
            section.accept(&place, check_parent(kind, parent))
        });
        Some(Self {
            kind,
            name: name.unwrap_or_else(|| id.as_ref().to_owned()),
            id,
            parent,
            enabled,
            limits,
        })
    }
}

impl Tenant {
    /// How others name it.
    pub fn reference(&self) -> TenantRef {
        TenantRef {
            kind: self.kind,
            id: Arc::clone(&self.id),
        }
    }
}

/// The tenants that were read, each with its line.
#[derive(Default)]
pub(super) struct TenantLines(HashMap<TenantRef, usize>);

impl TenantLines {
    fn claim(&mut self, section: &mut Section<'_, '_>, tenant: TenantRef) {
        let place = section.place_of("id");
        let line = section.line_of(&place);
        let kind = tenant.kind.as_str();
        match self.0.entry(tenant) {
            Entry::Vacant(free) => {
                free.insert(line);
            }
            Entry::Occupied(taken) => {
                let line = taken.get();
                section.error(
                    &place,
                    format!("another {kind} has this id, on line {line}"),
                );
            }
        }
    }
}

impl TenantRef {
    fn parse(text: &str) -> Result<Self, String> {
        let named = text
            .split_once(':')
            .and_then(|(kind, id)| Some((TenantKind::parse(kind)?, id)));
        let (kind, id) = named.ok_or(
            "must be a kind and an id, such as `organization:acme`; kinds are `organization`, `team`, `project` and `user`",
        )?;
        let id = names::id(id).map_err(|reason| format!("the id behind the colon {reason}"))?;
        Ok(Self { kind, id })
    }
}

fn check_parent(kind: TenantKind, parent: TenantRef) -> Result<TenantRef, String> {
    let possible = kind.parents();
    if possible.contains(&parent.kind) {
        return Ok(parent);
    }
    let possible: Vec<_> = possible
        .iter()
        .map(|kind| format!("`{}`", kind.as_str()))
        .collect();
    let kind = kind.as_str();
    Err(match possible.split_last() {
        None => format!("an {kind} has no parent"),
        Some((only, [])) => format!("the parent of a {kind} must be of kind {only}"),
        Some((last, others)) => {
            let others = others.join(", ");
            format!("the parent of a {kind} must be of kind {others} or {last}")
        }
    })
}
