//! What is in the shared file, and what must not be.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::SharedStateError;

const VERSION: u32 = 1;
/// Fields by which a document could carry a secret, or borrow one from the environment of whoever reads it.
const SECRET_FIELDS: [&str; 2] = ["key", "key_env"];

/// Everything that the admin APIs of the cluster made.
#[derive(Debug, Clone, PartialEq)]
pub struct SharedState {
    /// 1 for the first one, and one more with every write.
    pub revision: u64,
    pub updated_at_unix_ms: i64,
    /// The node that wrote it.
    pub node_id: String,
    pub resources: Vec<SharedResource>,
}

/// One tenant, key, policy or profile, as the configuration would write it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedResource {
    pub kind: String,
    /// Unique within its kind.
    pub id: String,
    /// The resource's own.
    pub revision: u64,
    pub document: Value,
    pub created_at_unix_ms: i64,
    pub updated_at_unix_ms: i64,
}

/// The file's form.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    version: u32,
    revision: u64,
    updated_at_unix_ms: i64,
    node_id: String,
    resources: Vec<SharedResource>,
}

impl SharedState {
    /// Reads the file's text; the error says what is wrong with it.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let form: Form = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        if form.version != VERSION {
            return Err(format!("its version is {}, not {VERSION}", form.version));
        }
        if form.revision == 0 {
            return Err("its revision is 0".to_owned());
        }
        let mut names = HashSet::new();
        for resource in &form.resources {
            check(resource).map_err(|error| error.to_string())?;
            if !names.insert((&resource.kind, &resource.id)) {
                return Err(format!(
                    "{} `{}` is in it twice",
                    resource.kind, resource.id
                ));
            }
        }
        Ok(Self {
            revision: form.revision,
            updated_at_unix_ms: form.updated_at_unix_ms,
            node_id: form.node_id,
            resources: form.resources,
        })
    }

    /// The file's text, for people too.
    pub(super) fn text(&self) -> Vec<u8> {
        let form = Form {
            version: VERSION,
            revision: self.revision,
            updated_at_unix_ms: self.updated_at_unix_ms,
            node_id: self.node_id.clone(),
            resources: self.resources.clone(),
        };
        let mut text =
            serde_json::to_vec_pretty(&form).expect("it has text keys and nothing that can fail");
        text.push(b'\n');
        text
    }
}

/// Refuses a resource that may not be written down.
pub(super) fn check(resource: &SharedResource) -> Result<(), SharedStateError> {
    let secret = |field: &&&'static str| {
        let value = resource.document.get(**field);
        value.is_some_and(|value| !value.is_null())
    };
    match SECRET_FIELDS.iter().find(secret) {
        None => Ok(()),
        Some(field) => Err(SharedStateError::PlainSecret {
            kind: resource.kind.clone(),
            id: resource.id.clone(),
            field,
        }),
    }
}
