//! What stands against resources, gathered and told where it stands.

use std::{borrow::Cow, sync::Arc};

use super::{
    super::{ConfigIssue, origins::Origin, reader::Section},
    named::Named,
};

/// What is wrong with one resource, and at which of its keys.
pub(in crate::config) struct Problem {
    pub(super) key: Cow<'static, str>,
    /// In a list.
    pub(super) item: Option<usize>,
    pub(super) message: String,
}

impl Problem {
    pub(in crate::config) fn new(key: impl Into<Cow<'static, str>>, message: String) -> Self {
        Self {
            key: key.into(),
            item: None,
            message,
        }
    }

    /// With an item of a list.
    pub(super) fn of_item(key: &'static str, item: usize, message: String) -> Self {
        Self {
            key: key.into(),
            item: Some(item),
            message,
        }
    }
}

#[derive(Default)]
pub(super) struct Report {
    pub(super) issues: Vec<ConfigIssue>,
    /// Of the resource that is looked at.
    pub(super) problems: Vec<Problem>,
}

impl Report {
    pub(super) fn collect<R: Named>(&mut self, resource: &R) {
        let issues = self.problems.drain(..).map(|problem| {
            let key = match problem.item {
                Some(item) => format!("{}[{item}]", problem.key),
                None => problem.key.into_owned(),
            };
            let path = format!("{}[{}].{key}", R::SECTION, resource.name());
            ConfigIssue::without_place(path, problem.message)
        });
        self.issues.extend(issues);
    }
}

/// The tables of the file, as far as they could be read, with their places.
pub(in crate::config) struct Declared<'i, T> {
    resources: Vec<(Arc<T>, Origin<'i>)>,
    /// Whether every table could be read.
    pub(super) complete: bool,
}

impl<'i, T> Declared<'i, T> {
    /// Reads each table of `[[key]]`.
    pub(in crate::config) fn read(
        root: &mut Section<'_, 'i>,
        key: &'static str,
        later: &'static [&'static str],
        mut read: impl FnMut(&mut Section<'_, 'i>) -> Option<T>,
    ) -> Self {
        let mut complete = true;
        let resources = root.sections(key, later, |section| {
            let origin = section.origin();
            let resource = read(section);
            complete &= resource.is_some();
            resource.map(|resource| (Arc::new(resource), origin))
        });
        Self {
            resources,
            complete,
        }
    }

    /// How many could be read.
    pub(in crate::config) fn len(&self) -> usize {
        self.resources.len()
    }

    pub(super) fn resources(&self) -> impl Iterator<Item = &Arc<T>> {
        self.resources.iter().map(|(resource, _)| resource)
    }

    pub(in crate::config) fn into_resources(self) -> Vec<Arc<T>> {
        let resources = self.resources.into_iter();
        resources.map(|(resource, _)| resource).collect()
    }

    pub(super) fn report(
        &self,
        section: &mut Section<'_, '_>,
        check: impl Fn(&T, &mut Vec<Problem>),
    ) {
        let mut problems = Vec::new();
        for (resource, origin) in &self.resources {
            check(resource, &mut problems);
            for problem in problems.drain(..) {
                let place = match problem.item {
                    Some(item) => origin.place_of_item(&problem.key, item),
                    None => origin.place_of(&problem.key),
                };
                section.absence(&place, problem.message);
            }
        }
    }
}
