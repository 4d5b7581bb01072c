//! Who spends: keys, and the tenants they belong to.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Object, RefOr,
        schema::{Schema, Type},
    },
};

/// What limits and budgets can stand on, from the narrowest to the widest.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum AccountKind {
    Key,
    User,
    Project,
    Team,
    Organization,
}

impl AccountKind {
    pub const ALL: [Self; 5] = [
        Self::Key,
        Self::User,
        Self::Project,
        Self::Team,
        Self::Organization,
    ];

    /// The name on the wire, in the database and in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::User => "user",
            Self::Project => "project",
            Self::Team => "team",
            Self::Organization => "organization",
        }
    }

    /// The reverse of [`AccountKind::as_str`].
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// One account: a key or a tenant. Written `organization:acme`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountRef {
    pub kind: AccountKind,
    pub id: Arc<str>,
}

// By hand: on the wire it is the text of its `Display`.
impl PartialSchema for AccountRef {
    fn schema() -> RefOr<Schema> {
        Object::builder()
            .schema_type(Type::String)
            .description(Some("An account: its kind and its id."))
            .examples(["key:dev"])
            .pattern(Some("^(key|user|project|team|organization):[\\s\\S]"))
            .into()
    }
}

impl ToSchema for AccountRef {}

impl fmt::Display for AccountRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.as_str(), self.id)
    }
}

/// An account that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRefError;

impl fmt::Display for AccountRefError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an account is written `key:ID`, `user:ID`, `project:ID`, `team:ID` or `organization:ID`")
    }
}

impl std::error::Error for AccountRefError {}

impl FromStr for AccountRef {
    type Err = AccountRefError;

    fn from_str(text: &str) -> Result<Self, AccountRefError> {
        let (kind, id) = text.split_once(':').ok_or(AccountRefError)?;
        let kind = AccountKind::parse(kind).ok_or(AccountRefError)?;
        if id.is_empty() {
            return Err(AccountRefError);
        }
        Ok(Self {
            kind,
            id: id.into(),
        })
    }
}

impl Serialize for AccountRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AccountRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// The tenants that a key belongs to, as far as it says or its parents imply.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct TenantContext {
    /// The organization; absent without one.
    pub organization_id: Option<Arc<str>>,
    /// The team; absent without one.
    pub team_id: Option<Arc<str>>,
    /// The project; absent without one.
    pub project_id: Option<Arc<str>>,
    /// The user; absent without one.
    pub user_id: Option<Arc<str>>,
}

impl TenantContext {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The tenant of this kind. A key is no tenant.
    pub fn get(&self, kind: AccountKind) -> Option<&Arc<str>> {
        match kind {
            AccountKind::Key => None,
            AccountKind::User => self.user_id.as_ref(),
            AccountKind::Project => self.project_id.as_ref(),
            AccountKind::Team => self.team_id.as_ref(),
            AccountKind::Organization => self.organization_id.as_ref(),
        }
    }
}

/// What a budget counts.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum BudgetUnit {
    /// Input and output tokens.
    Tokens,
    /// Money, in nano-units (10⁻⁹) wherever it is a whole number.
    Money,
}

impl BudgetUnit {
    pub const ALL: [Self; 2] = [Self::Tokens, Self::Money];

    /// The name on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Money => "money",
        }
    }

    /// The reverse of [`BudgetUnit::as_str`].
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|unit| unit.as_str() == name)
    }
}

/// One balance: what an account has used of one unit in one period. Budgets that count the same have one balance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BalanceKey {
    pub account: AccountRef,
    pub unit: BudgetUnit,
    pub start_unix_ms: i64,
    /// Not part of it any more; `i64::MAX` for a period that never ends.
    pub end_unix_ms: i64,
}

/// After how long a budget begins anew: calendar periods in its time zone.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum BudgetPeriod {
    Hour,
    Day,
    /// From Monday (ISO 8601).
    Week,
    Month,
    /// Never.
    Total,
}

impl BudgetPeriod {
    pub const ALL: [Self; 5] = [Self::Hour, Self::Day, Self::Week, Self::Month, Self::Total];

    /// The name on the wire and in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Total => "total",
        }
    }
}

/// What the cache had to do with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CacheStatus {
    /// Answered from it.
    Hit,
    /// Looked up and not found.
    Miss,
    /// Not looked up, because the request or a setting said so.
    Bypass,
}

impl CacheStatus {
    pub const ALL: [Self; 3] = [Self::Hit, Self::Miss, Self::Bypass];

    /// The name on the wire, in the database and in metric labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Bypass => "bypass",
        }
    }

    /// The reverse of [`CacheStatus::as_str`].
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_reads_what_it_prints() {
        for kind in AccountKind::ALL {
            let account = AccountRef {
                kind,
                id: "a:b".into(),
            };
            assert_eq!(account.to_string().parse(), Ok(account));
        }
        for wrong in ["", "key", "key:", "keys:a", ":a"] {
            assert_eq!(wrong.parse::<AccountRef>(), Err(AccountRefError), "{wrong}");
        }
    }
}
