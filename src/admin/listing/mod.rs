//! Parts of lists that are in memory: sorted, searched, and cut into pages.
//!
//! A page ends with a cursor, which says after which entry the next one begins: by what that entry was sorted, and what
//! it is called. So a page is right even when its last entry is gone by then, or others have come before it. `offset`
//! counts instead, and skips or repeats entries when the list changes between two pages.

use std::cmp::Ordering;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::{query::Parameters, respond::invalid};
use crate::config;
use crate::error::RequestError;

/// What an entry is sorted by. Nothing comes before everything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum SortKey {
    Nothing,
    Number(i64),
    Text(String),
}

impl From<Option<i64>> for SortKey {
    fn from(number: Option<i64>) -> Self {
        number.map_or(Self::Nothing, Self::Number)
    }
}

impl From<&str> for SortKey {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// A part of a list, and where it goes on.
pub(super) type Part<T> = (Vec<T>, Option<String>);

/// Which part of a list is asked for, and in which order.
#[derive(Debug)]
pub(super) struct Listing {
    order: Order,
    begins: Begin,
    limit: usize,
    /// In lower case.
    text: Option<String>,
}

/// A field to sort by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Order {
    field: &'static str,
    descending: bool,
}

#[derive(Debug)]
enum Begin {
    /// After so many entries.
    Offset(usize),
    After(Last),
}

/// The last entry of the page before.
#[derive(Debug, Serialize, Deserialize)]
struct Last {
    /// As it was asked for.
    #[serde(rename = "s")]
    sort: String,
    #[serde(rename = "k")]
    key: SortKey,
    #[serde(rename = "n")]
    name: String,
}

impl Order {
    /// `-field` is the other way round. The first of `fields` counts where nothing is said.
    fn take(
        parameters: &mut Parameters,
        fields: &[&'static str],
    ) -> Result<Option<Self>, RequestError> {
        parameters.take_with("sort", |word| {
            let (descending, word) = match word.strip_prefix('-') {
                Some(word) => (true, word),
                None => (false, word),
            };
            let known = fields.iter().find(|field| **field == word);
            let field = known.ok_or_else(|| {
                format!(
                    "must be one of `{}`, with `-` before it for the other way round",
                    fields.join("`, `")
                )
            })?;
            Ok(Self { field, descending })
        })
    }

    /// The place of the last entry of a page in this order.
    fn read(self, cursor: &str) -> Result<Last, String> {
        let last = Last::parse(cursor).ok_or_else(|| NO_CURSOR.to_owned())?;
        if last.sort == self.word() {
            Ok(last)
        } else {
            Err(format!(
                "belongs to the list with `sort={}`: ask for that, or begin again without it",
                last.sort.escape_debug()
            ))
        }
    }

    fn word(self) -> String {
        let sign = if self.descending { "-" } else { "" };
        format!("{sign}{}", self.field)
    }

    fn compare(self, (one, other): (&SortKey, &SortKey), names: (&str, &str)) -> Ordering {
        let order = one.cmp(other).then_with(|| names.0.cmp(names.1));
        if self.descending {
            order.reverse()
        } else {
            order
        }
    }
}

const NO_CURSOR: &str = "is not the `next_cursor` of a page of this list: begin again";

impl Listing {
    /// Reads `sort`, `cursor` or `offset`, `limit` and `q`. The list is sorted by the first of `fields` where nothing
    /// else is asked for.
    pub(super) fn take(
        parameters: &mut Parameters,
        bounds: &config::Admin,
        fields: &[&'static str],
    ) -> Result<Self, RequestError> {
        let default = Order {
            field: fields.first().copied().unwrap_or("name"),
            descending: false,
        };
        let order = Order::take(parameters, fields)?.unwrap_or(default);
        let place = parameters.take_place(bounds)?;
        let begins = match place.cursor {
            Some(cursor) => {
                let last = order.read(&cursor);
                Begin::After(last.map_err(|must| invalid("cursor", &must))?)
            }
            None => {
                let offset = place.offset.unwrap_or_default();
                Begin::Offset(usize::try_from(offset).unwrap_or(usize::MAX))
            }
        };
        Ok(Self {
            order,
            begins,
            limit: usize::try_from(place.limit).unwrap_or(usize::MAX),
            text: parameters.take_with("q", |text| Ok(text.to_lowercase()))?,
        })
    }

    /// What [`Listing::part`] sorts by.
    pub(super) fn field(&self) -> &'static str {
        self.order.field
    }

    /// Whether one of the texts holds what is looked for.
    pub(super) fn finds<'t>(&self, texts: impl IntoIterator<Item = &'t str>) -> bool {
        let Some(wanted) = &self.text else {
            return true;
        };
        texts
            .into_iter()
            .any(|text| text.to_lowercase().contains(wanted))
    }

    /// The part that was asked for, of entries with their keys and names. No two have the same name.
    pub(super) fn part<N: AsRef<str>, T>(self, mut entries: Vec<(SortKey, N, T)>) -> Part<T> {
        let order = self.order;
        entries.sort_unstable_by(|one, other| {
            order.compare((&one.0, &other.0), (one.1.as_ref(), other.1.as_ref()))
        });
        let from = match &self.begins {
            Begin::Offset(offset) => *offset,
            Begin::After(last) => entries.partition_point(|(key, name, _)| {
                order
                    .compare((key, &last.key), (name.as_ref(), &last.name))
                    .is_le()
            }),
        };
        let more = entries.len() > from.saturating_add(self.limit);
        let mut page: Vec<_> = entries.into_iter().skip(from).take(self.limit).collect();
        let cursor = page.last_mut().filter(|_| more).map(|(key, name, _)| {
            let last = Last {
                sort: order.word(),
                key: std::mem::replace(key, SortKey::Nothing),
                name: name.as_ref().to_owned(),
            };
            last.cursor()
        });
        (
            page.into_iter().map(|(_, _, entry)| entry).collect(),
            cursor,
        )
    }
}

impl Last {
    /// Names may hold anything, so that they travel encoded.
    fn cursor(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::json!(self).to_string())
    }

    fn parse(cursor: &str) -> Option<Self> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()
    }
}

/// A part of a list that has one order, by name.
#[derive(Debug)]
pub(super) struct Paging(Listing);

impl Paging {
    pub(super) fn take(
        parameters: &mut Parameters,
        bounds: &config::Admin,
    ) -> Result<Self, RequestError> {
        Listing::take(parameters, bounds, &["name"]).map(Self)
    }

    pub(super) fn by_name<N: AsRef<str>, T>(
        self,
        entries: impl IntoIterator<Item = (N, T)>,
    ) -> Part<T> {
        let listing = self.0;
        let found = entries
            .into_iter()
            .filter(|(name, _)| listing.finds([name.as_ref()]))
            .map(|(name, entry)| (SortKey::Nothing, name, entry))
            .collect();
        listing.part(found)
    }
}

#[cfg(test)]
mod tests;
