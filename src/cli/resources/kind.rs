//! What tells one kind of resource from another: its name in the API, how it is addressed, what a list shows of it, and
//! which of its fields have flags. Everything else is the same for all of them.

use anyhow::bail;
use ferrogate_tui::client::segment;
use serde_json::{Map, Value, json};

use super::fields::Field;
use crate::cli::listing::Column;

/// A kind of resource.
#[derive(Debug)]
pub(in crate::cli) struct Kind {
    /// `key`: what messages call one of them.
    pub(in crate::cli) noun: &'static str,
    /// Below `/admin/v1/`; also its table in the configuration file, with `_` for `-`.
    pub(in crate::cli) path: &'static str,
    pub(in crate::cli) id: Id,
    pub(in crate::cli) columns: &'static [Column],
    pub(in crate::cli) fields: &'static [Field],
    /// What a new one has where nothing else is said: fields that have but one possible value.
    pub(in crate::cli) defaults: &'static [(&'static str, &'static str)],
    /// Keys that no command line may hold, for every user of the machine can read it; and what to do instead.
    pub(in crate::cli) secret_keys: &'static [(&'static str, &'static str)],
}

/// How one is addressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Id {
    /// By this field.
    Field(&'static str),
    /// By kind and id: `organization:acme`.
    KindAndId,
}

/// A kind, as a type: what the commands of all kinds are generic over.
pub(in crate::cli) trait Resource: Clone + Send + Sync + 'static {
    const KIND: &'static Kind;
}

impl Kind {
    /// The path of the one that is called `name`.
    ///
    /// # Errors
    /// When no such thing can be called so.
    pub(in crate::cli) fn path_of(&self, name: &str) -> anyhow::Result<String> {
        match self.id {
            Id::Field(_) => Ok(format!("{}/{}", self.path, segment(name))),
            Id::KindAndId => match name.split_once(':') {
                Some((kind, id)) if !id.is_empty() => {
                    Ok(format!("{}/{}/{}", self.path, segment(kind), segment(id)))
                }
                _ => bail!(
                    "a tenant is named with its kind: organization:{name}, team:{name}, project:{name} or user:{name}"
                ),
            },
        }
    }

    /// Adds the fields that have but one possible value.
    pub(super) fn fill_in(&self, document: &mut Map<String, Value>) {
        for (name, value) in self.defaults {
            document.entry(*name).or_insert_with(|| json!(value));
        }
    }

    /// What it is called in a configuration file: `api_keys`.
    pub(in crate::cli) fn table(&self) -> String {
        self.path.replace('-', "_")
    }
}
