//! The data file: tenants, keys, roles and bindings in YAML, checked as a whole.
//!
//! Everything that is wrong is said at once, with its line; nothing of a file that has an error is used. No message
//! quotes a secret.

mod document;
mod node;
#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::Arc,
};

use self::document::{Table, read_document};
use super::{
    authority::{Authority, AuthorityParts, Binding, KnownKey, Permission},
    wire::{Subject, Tenant, TenantEntry},
};
use crate::secret_hash::{KeyHash, blake2b, sha256};

/// A file that was read.
#[derive(Debug)]
pub struct Loaded {
    pub authority: Authority,
    /// What works and should not stay.
    pub warnings: Vec<DataIssue>,
}

/// One thing about the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataIssue {
    /// 0 where nothing is known of it.
    pub line: u64,
    /// Such as `api_keys[0].secret`; empty for the whole file.
    pub path: String,
    pub message: String,
}

/// Everything that is wrong with a file, in the order of its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataErrors(pub Vec<DataIssue>);

impl Loaded {
    /// Reads the text of a data file.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(text: &str) -> Result<Self, DataErrors> {
        let mut file = File::default();
        match read_document(text, |root| file.read(root)) {
            Ok(()) => Ok(Self {
                authority: Authority::new(file.parts),
                warnings: file.warnings,
            }),
            Err(mut issues) => {
                issues.sort_by_key(|issue| issue.line);
                Err(DataErrors(issues))
            }
        }
    }
}

#[derive(Debug, Default)]
struct File {
    parts: AuthorityParts,
    roles: HashMap<Arc<str>, Arc<[Permission]>>,
    warnings: Vec<DataIssue>,
    secrets: Secrets,
}

/// Which secrets are taken, so that no key hides another.
#[derive(Debug, Default)]
struct Secrets {
    sha256: HashSet<[u8; 32]>,
    blake2b: HashSet<[u8; 64]>,
}

impl File {
    fn read(&mut self, root: &mut Table<'_>) {
        let mut ids = Ids::default();
        self.parts.tenants = root.tables("tenants", |table| read_tenant(table, &mut ids));
        ids = Ids::default();
        self.parts.keys = root.tables("api_keys", |table| self.read_key(table, &mut ids));
        ids = Ids::default();
        self.roles = root
            .tables("roles", |table| read_role(table, &mut ids))
            .into_iter()
            .collect();
        ids = Ids::default();
        self.parts.bindings = root.tables("bindings", |table| {
            read_binding(table, &self.roles, &mut ids)
        });
    }

    fn read_key(&mut self, table: &mut Table<'_>, ids: &mut Ids) -> Option<KnownKey> {
        let id = ids.read(table);
        // Shown nowhere; the id names the key.
        table.text("name");
        let enabled = table.flag("enabled", true);
        let scopes = table.texts("scopes").into_iter().map(Arc::from).collect();
        let mut tenant = table.table("tenant", read_ids).unwrap_or_default();
        let hash = self.read_hash(table);
        let id = id?;
        match &tenant.api_key_id {
            Some(other) if *other != id => table.error(
                "tenant",
                format!("has the `api_key_id` `{other}`, and the key is `{id}`; leave it out"),
            ),
            _ => tenant.api_key_id = Some(Arc::clone(&id)),
        }
        Some(KnownKey {
            id,
            enabled,
            hash: hash?,
            tenant,
            scopes,
        })
    }

    fn read_hash(&mut self, table: &mut Table<'_>) -> Option<KeyHash> {
        let hash = match (table.has("secret_hash"), table.has("secret")) {
            (true, true) => {
                table.error("secret", "stands beside `secret_hash`; keep one of them");
                return None;
            }
            (false, false) => {
                table.error(
                    "secret_hash",
                    "is missing; `ferrogate hash-key` prints it for a secret",
                );
                return None;
            }
            (true, false) => {
                let text = table.text("secret_hash")?;
                let hash = KeyHash::parse(text);
                if let Err(error) = hash {
                    table.error("secret_hash", format!("cannot be read: {error}"));
                }
                hash.ok()?
            }
            (false, true) => {
                let secret = table.text("secret")?;
                self.warnings.push(table.issue("secret", IN_CLEAR));
                // Taken twice, so that a hash of the older form of the same secret is noticed whichever comes first.
                if !self.secrets.blake2b.insert(blake2b(secret.as_bytes())) {
                    table.error("secret", SAME_SECRET);
                    return None;
                }
                KeyHash::Sha256(sha256(secret.as_bytes()))
            }
        };
        let is_new = match hash {
            KeyHash::Sha256(digest) => self.secrets.sha256.insert(digest),
            KeyHash::Blake2b(digest) => self.secrets.blake2b.insert(digest),
        };
        if !is_new {
            let key = if table.has("secret") {
                "secret"
            } else {
                "secret_hash"
            };
            table.error(key, SAME_SECRET);
        }
        is_new.then_some(hash)
    }
}

