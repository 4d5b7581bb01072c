//! What all resources have in common, whatever their kind and whoever declared them: one set of handlers for the list,
//! the one, and its writes.
//!
//! The file's resources are shown beside those of the database, and only the latter can be changed here. What a body
//! must hold is for [`crate::config`] to say, and whether everything still fits together for [`crate::gateway`]. What
//! one kind has of its own is in its module, as an [`AdminResource`]:
//!
//! ```text
//! router ─ resources::list::<Models> ─┬─ Models::all, fits, sort_key      which of them, in which order
//!                                     ├─ listing                          which part
//!                                     └─ Models::view                     what is told of one
//! router ─ resources::merge::<Models> ─┬─ Models::prepare                may this caller do this, and with this body?
//!                                      └─ gateway.put_resource           judge, commit, swap
//! ```

mod handlers;
mod naming;
mod show;
mod write;

pub(super) use handlers::{create, list, merge, remove, replace, show};
pub(super) use naming::{ById, ByName, ResourceName, name_in, set_name};
pub(super) use show::{Shown, shown};
pub(super) use write::{Write, Writer};

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use ferrogate_api::Origin;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{caller::Caller, listing::SortKey, query::Parameters};
use crate::config::ConfigIssue;
use crate::error::{ErrorKind, RequestError};
use crate::gateway::{AlertStatus, Managed, Snapshot};
use crate::store::{ResourceKind, StoredResource};

/// A kind of resource, as its endpoints need to know it.
pub(super) trait AdminResource: Sized + Send + Sync + 'static {
    const KIND: ResourceKind;
    /// What messages call one.
    const NOUN: &'static str;
    /// What its list can be sorted by; the first where nothing else is asked for. `created_at` and `updated_at` are
    /// every kind's, and so is what it is called by; the others are for [`AdminResource::sort_key`].
    const SORTS: &'static [&'static str] = &["name", "created_at", "updated_at"];

    /// What stands for one in a path.
    type Name: ResourceName;
    /// What was declared of one.
    type Value<'s>: Copy + Send;
    /// What is shown of one.
    type View: Serialize + Send;
    /// Which ones are asked for.
    type Filter: Send;

    /// Every one, those of the file first.
    fn all(snapshot: &Snapshot) -> Vec<Of<'_, Self>>;

    /// The one of this name.
    fn find<'s>(snapshot: &'s Snapshot, name: &str) -> Option<Of<'s, Self>> {
        let mut all = Self::all(snapshot).into_iter();
        all.find(|entry| entry.name == name)
    }

    fn view(entry: &Of<'_, Self>, viewing: &Viewing<'_>) -> Self::View;

    fn filter(parameters: &mut Parameters) -> Result<Self::Filter, RequestError>;

    fn fits(filter: &Self::Filter, entry: &Of<'_, Self>) -> bool;

    /// What a search looks into beside the name.
    fn texts<'s>(entry: &Of<'s, Self>) -> Vec<&'s str> {
        let _nothing_more = entry;
        Vec::new()
    }

    /// By a field of its own.
    fn sort_key(entry: &Of<'_, Self>, field: &str, viewing: &Viewing<'_>) -> SortKey {
        let _nothing_of_its_own = (entry, field, viewing);
        SortKey::Nothing
    }

    /// Whether this caller may know of it. Of what is the operator's alone the router keeps others away.
    fn is_visible(entry: &Of<'_, Self>, viewing: &Viewing<'_>) -> bool {
        let _the_operators = (entry, viewing);
        true
    }

    /// Judges a write by who makes it, and completes its body. `before` is what is there already.
    ///
    /// # Errors
    /// Why it may not be made.
    fn prepare(
        document: &mut Map<String, Value>,
        before: Option<&Of<'_, Self>>,
        write: &Write<'_>,
    ) -> Result<(), RequestError> {
        let _taken_as_it_is = (document, before, write);
        Ok(())
    }

    /// Whether this caller may delete it.
    ///
    /// # Errors
    /// Why not.
    fn may_remove(entry: &Of<'_, Self>, write: &Write<'_>) -> Result<(), RequestError> {
        let _the_operators = (entry, write);
        Ok(())
    }
}

/// One resource of a kind.
pub(super) type Of<'s, R> = Entry<'s, <R as AdminResource>::Value<'s>>;

