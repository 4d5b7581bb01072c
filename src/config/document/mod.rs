//! A configuration file as it was written, before anything was read into it.
//!
//! What is exported, compared and shown is made of this and not of the resolved [`super::Config`]: only here is it still
//! known what somebody wrote and what is a default, and which variable a secret comes from. The text and the table hold
//! secrets; [`Document::masked_text`], [`diff()`] and [`export()`] never give one away.

mod canonical;
mod diff;
mod export;
mod mask;
#[cfg(test)]
mod tests;
mod values;

use std::{fmt, sync::Arc};

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use toml::{Table, de::DeTable};

pub use self::{
    diff::{diff, unified_diff},
    export::{export, export_managed},
    mask::masked,
};

/// One file: its text, and the same as a table. Cheap to clone.
#[derive(Clone)]
pub struct Document(Arc<Inner>);

struct Inner {
    text: String,
    sha256: String,
    table: Table,
}

/// Why a text is no document.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DocumentError {
    #[error("line {line}: {message}")]
    Syntax { line: usize, message: String },
    #[error("`{key}` holds a date, which no setting is")]
    Date { key: String },
    #[error("it is larger than 16 MiB")]
    TooLarge,
}

impl Document {
    /// Reads a text as TOML. Whether it is a configuration is not asked.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        if super::is_too_large(text.len()) {
            return Err(DocumentError::TooLarge);
        }
        let table = DeTable::parse(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            DocumentError::Syntax {
                line: before.map_or(0, |before| before.matches('\n').count()) + 1,
                message: error.message().to_owned(),
            }
        })?;
        match values::date_in(table.get_ref()) {
            Some(key) => Err(DocumentError::Date { key }),
            None => Ok(Self::of(text, table.get_ref())),
        }
    }

    /// What was parsed already. A date is kept as its text: whoever reads the settings has refused it.
    pub(super) fn of(text: &str, table: &DeTable<'_>) -> Self {
        Self(Arc::new(Inner {
            text: text.to_owned(),
            sha256: format!("{:x}", Sha256::digest(text)),
            table: values::table_of(table),
        }))
    }

    /// As it was written, secrets included.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// Of the text, in 64 hexadecimal digits.
    pub fn sha256_hex(&self) -> &str {
        &self.0.sha256
    }

    /// Its tables, secrets included.
    pub fn table(&self) -> &Table {
        &self.0.table
    }

    /// In canonical form, with `…` for every secret.
    pub fn masked_text(&self) -> String {
        canonical::text(&mask::table(self.table()))
    }

    /// Its tables, with `…` for every secret.
    pub fn masked_json(&self) -> Value {
        values::json_of_table(&mask::table(self.table()))
    }

    /// The entries of one of its lists as documents of the admin API, secrets of keys as hashes.
    pub fn entries(&self, section: &str) -> Vec<Value> {
        let exported = export::without_clear_secrets(self.table());
        let entries = exported.get(section).and_then(toml::Value::as_array);
        let entries = entries.into_iter().flatten();
        entries.map(values::json_of).collect()
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It holds secrets, and a configuration is the same whatever it was written like.
        f.write_str("Document(…)")
    }
}