const IN_CLEAR: &str =
    "stands in clear; put its hash there as `secret_hash` (`ferrogate hash-key` prints it)";
const SAME_SECRET: &str = "is the secret of a key above, too; requests could not be told apart";

/// The ids of one list.
#[derive(Debug, Default)]
struct Ids(HashSet<Arc<str>>);

impl Ids {
    fn read(&mut self, table: &mut Table<'_>) -> Option<Arc<str>> {
        let id: Arc<str> = table.required_text("id")?.into();
        if !self.0.insert(Arc::clone(&id)) {
            table.error("id", format!("`{id}` stands here twice"));
            return None;
        }
        Some(id)
    }
}

fn read_tenant(table: &mut Table<'_>, ids: &mut Ids) -> Option<TenantEntry> {
    let id = ids.read(table);
    let name = table.text("name").map(Arc::from);
    let enabled = table.flag("enabled", true);
    let context = table.table("context", read_ids).unwrap_or_default();
    if context.ids().iter().all(Option::is_none) {
        // A tenant that is nobody in particular would be everybody, and switching it off would switch off all.
        table.error(
            "context",
            "must name at least one id, such as `organization_id`",
        );
    }
    let id = id?;
    Some(TenantEntry {
        name: name.unwrap_or_else(|| Arc::clone(&id)),
        id,
        enabled,
        context,
    })
}

fn read_role(table: &mut Table<'_>, ids: &mut Ids) -> Option<(Arc<str>, Arc<[Permission]>)> {
    let id = ids.read(table);
    table.text("name");
    let permissions: Vec<_> = table.tables("permissions", |permission| {
        let action = permission.required_text("action").map(Arc::from);
        let resource = permission.required_text("resource").map(Arc::from);
        Some(Permission {
            action: action?,
            resource: resource?,
        })
    });
    Some((id?, permissions.into()))
}

fn read_binding(
    table: &mut Table<'_>,
    roles: &HashMap<Arc<str>, Arc<[Permission]>>,
    ids: &mut Ids,
) -> Option<Binding> {
    let id = ids.read(table);
    let permissions = table.required_text("role_id").and_then(|role| {
        let found = roles.get(role);
        if found.is_none() {
            table.error("role_id", format!("there is no role `{role}` in `roles`"));
        }
        found
    });
    let tenant = table.table("tenant", read_ids).unwrap_or_default();
    if !table.has("subject") {
        table.error("subject", "is missing");
    }
    let subject = table.table("subject", read_subject).flatten();
    id?;
    Some(Binding {
        subject: subject?,
        tenant,
        permissions: Arc::clone(permissions?),
    })
}

fn read_ids(table: &mut Table<'_>) -> Tenant {
    Tenant {
        organization_id: table.text("organization_id").map(Arc::from),
        team_id: table.text("team_id").map(Arc::from),
        project_id: table.text("project_id").map(Arc::from),
        user_id: table.text("user_id").map(Arc::from),
        api_key_id: table.text("api_key_id").map(Arc::from),
    }
}

fn read_subject(table: &mut Table<'_>) -> Option<Subject> {
    match table.required_text("type")? {
        "user" => Some(Subject::User {
            user_id: table.required_text("user_id")?.into(),
        }),
        "service_account" => Some(Subject::ServiceAccount {
            service_account_id: table.required_text("service_account_id")?.into(),
        }),
        "api_key" => Some(Subject::ApiKey {
            api_key_id: table.required_text("api_key_id")?.into(),
        }),
        _ => {
            table.error("type", "must be `user`, `service_account` or `api_key`");
            None
        }
    }
}

impl fmt::Display for DataIssue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        match self.path.as_str() {
            "" => f.write_str("the file"),
            path => f.write_str(path),
        }?;
        write!(f, " {}", self.message)
    }
}

impl fmt::Display for DataErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = self.0.iter();
        if let Some(first) = lines.next() {
            write!(f, "{first}")?;
        }
        lines.try_for_each(|issue| write!(f, "\n{issue}"))
    }
}

impl std::error::Error for DataErrors {}
