//! The names of providers, models, keys, upstreams, routes and MCP servers: unique, and known to those who refer to them.

use std::sync::Arc;

use hashbrown::HashMap;

use super::{findings::Place, nearest, origins::Located, reader::Section};

/// The names that one kind of entry has taken.
pub(super) struct Names {
    noun: &'static str,
    /// Each with the line it was taken on.
    lines: HashMap<Arc<str>, usize>,
    in_order: Vec<Arc<str>>,
}

impl Names {
    pub(super) fn new(noun: &'static str) -> Self {
        Self {
            noun,
            lines: HashMap::new(),
            in_order: Vec::new(),
        }
    }

    /// Names that were taken elsewhere.
    pub(super) fn of<'n>(noun: &'static str, names: impl Iterator<Item = &'n str>) -> Self {
        let mut taken = Self::new(noun);
        for name in names {
            taken.take(name.into(), 0);
        }
        taken
    }

    /// Reads the name of an entry. A taken one is an error.
    pub(super) fn claim(
        &mut self,
        section: &mut Section<'_, '_>,
        key: &'static str,
    ) -> Option<Arc<str>> {
        self.claim_checked(section, key, check)
    }

    /// Reads the name of an entry that may hold spaces.
    pub(super) fn claim_phrase(
        &mut self,
        section: &mut Section<'_, '_>,
        key: &'static str,
    ) -> Option<Arc<str>> {
        self.claim_checked(section, key, check_phrase)
    }

    /// Reads the name of a server whose tools are called `<name>-<tool>`, by models too.
    pub(super) fn claim_mcp_server(
        &mut self,
        section: &mut Section<'_, '_>,
        key: &'static str,
    ) -> Option<Arc<str>> {
        self.claim_checked(section, key, check_mcp_server)
    }

    fn claim_checked(
        &mut self,
        section: &mut Section<'_, '_>,
        key: &'static str,
        check: fn(&str) -> Result<(), String>,
    ) -> Option<Arc<str>> {
        let text = section.required_text(key)?;
        let line = section.line_of(&text.place);
        if let Some(line) = self.lines.get(text.value) {
            let noun = self.noun;
            section.error(
                &text.place,
                format!("another {noun} has this name, on line {line}"),
            );
            return None;
        }
        let name: Arc<str> = text.value.into();
        // A malformed name is taken all the same: those who refer to it need no error of their own.
        self.take(Arc::clone(&name), line);
        section.accept(&text.place, check(&name))?;
        Some(name)
    }

    fn take(&mut self, name: Arc<str>, line: usize) {
        self.in_order.push(Arc::clone(&name));
        self.lines.insert(name, line);
    }

    /// Reads a reference to an entry.
    pub(super) fn refer(
        &self,
        section: &mut Section<'_, '_>,
        key: &'static str,
    ) -> Option<Arc<str>> {
        let text = section.required_text(key)?;
        self.find(section, &text)
    }

    /// Reads a reference to an entry that need not be there.
    pub(super) fn refer_if_set(
        &self,
        section: &mut Section<'_, '_>,
        key: &'static str,
    ) -> Option<Arc<str>> {
        let text = section.text(key)?;
        self.find(section, &text)
    }

    /// Reads a list of references, which may also hold what `foreign` knows and checks.
    pub(super) fn refer_all(
        &self,
        section: &mut Section<'_, '_>,
        key: &'static str,
        foreign: impl Fn(&str) -> Option<Result<(), String>>,
    ) -> Vec<Arc<str>> {
        let mut found = Vec::new();
        for text in section.texts(key) {
            found.extend(match foreign(text.value) {
                Some(checked) if !self.lines.contains_key(text.value) => section
                    .accept(&text.place, checked)
                    .map(|()| text.value.into()),
                Some(_) | None => self.find(section, &text),
            });
        }
        found
    }

    fn find(&self, section: &mut Section<'_, '_>, text: &Located<&str>) -> Option<Arc<str>> {
        let found = self.lines.get_key_value(text.value);
        if found.is_none() {
            self.report_dangling(section, &text.place, text.value);
        }
        found.map(|(name, _)| Arc::clone(name))
    }

    fn report_dangling(&self, section: &mut Section<'_, '_>, place: &Place, name: &str) {
        let known = self.in_order.iter().map(|name| &**name);
        section.absence(place, dangling(self.noun, name, known));
    }
}

/// That there is nothing of this name, and what was meant perhaps.
pub(super) fn dangling<'n>(
    noun: &str,
    name: &str,
    known: impl Iterator<Item = &'n str> + Clone,
) -> String {
    /// Each guess is measured against every name. With so many a mistake must not cost seconds.
    const NAMES_MAX: usize = 1000;
    let guess = nearest::suggestion(name, known.take(NAMES_MAX));
    let name = name.escape_debug();
    format!("there is no {noun} `{name}`{guess}")
}

/// The name of somebody who need not be declared: a tenant, or a key that another check looks for.
pub(super) fn id(name: &str) -> Result<Arc<str>, String> {
    check(name).map(|()| name.into())
}

/// Names stand in headers, metrics, URLs and log lines.
fn check(name: &str) -> Result<(), String> {
    check_length(name)?;
    if !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("must be printable ASCII without spaces".to_owned());
    }
    Ok(())
}

fn check_phrase(name: &str) -> Result<(), String> {
    check_length(name)?;
    let printable = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    if !name.bytes().all(printable) || name.trim() != name {
        return Err("must be printable ASCII without spaces around it".to_owned());
    }
    Ok(())
}

/// Models call functions by names of letters, digits, `_` and `-`, of which 64 have to be enough for server and tool.
fn check_mcp_server(name: &str) -> Result<(), String> {
    const LENGTH_MAX: usize = 32;
    let in_a_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if (1..=LENGTH_MAX).contains(&name.len()) && name.bytes().all(in_a_name) {
        Ok(())
    } else {
        Err(format!(
            "must be 1 to {LENGTH_MAX} letters, digits and `_`, because its tools are called `<name>-<tool>`"
        ))
    }
}

fn check_length(name: &str) -> Result<(), String> {
    const LENGTH_MAX: usize = 128;
    if name.is_empty() {
        Err("must not be empty".to_owned())
    } else if name.len() > LENGTH_MAX {
        Err(format!("must be at most {LENGTH_MAX} characters long"))
    } else {
        Ok(())
    }
}
