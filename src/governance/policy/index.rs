//! Finds the rules that could be meant for a request, without looking at the others.
//!
//! Each rule is kept under every name of its narrowest list: keys before users, users before projects, and so on to
//! providers; a rule without lists is kept apart. A request has one name of each kind, so it meets at most eight lists
//! of rule numbers, each in declared order, and goes through them together from the lowest number up.

use std::sync::Arc;

use hashbrown::HashMap;

use super::Subject;
use crate::config::Policy;

/// What a list of a policy is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Selector {
    Key,
    User,
    Project,
    Team,
    Organization,
    Model,
    Provider,
}

impl Selector {
    /// The narrowest first.
    pub(super) const ALL: [Self; 7] = [
        Self::Key,
        Self::User,
        Self::Project,
        Self::Team,
        Self::Organization,
        Self::Model,
        Self::Provider,
    ];

    /// Whom a policy names; empty: everybody.
    pub(super) fn names(self, policy: &Policy) -> &[Arc<str>] {
        match self {
            Self::Key => &policy.api_key_ids,
            Self::User => &policy.user_ids,
            Self::Project => &policy.project_ids,
            Self::Team => &policy.team_ids,
            Self::Organization => &policy.organization_ids,
            Self::Model => &policy.models,
            Self::Provider => &policy.providers,
        }
    }

    pub(super) fn name_of<'a>(self, subject: &Subject<'a>) -> Option<&'a str> {
        match self {
            Self::Key => Some(subject.key_id),
            Self::User => subject.tenant.user_id.as_deref(),
            Self::Project => subject.tenant.project_id.as_deref(),
            Self::Team => subject.tenant.team_id.as_deref(),
            Self::Organization => subject.tenant.organization_id.as_deref(),
            Self::Model => Some(subject.model),
            Self::Provider => Some(subject.provider),
        }
    }
}

/// Rule numbers by name.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// One for each of [`Selector::ALL`].
    by_name: [HashMap<Arc<str>, Vec<usize>>; Selector::ALL.len()],
    /// Of the rules without lists.
    for_all: Vec<usize>,
}

impl Index {
    /// Adds the next rule, and says which of its lists need not be looked at again in [`Index::candidates`].
    pub(super) fn add(&mut self, number: usize, policy: &Policy) -> Option<Selector> {
        let narrowest = Selector::ALL
            .into_iter()
            .zip(&mut self.by_name)
            .find(|(selector, _)| !selector.names(policy).is_empty());
        let Some((selector, by_name)) = narrowest else {
            self.for_all.push(number);
            return None;
        };
        for name in selector.names(policy) {
            let numbers = by_name.entry(Arc::clone(name)).or_default();
            // A name that stands in the list twice is one.
            if numbers.last() != Some(&number) {
                numbers.push(number);
            }
        }
        Some(selector)
    }

    /// The rules that may be met, in declared order.
    pub(super) fn candidates<'i>(&'i self, subject: &Subject<'_>) -> Candidates<'i> {
        let mut candidates = Candidates {
            lists: [&[]; LISTS],
            left: 0,
        };
        candidates.add(&self.for_all);
        for (selector, by_name) in Selector::ALL.into_iter().zip(&self.by_name) {
            // Most configurations use few kinds of lists: an empty map costs no hash.
            let found = selector
                .name_of(subject)
                .filter(|_| !by_name.is_empty())
                .and_then(|name| by_name.get(name));
            if let Some(numbers) = found {
                candidates.add(numbers);
            }
        }
        candidates
    }
}

const LISTS: usize = Selector::ALL.len() + 1;

/// Goes through sorted lists of numbers as if they were one. No number is in two of them.
#[derive(Debug)]
pub(super) struct Candidates<'i> {
    lists: [&'i [usize]; LISTS],
    /// So many of the lists have something left, and stand first.
    left: usize,
}

impl<'i> Candidates<'i> {
    fn add(&mut self, numbers: &'i [usize]) {
        if !numbers.is_empty() {
            self.lists[self.left] = numbers;
            self.left += 1;
        }
    }
}

impl Iterator for Candidates<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let lists = self.lists[..self.left].iter().enumerate();
        let (place, first, rest) = lists
            .filter_map(|(place, list)| {
                let (first, rest) = list.split_first()?;
                Some((place, *first, rest))
            })
            .min_by_key(|(_, first, _)| *first)?;
        self.lists[place] = rest;
        if rest.is_empty() {
            self.left -= 1;
            self.lists.swap(place, self.left);
        }
        Some(first)
    }
}
