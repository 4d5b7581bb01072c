//! The names of providers, models, keys, upstreams and routes: unique, and known to those who refer to them.

use std::sync::Arc;

use super::{
    findings::Place,
    nearest,
    reader::{Located, Section},
};

/// The names that one kind of entry has taken.
pub(super) struct Names {
    noun: &'static str,
    /// Each with the line it was taken on.
    taken: Vec<(Arc<str>, usize)>,
}

impl Names {
    pub(super) fn new(noun: &'static str) -> Self {
        Self {
            noun,
            taken: Vec::new(),
        }
    }

    /// Reads the name of an entry. A taken one is an error.
    pub(super) fn claim(
        &mut self,
        section: &mut Section<'_, '_>,
        key: &'static str,
    ) -> Option<Arc<str>> {
        let text = section.required_text(key)?;
        let line = section.line_of(&text.place);
        let earlier = self.taken.iter().find(|(name, _)| **name == *text.value);
        if let Some((_, line)) = earlier {
            let noun = self.noun;
            section.error(
                &text.place,
                format!("another {noun} has this name, on line {line}"),
            );
            return None;
        }
        let name: Arc<str> = text.value.into();
        // A malformed name is taken all the same: those who refer to it need no error of their own.
        self.taken.push((Arc::clone(&name), line));
        section.accept(&text.place, check(&name))?;
        Some(name)
    }

    /// Reads a reference to an entry.
    pub(super) fn refer(
        &self,
        section: &mut Section<'_, '_>,
        key: &'static str,
    ) -> Option<Arc<str>> {
        let text = section.required_text(key)?;
        self.find(section, text)
    }

    /// Reads a list of references.
    pub(super) fn refer_all(
        &self,
        section: &mut Section<'_, '_>,
        key: &'static str,
    ) -> Vec<Arc<str>> {
        let texts = section.texts(key);
        texts
            .into_iter()
            .filter_map(|text| self.find(section, text))
            .collect()
    }

    fn find(&self, section: &mut Section<'_, '_>, text: Located<&str>) -> Option<Arc<str>> {
        let found = self.taken.iter().find(|(name, _)| **name == *text.value);
        if found.is_none() {
            self.report_dangling(section, &text.place, text.value);
        }
        found.map(|(name, _)| Arc::clone(name))
    }

    fn report_dangling(&self, section: &mut Section<'_, '_>, place: &Place, name: &str) {
        if name.starts_with("mcp:") || name.starts_with("mcp_tool:") {
            section.error(
                place,
                format!("`{}` is not yet supported", name.escape_debug()),
            );
            return;
        }
        let guess = nearest::suggestion(name, self.taken.iter().map(|(name, _)| &**name));
        let (noun, name) = (self.noun, name.escape_debug());
        section.absence(place, format!("there is no {noun} `{name}`{guess}"));
    }
}

/// The name of somebody who is not declared in the file: an organization or a project.
pub(super) fn id(name: &str) -> Result<Arc<str>, String> {
    check(name).map(|()| name.into())
}

/// Names stand in headers, metrics, URLs and log lines.
fn check(name: &str) -> Result<(), String> {
    const LENGTH_MAX: usize = 128;
    if name.is_empty() {
        return Err("must not be empty".to_owned());
    }
    if name.len() > LENGTH_MAX {
        return Err(format!("must be at most {LENGTH_MAX} characters long"));
    }
    if !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("must be printable ASCII without spaces".to_owned());
    }
    Ok(())
}
