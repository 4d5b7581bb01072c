//! Reads a YAML document table by table, and finds out which of its keys nobody knows.
//!
//! A key is known because somebody asked for it: whatever is left when a table has been read is an error. Reading goes
//! on after an error, so that all of them come at once; only what is no YAML at all stops at its first.

use std::cell::RefCell;

use serde_saphyr::Spanned;

use super::{
    DataIssue,
    node::{Located, Node},
};

/// A key that is nearer to a known one than this was probably meant to be it.
const TYPING_ERRORS_MAX: usize = 2;
/// Nodes of the largest file that is read, with room to spare.
const NODES_MAX: usize = 4_000_000;
/// How much aliases may repeat: a few lines of them can stand for more than memory holds.
const ALIASED_EVENTS_MAX: usize = 100_000;

const EMPTY: &str = "must not be empty";

/// One table that is being read.
#[derive(Debug)]
pub(super) struct Table<'n> {
    /// `api_keys[0]`; empty for the whole document.
    path: String,
    line: u64,
    entries: &'n [(Spanned<String>, Located)],
    asked: Vec<&'static str>,
    issues: &'n RefCell<Vec<DataIssue>>,
}

/// Reads `text` with `read`; no issues means that what it gives is whole.
pub(super) fn read_document<T>(
    text: &str,
    read: impl FnOnce(&mut Table<'_>) -> T,
) -> Result<T, Vec<DataIssue>> {
    // Snippets of the file in an error could hold a secret.
    let mut options = serde_saphyr::options! {
        with_snippet: false,
        budget: serde_saphyr::budget! { max_nodes: NODES_MAX, max_events: 2 * NODES_MAX },
    };
    options.alias_limits.max_total_replayed_events = ALIASED_EVENTS_MAX;
    let document: Located = serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| vec![not_yaml(&error)])?;
    let issues = RefCell::default();
    let value = Table::read(&document, String::new(), &issues, read);
    let issues = issues.into_inner();
    match value {
        Some(value) if issues.is_empty() => Ok(value),
        _ => Err(issues),
    }
}

fn not_yaml(error: &serde_saphyr::Error) -> DataIssue {
    DataIssue {
        line: error.location().map_or(0, |at| at.line()),
        path: String::new(),
        message: format!("is no YAML document: {error}"),
    }
}

impl<'n> Table<'n> {
    fn read<T>(
        at: &'n Located,
        path: String,
        issues: &'n RefCell<Vec<DataIssue>>,
        read: impl FnOnce(&mut Self) -> T,
    ) -> Option<T> {
        let Node::Table(entries) = &at.node else {
            issues.borrow_mut().push(DataIssue {
                line: at.line,
                path,
                message: at.node.is_not("a table of keys and values"),
            });
            return None;
        };
        let mut table = Self {
            path,
            line: at.line,
            entries,
            asked: Vec::new(),
            issues,
        };
        let value = read(&mut table);
        table.refuse_the_rest();
        Some(value)
    }

    /// Whether the key is there; this makes it known.
    pub(super) fn has(&mut self, key: &'static str) -> bool {
        self.entry(key).is_some()
    }

    pub(super) fn text(&mut self, key: &'static str) -> Option<&'n str> {
        let at = self.entry(key)?;
        match &at.node {
            Node::Text(text) if text.trim().is_empty() => {
                self.error_at(at.line, key, EMPTY.to_owned());
                None
            }
            Node::Text(text) => Some(text),
            other => {
                self.error_at(at.line, key, other.is_not_text());
                None
            }
        }
    }

    pub(super) fn required_text(&mut self, key: &'static str) -> Option<&'n str> {
        if self.entry(key).is_none() {
            self.error(key, "is missing");
        }
        self.text(key)
    }

    pub(super) fn flag(&mut self, key: &'static str, default: bool) -> bool {
        match self.entry(key) {
            None => default,
            Some(Located {
                node: Node::Flag(flag),
                ..
            }) => *flag,
            Some(at) => {
                self.error_at(at.line, key, at.node.is_not("true or false"));
                default
            }
        }
    }

    pub(super) fn texts(&mut self, key: &'static str) -> Vec<&'n str> {
        let mut texts = Vec::new();
        for (index, at) in self.list(key).iter().enumerate() {
            let message = match &at.node {
                Node::Text(text) if text.trim().is_empty() => EMPTY.to_owned(),
                Node::Text(text) => {
                    texts.push(text.as_str());
                    continue;
                }
                other => other.is_not_text(),
            };
            self.error_at(at.line, &format!("{key}[{index}]"), message);
        }
        texts
    }

    /// The table under `key`.
    pub(super) fn table<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Self) -> T,
    ) -> Option<T> {
        let at = self.entry(key)?;
        Self::read(at, self.path_of(key), self.issues, read)
    }

    /// Every table of the list under `key`; one that cannot be made sense of is left out, its errors kept.
    pub(super) fn tables<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Self) -> Option<T>,
    ) -> Vec<T> {
        let mut tables = Vec::new();
        for (index, at) in self.list(key).iter().enumerate() {
            let path = format!("{}[{index}]", self.path_of(key));
            tables.extend(Self::read(at, path, self.issues, &mut read).flatten());
        }
        tables
    }

    /// An error about `key`, at its own line where it is there.
    pub(super) fn error(&self, key: &str, message: impl Into<String>) {
        self.issues.borrow_mut().push(self.issue(key, message));
    }

    /// The same, for the caller to keep.
    pub(super) fn issue(&self, key: &str, message: impl Into<String>) -> DataIssue {
        let line = self
            .entries
            .iter()
            .find(|(name, _)| name.value == key)
            .map_or(self.line, |(_, at)| at.line);
        DataIssue {
            line,
            path: self.path_of(key),
            message: message.into(),
        }
    }

    fn list(&mut self, key: &'static str) -> &'n [Located] {
        match self.entry(key) {
            None => &[],
            Some(Located {
                node: Node::List(list),
                ..
            }) => list,
            Some(at) => {
                self.error_at(at.line, key, at.node.is_not("a list"));
                &[]
            }
        }
    }

    /// `null` is the same as nothing.
    fn entry(&mut self, key: &'static str) -> Option<&'n Located> {
        self.asked.push(key);
        let (_, at) = self.entries.iter().find(|(name, _)| name.value == key)?;
        (!matches!(at.node, Node::Null)).then_some(at)
    }

    fn refuse_the_rest(&self) {
        for (name, _) in self.entries {
            if self.asked.iter().any(|asked| *asked == name.value) {
                continue;
            }
            let nearest = self
                .asked
                .iter()
                .map(|asked| (strsim::osa_distance(asked, &name.value), asked))
                .filter(|(errors, _)| *errors <= TYPING_ERRORS_MAX)
                .min();
            let message = match nearest {
                Some((_, asked)) => format!("is not known; did you mean `{asked}`?"),
                None => "is not known".to_owned(),
            };
            self.error_at(name.referenced.line(), &name.value, message);
        }
    }

    fn error_at(&self, line: u64, key: &str, message: String) {
        self.issues.borrow_mut().push(DataIssue {
            line,
            path: self.path_of(key),
            message,
        });
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }
}
