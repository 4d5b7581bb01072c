//! What is found while one file is read: errors, warnings, and which keys are known.

use std::{collections::HashSet, ops::Range, sync::Arc};

use super::{ConfigErrors, ConfigIssue};

/// A key and the byte of the file it, or its value, starts at.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    pub(super) key: String,
    pub(super) start: usize,
}

impl Place {
    /// The place of a key of the table that stands here.
    pub(super) fn child(&self, key: &str, start: usize) -> Self {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let key = if key.bytes().all(plain) {
            joined(&self.key, key)
        } else {
            joined(&self.key, &key.escape_debug().to_string())
        };
        Self { key, start }
    }
}

/// The file that is read, its environment, and what was found so far.
pub(super) struct Findings<'i> {
    file: Arc<str>,
    text: &'i str,
    /// Byte offset at which each line starts.
    lines: Vec<usize>,
    env: &'i dyn Fn(&str) -> Option<String>,
    errors: Vec<ConfigIssue>,
    warnings: Vec<ConfigIssue>,
    /// Lines that are no TOML. What else is wrong with them is a consequence.
    broken_lines: HashSet<usize>,
    #[cfg(test)]
    known: KnownKeys,
}

impl<'i> Findings<'i> {
    pub(super) fn new(file: &str, text: &'i str, env: &'i dyn Fn(&str) -> Option<String>) -> Self {
        let line_ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0).chain(line_ends.map(|(end, _)| end + 1));
        Self::with_lines(file, text, env, lines.collect())
    }

    /// For what is in no file: its issues have a key and no place.
    pub(super) fn of_document(text: &'i str, env: &'i dyn Fn(&str) -> Option<String>) -> Self {
        Self::with_lines("", text, env, vec![0])
    }

    pub(super) fn text(&self) -> &'i str {
        self.text
    }

    pub(super) fn is_of_document(&self) -> bool {
        self.file.is_empty()
    }

    fn with_lines(
        file: &str,
        text: &'i str,
        env: &'i dyn Fn(&str) -> Option<String>,
        lines: Vec<usize>,
    ) -> Self {
        Self {
            file: file.into(),
            text,
            lines,
            env,
            errors: Vec::new(),
            warnings: Vec::new(),
            broken_lines: HashSet::new(),
            #[cfg(test)]
            known: KnownKeys::new(),
        }
    }

    /// Something that is no TOML. Report these before anything is read.
    pub(super) fn syntax_error(&mut self, span: Option<Range<usize>>, message: &str) {
        let start = span.map_or(self.text.len(), |span| span.start);
        let place = Place {
            key: String::new(),
            start,
        };
        self.error(&place, message);
        let line = self.line_of(&place);
        self.broken_lines.insert(line);
        self.disregard_section_of_header(line);
    }

    /// Below a broken header, keys seem to belong to another section until the next header.
    fn disregard_section_of_header(&mut self, line: usize) {
        if self.is_header(line) {
            let below = (line + 1..=self.lines.len()).take_while(|below| !self.is_header(*below));
            let below: Vec<_> = below.collect();
            self.broken_lines.extend(below);
        }
    }

    fn is_header(&self, line: usize) -> bool {
        let text = self.text.get(self.start_of(line)..).unwrap_or_default();
        text.trim_start_matches([' ', '\t']).starts_with('[')
    }

    /// The byte a line starts at.
    fn start_of(&self, line: usize) -> usize {
        self.lines.get(line - 1).copied().unwrap_or_default()
    }

    pub(super) fn error(&mut self, place: &Place, message: impl Into<String>) {
        let issue = self.issue(place, message.into());
        if !self.broken_lines.contains(&issue.line) {
            self.errors.push(issue);
        }
    }

    /// Something that is not there. Nothing is said in a file with syntax errors, which may have swallowed it.
    pub(super) fn absence(&mut self, place: &Place, message: impl Into<String>) {
        if self.broken_lines.is_empty() {
            self.error(place, message);
        }
    }

    pub(super) fn warn(&mut self, place: &Place, message: impl Into<String>) {
        let issue = self.issue(place, message.into());
        self.warnings.push(issue);
    }

    /// What the environment variable holds; an empty one counts as unset.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        (self.env)(name).filter(|value| !value.is_empty())
    }

    /// Counted from 1.
    pub(super) fn line_of(&self, place: &Place) -> usize {
        self.lines.partition_point(|start| *start <= place.start)
    }

    /// The warnings, or everything that stands against the file; both in its order.
    pub(super) fn conclude(self) -> Result<Vec<ConfigIssue>, ConfigErrors> {
        if self.errors.is_empty() {
            Ok(in_order(self.warnings))
        } else {
            Err(ConfigErrors(in_order(self.errors)))
        }
    }

    fn issue(&self, place: &Place, message: String) -> ConfigIssue {
        if self.is_of_document() {
            return ConfigIssue::without_place(place.key.clone(), message);
        }
        let line = self.line_of(place);
        let before = self.text.get(self.start_of(line)..place.start);
        ConfigIssue {
            file: Arc::clone(&self.file),
            line,
            column: before.unwrap_or_default().chars().count() + 1,
            key: place.key.clone(),
            message,
        }
    }
}

/// The keys that were asked for, by section.
#[cfg(test)]
pub(super) type KnownKeys =
    std::collections::BTreeMap<String, std::collections::BTreeSet<&'static str>>;

/// Tests hold the documentation against the keys that are really read.
#[cfg(test)]
impl Findings<'_> {
    pub(super) fn note_known(&mut self, section: &str, keys: &[&'static str]) {
        self.known
            .entry(section.to_owned())
            .or_default()
            .extend(keys);
    }

    pub(super) fn known(&self) -> &KnownKeys {
        &self.known
    }
}

/// `table.key`, or the key alone at the top level.
pub(super) fn joined(table: &str, key: &str) -> String {
    if table.is_empty() {
        key.to_owned()
    } else {
        [table, ".", key].concat()
    }
}

fn in_order(mut issues: Vec<ConfigIssue>) -> Vec<ConfigIssue> {
    issues.sort_by_key(|issue| (issue.line, issue.column));
    issues.dedup();
    issues
}
