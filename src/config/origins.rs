//! Where tables and values stand in the file.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::findings::Place;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Located<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

/// A table and where it stands, for checks that come when everything is read.
#[derive(Clone)]
pub(super) struct Origin<'i> {
    /// What a missing key is reported at; its key is this table's path, empty for the top level.
    pub(super) place: Place,
    pub(super) table: Option<&'i DeTable<'i>>,
}

impl<'i> Origin<'i> {
    /// Where a key of this table stands, or the table itself while the key is not set.
    pub(super) fn place_of(&self, key: &str) -> Place {
        self.entry(key).map_or_else(
            || self.place.child(key, self.place.start),
            |found| found.place,
        )
    }

    /// Where an item of an array stands.
    pub(super) fn place_of_item(&self, key: &str, index: usize) -> Place {
        let place = self.place_of(key);
        let array = self.entry(key).and_then(|found| found.value.as_array());
        match array.and_then(|array| array.get(index)) {
            Some(item) => place_of_item(&place, index, item),
            None => place,
        }
    }

    pub(super) fn entry(&self, key: &str) -> Option<Located<&'i DeValue<'i>>> {
        let (key, value) = self.table?.get_key_value(key)?;
        Some(Located {
            value: value.get_ref(),
            place: self
                .place
                .child(key.get_ref(), start_of(value, key.span().start)),
        })
    }
}

/// Where an item of an array stands.
pub(super) fn place_of_item(array: &Place, index: usize, item: &Spanned<DeValue<'_>>) -> Place {
    Place {
        key: format!("{}[{index}]", array.key),
        start: start_of(item, array.start),
    }
}

/// Where a value starts. One that the parser made up for a broken line has no place of its own.
pub(super) fn start_of(value: &Spanned<DeValue<'_>>, otherwise: usize) -> usize {
    let span = value.span();
    if span.is_empty() {
        otherwise
    } else {
        span.start
    }
}
