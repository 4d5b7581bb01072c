//! Reads one TOML table at a time and finds every key in it that nobody knows.
//!
//! A key is known because somebody asked for it: whatever is left in a table when its reader is done is an error.
//! So the keys that are read and the keys that are accepted cannot drift apart. Reading never stops at an error;
//! the caller gets the default and the error is kept. How single values are read is in `values.rs`.

use toml::de::{DeTable, DeValue};

use super::{
    findings::{self, Findings, Place},
    nearest,
    origins::{Located, Origin, place_of_item, start_of},
    values::wrong_type,
};

/// One table of the file, or the absence of one.
pub(super) struct Section<'a, 'i> {
    findings: &'a mut Findings<'i>,
    /// As it is documented, without indexes: `routes.request_headers`.
    name: String,
    origin: Origin<'i>,
    read: Vec<&'static str>,
    /// Keys that are refused with a reason of their own.
    refused: Vec<&'static str>,
    /// Keys that a later version brings; `*_x_*` stands for every key with `_x_` inside.
    later: &'static [&'static str],
}

impl<'a, 'i> Section<'a, 'i> {
    /// Reads the whole document.
    pub(super) fn root<T>(
        findings: &'a mut Findings<'i>,
        table: &'i DeTable<'i>,
        later: &'static [&'static str],
        read: impl FnOnce(&mut Section<'_, 'i>) -> T,
    ) -> T {
        Section {
            findings,
            name: String::new(),
            origin: Origin {
                place: Place::default(),
                table: Some(table),
            },
            read: Vec::new(),
            refused: Vec::new(),
            later,
        }
        .read_whole(read)
    }

    /// Reads the table `[key]`; an absent one reads like an empty one.
    pub(super) fn section<T>(
        &mut self,
        key: &'static str,
        later: &'static [&'static str],
        read: impl FnOnce(&mut Section<'_, 'i>) -> T,
    ) -> T {
        let found = self.value(key);
        let table = found.as_ref().and_then(|found| found.value.as_table());
        if let (Some(found), None) = (&found, table) {
            let message = if found.value.is_array() {
                format!("must be one table: write `[{key}]`")
            } else {
                wrong_type("a table", found.value)
            };
            self.error(&found.place, message);
        }
        let place = found.map_or_else(|| self.place_of(key), |found| found.place);
        self.inner(key, Origin { place, table }, later)
            .read_whole(read)
    }

    /// Reads each table of `[[key]]`; one that cannot be made sense of is left out, its errors kept.
    pub(super) fn sections<T>(
        &mut self,
        key: &'static str,
        later: &'static [&'static str],
        mut read: impl FnMut(&mut Section<'_, 'i>) -> Option<T>,
    ) -> Vec<T> {
        let mut entries = Vec::new();
        for item in self.items(key, "an array of tables") {
            match item.value.as_table() {
                Some(table) => {
                    let origin = Origin {
                        place: item.place,
                        table: Some(table),
                    };
                    let inner = self.inner(key, origin, later);
                    entries.extend(inner.read_whole(&mut read));
                }
                None => self.error(&item.place, wrong_type("a table", item.value)),
            }
        }
        entries
    }

    /// Refuses a key that somebody might try, and says why. It is not known by that.
    pub(super) fn refuse(&mut self, key: &'static str, reason: &str) {
        if let Some(found) = self.origin.entry(key) {
            self.error(&found.place, reason);
            self.refused.push(key);
        }
    }

    /// Whether the key is in the table, whatever it holds; this alone does not make it known.
    pub(super) fn has(&self, key: &str) -> bool {
        let table = self.origin.table;
        table.is_some_and(|table| table.contains_key(key))
    }

    /// Whether the key holds a table; this alone does not make it known.
    pub(super) fn has_table(&self, key: &str) -> bool {
        let found = self.origin.entry(key);
        found.is_some_and(|found| found.value.is_table())
    }

    /// Whether the key holds exactly this text.
    pub(super) fn holds_text(&self, key: &str, text: &str) -> bool {
        let found = self.origin.entry(key);
        found.is_some_and(|found| found.value.as_str() == Some(text))
    }

    pub(super) fn is_empty_array(&self, key: &str) -> bool {
        let array = self
            .origin
            .entry(key)
            .and_then(|found| found.value.as_array());
        array.is_some_and(|array| array.is_empty())
    }

    /// Where a key of this table stands, or the table itself while the key is not set.
    pub(super) fn place_of(&self, key: &str) -> Place {
        self.origin.place_of(key)
    }

    /// This table, for a check that comes later.
    pub(super) fn origin(&self) -> Origin<'i> {
        self.origin.clone()
    }

    /// What the environment variable holds; an empty one counts as unset.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        self.findings.variable(name)
    }

    pub(super) fn error(&mut self, place: &Place, message: impl Into<String>) {
        self.findings.error(place, message);
    }

    pub(super) fn warn(&mut self, place: &Place, message: impl Into<String>) {
        self.findings.warn(place, message);
    }

    /// Reports that something is not there, unless it may have been lost in a syntax error.
    pub(super) fn absence(&mut self, place: &Place, message: impl Into<String>) {
        self.findings.absence(place, message);
    }

    /// Whether this is no file, but a document of the admin API.
    pub(super) fn is_of_document(&self) -> bool {
        self.findings.is_of_document()
    }

    /// Where this table starts.
    pub(super) fn place(&self) -> Place {
        self.origin.place.clone()
    }

    pub(super) fn line_of(&self, place: &Place) -> usize {
        self.findings.line_of(place)
    }

    /// The value of a result; its error is reported.
    pub(super) fn accept<T>(&mut self, place: &Place, result: Result<T, String>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(message) => {
                self.error(place, message);
                None
            }
        }
    }

    fn inner<'b>(
        &'b mut self,
        key: &str,
        origin: Origin<'i>,
        later: &'static [&'static str],
    ) -> Section<'b, 'i> {
        Section {
            name: findings::joined(&self.name, key),
            findings: &mut *self.findings,
            origin,
            read: Vec::new(),
            refused: Vec::new(),
            later,
        }
    }

    fn read_whole<T>(mut self, read: impl FnOnce(&mut Section<'_, 'i>) -> T) -> T {
        let value = read(&mut self);
        self.refuse_the_rest();
        value
    }

    /// Every key that nobody asked for is an error.
    fn refuse_the_rest(self) {
        #[cfg(test)]
        self.findings.note_known(&self.name, &self.read);
        for (key, value) in self.origin.table.into_iter().flatten() {
            let name: &str = key.get_ref();
            if self.read.contains(&name) || self.refused.contains(&name) {
                continue;
            }
            let message = if self.later.iter().any(|later| matches(later, name)) {
                let shown = shown(self.origin.place.key.is_empty(), name, value.get_ref());
                format!("`{shown}` is not yet supported")
            } else {
                format!("unknown key `{}`{}", name.escape_debug(), self.guess(name))
            };
            let place = self.origin.place.child(name, key.span().start);
            self.findings.error(&place, message);
        }
    }

    fn guess(&self, name: &str) -> String {
        let known = self.read.iter().chain(self.later).copied();
        let near = nearest::nearest(name, known.filter(|known| !known.contains('*')));
        match near {
            Some(near) if self.later.contains(&near) => {
                format!("; did you mean `{near}`, which is not yet supported?")
            }
            Some(near) => format!("; did you mean `{near}`?"),
            None => String::new(),
        }
    }

    pub(super) fn items(
        &mut self,
        key: &'static str,
        expected: &str,
    ) -> Vec<Located<&'i DeValue<'i>>> {
        let Some(found) = self.value(key) else {
            return Vec::new();
        };
        let Some(array) = found.value.as_array() else {
            let message = if found.value.is_table() {
                let header = findings::joined(&self.name, key);
                format!("must be {expected}: write `[[{header}]]`")
            } else {
                wrong_type(expected, found.value)
            };
            self.error(&found.place, message);
            return Vec::new();
        };
        let items = array.iter().enumerate();
        items
            .map(|(index, item)| Located {
                value: item.get_ref(),
                place: place_of_item(&found.place, index, item),
            })
            .collect()
    }

    /// The value at `key`, which is known from now on.
    pub(super) fn value(&mut self, key: &'static str) -> Option<Located<&'i DeValue<'i>>> {
        self.read.push(key);
        self.origin.entry(key)
    }

    /// The entries of a table whose keys are the author's own.
    pub(super) fn free_table(
        &mut self,
        key: &'static str,
    ) -> Vec<(Located<&'i str>, Located<&'i DeValue<'i>>)> {
        let Some(found) = self.value(key) else {
            return Vec::new();
        };
        let Some(table) = found.value.as_table() else {
            self.error(&found.place, wrong_type("a table", found.value));
            return Vec::new();
        };
        let entries = table.iter().map(|(name, value)| {
            let start = name.span().start;
            let name: &'i str = name.get_ref();
            let place = found.place.child(name, start);
            let value = Located {
                value: value.get_ref(),
                place: Place {
                    start: start_of(value, start),
                    ..place.clone()
                },
            };
            (Located { value: name, place }, value)
        });
        entries.collect()
    }
}

/// A key as its author wrote it: sections of the top level with their brackets.
fn shown(top_level: bool, key: &str, value: &DeValue<'_>) -> String {
    match value {
        DeValue::Table(_) if top_level => format!("[{key}]"),
        DeValue::Array(_) if top_level => format!("[[{key}]]"),
        _ => key.to_owned(),
    }
}

/// Whether `key` is the one that `pattern` stands for.
fn matches(pattern: &str, key: &str) -> bool {
    match pattern
        .strip_prefix('*')
        .and_then(|rest| rest.strip_suffix('*'))
    {
        Some(inside) => key.contains(inside),
        None => key == pattern,
    }
}