/// One resource, wherever it was declared.
#[derive(Debug, Clone)]
pub(super) struct Entry<'s, V> {
    /// Unique within its kind: what a path calls it.
    pub(super) name: Cow<'s, str>,
    pub(super) value: V,
    pub(super) origin: Origin,
    /// Its row; `None` outside the database.
    pub(super) stored: Option<&'s Arc<StoredResource>>,
    /// Where it stands in the order in which they count, where that means something: those of the file, then the others
    /// from the oldest on.
    pub(super) place: i64,
}

impl<V> Entry<'_, V> {
    pub(super) fn declared(&self) -> Declared {
        let stored = self.stored;
        Declared {
            origin: self.origin,
            revision: stored.map(|row| row.revision),
            created_at_unix_ms: stored.map(|row| row.created_at_unix_ms),
            updated_at_unix_ms: stored.map(|row| row.updated_at_unix_ms),
        }
    }
}

/// Where a resource comes from and when it changed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Declared {
    pub(super) origin: Origin,
    pub(super) revision: Option<u64>,
    pub(super) created_at_unix_ms: Option<i64>,
    pub(super) updated_at_unix_ms: Option<i64>,
}

/// Those of the file, in its order, then those of the database.
pub(super) fn entries<'s, T>(
    file: impl IntoIterator<Item = &'s T>,
    managed: &'s [Managed<T>],
    name: impl Fn(&'s T) -> Cow<'s, str>,
) -> Vec<Entry<'s, &'s T>> {
    let file = (0_i64..).zip(file).map(|(place, value)| Entry {
        name: name(value),
        value,
        origin: Origin::Config,
        stored: None,
        place,
    });
    // No file has so many lines that their numbers reach the times since 1970.
    let managed = managed.iter().map(|one| Entry {
        name: name(&one.value),
        value: &*one.value,
        origin: Origin::Api,
        stored: Some(&one.resource),
        place: one.resource.created_at_unix_ms,
    });
    file.chain(managed).collect()
}

/// The same as they are in force: with what only the whole configuration tells, such as secrets that could be opened.
pub(super) fn as_in_force<'s, T>(
    mut entries: Vec<Entry<'s, &'s T>>,
    in_force: impl IntoIterator<Item = &'s T>,
    name: impl Fn(&'s T) -> &'s str,
) -> Vec<Entry<'s, &'s T>> {
    let known: HashMap<&str, &T> = in_force.into_iter().map(|one| (name(one), one)).collect();
    for entry in &mut entries {
        entry.value = known.get(&*entry.name).copied().unwrap_or(entry.value);
    }
    entries
}

/// Who looks, when, and what is known beside the configuration.
pub(super) struct Viewing<'v> {
    pub(super) snapshot: &'v Snapshot,
    pub(super) caller: &'v Caller,
    pub(super) now_unix_ms: i64,
    /// When each key was last used; only for keys.
    pub(super) last_used: HashMap<Arc<str>, i64>,
    /// How each alert stands that was looked at; only for alerts, and not in a tag.
    pub(super) alerts: HashMap<Arc<str>, AlertStatus>,
}

/// A word of `origin`.
pub(super) fn take_origin(parameters: &mut Parameters) -> Result<Option<Origin>, RequestError> {
    parameters.take_with("origin", |word| {
        let mut origins = Origin::ALL.into_iter();
        origins
            .find(|origin| origin.as_str() == word)
            .ok_or_else(|| "must be `config`, `api` or `implicit`".to_owned())
    })
}

/// A word of `enabled`.
pub(super) fn take_enabled(parameters: &mut Parameters) -> Result<Option<bool>, RequestError> {
    parameters.take_with("enabled", |word| {
        word.parse()
            .map_err(|_| "must be `true` or `false`".to_owned())
    })
}

/// Whether what is asked for is what is there; nothing asked for fits everything.
pub(super) fn is<T: PartialEq>(asked: Option<T>, found: T) -> bool {
    asked.is_none_or(|asked| asked == found)
}

/// A document that says something impossible of its field `field`.
pub(super) fn invalid_resource(field: &'static str, must: &str) -> RequestError {
    RequestError::new(ErrorKind::InvalidResource, format!("`{field}` {must}.")).with_param(field)
}

/// A document that cannot be read, with everything that is wrong in it.
pub(super) fn unreadable(issues: &[ConfigIssue]) -> RequestError {
    let findings: Vec<String> = issues
        .iter()
        .map(|issue| match &*issue.key {
            "" => issue.message.clone(),
            key => format!("`{key}`: {}", issue.message),
        })
        .collect();
    // A finding may end with a question of its own.
    let findings = findings.join("; ");
    RequestError::new(
        ErrorKind::InvalidResource,
        format!("The document cannot be used: {findings}"),
    )
}
