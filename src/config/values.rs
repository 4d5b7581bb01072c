//! Reads single values of a table: typed, ranged and defaulted.

use std::{collections::HashSet, fmt, ops::RangeInclusive, time::Duration};

use toml::de::DeValue;

use super::{nearest, origins::Located, reader::Section};

impl<'i> Section<'_, 'i> {
    pub(super) fn text(&mut self, key: &'static str) -> Option<Located<&'i str>> {
        let found = self.value(key)?;
        self.as_text(found)
    }

    /// A text that has to be there.
    pub(super) fn required_text(&mut self, key: &'static str) -> Option<Located<&'i str>> {
        if !self.has(key) {
            let place = self.place_of(key);
            self.absence(&place, "is missing");
        }
        self.text(key)
    }

    /// A text, turned into something by `parse`.
    pub(super) fn parsed<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.text(key)?;
        self.accept(&text.place, parse(text.value))
    }

    /// A text that has to be there, turned into something by `parse`.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.required_text(key)?;
        self.accept(&text.place, parse(text.value))
    }

    /// An array of texts. Naming one twice is an error.
    pub(super) fn texts(&mut self, key: &'static str) -> Vec<Located<&'i str>> {
        let mut texts: Vec<Located<&'i str>> = Vec::new();
        let mut taken = HashSet::new();
        for item in self.items(key, "an array of strings") {
            let Some(text) = self.as_text(item) else {
                continue;
            };
            if taken.insert(text.value) {
                texts.push(text);
            } else {
                self.error(&text.place, "is in the list twice");
            }
        }
        texts
    }

    /// An array of texts in which one may stand twice.
    pub(super) fn repeatable_texts(&mut self, key: &'static str) -> Vec<String> {
        let items = self.items(key, "an array of strings").into_iter();
        let texts = items.filter_map(|item| self.as_text(item));
        texts.map(|text| text.value.to_owned()).collect()
    }

    /// An array of integers.
    pub(super) fn numbers<T>(&mut self, key: &'static str, range: RangeInclusive<T>) -> Vec<T>
    where
        T: TryFrom<i128> + PartialOrd + fmt::Display,
    {
        let mut numbers = Vec::new();
        for item in self.items(key, "an array of integers") {
            numbers.extend(self.as_number(&item, &range));
        }
        numbers
    }

    /// An array of texts, each turned into something by `parse`.
    pub(super) fn all_parsed<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        let mut values = Vec::new();
        for text in self.texts(key) {
            values.extend(self.accept(&text.place, parse(text.value)));
        }
        values
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        default: T,
        words: &[(&str, T)],
    ) -> T {
        self.parsed(key, |word| one_of(word, words))
            .unwrap_or(default)
    }

    pub(super) fn flag(&mut self, key: &'static str, default: bool) -> bool {
        self.flag_if_set(key).unwrap_or(default)
    }

    pub(super) fn flag_if_set(&mut self, key: &'static str) -> Option<bool> {
        let found = self.value(key)?;
        let flag = found.value.as_bool();
        if flag.is_none() {
            self.error(&found.place, wrong_type("true or false", found.value));
        }
        flag
    }

    pub(super) fn number<T>(&mut self, key: &'static str, default: T, range: RangeInclusive<T>) -> T
    where
        T: TryFrom<i128> + PartialOrd + fmt::Display,
    {
        self.number_if_set(key, range).unwrap_or(default)
    }

    pub(super) fn number_if_set<T>(
        &mut self,
        key: &'static str,
        range: RangeInclusive<T>,
    ) -> Option<T>
    where
        T: TryFrom<i128> + PartialOrd + fmt::Display,
    {
        let found = self.value(key)?;
        self.as_number(&found, &range)
    }

    fn as_number<T>(
        &mut self,
        found: &Located<&'i DeValue<'i>>,
        range: &RangeInclusive<T>,
    ) -> Option<T>
    where
        T: TryFrom<i128> + PartialOrd + fmt::Display,
    {
        let Some(integer) = found.value.as_integer() else {
            self.error(&found.place, wrong_type("an integer", found.value));
            return None;
        };
        let number = i128::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .and_then(|number| T::try_from(number).ok())
            .filter(|number| range.contains(number));
        if number.is_none() {
            let (least, most) = (range.start(), range.end());
            self.error(&found.place, format!("must be from {least} to {most}"));
        }
        number
    }

    /// A time in whole seconds.
    pub(super) fn seconds(
        &mut self,
        key: &'static str,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> Duration {
        Duration::from_secs(self.number(key, default, range))
    }

    /// A time in whole seconds that need not be there.
    pub(super) fn seconds_if_set(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u64>,
    ) -> Option<Duration> {
        self.number_if_set(key, range).map(Duration::from_secs)
    }

    /// A time in milliseconds.
    pub(super) fn millis(
        &mut self,
        key: &'static str,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> Duration {
        Duration::from_millis(self.number(key, default, range))
    }

    /// A decimal number exactly as it is written: as a string, an integer or a float.
    pub(super) fn decimal_text(&mut self, key: &'static str) -> Option<Located<String>> {
        let Located { value, place } = self.value(key)?;
        let value = match value {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(integer) => integer.to_string(),
            DeValue::Float(float) => float.as_str().to_owned(),
            DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
                self.error(&place, wrong_type("a number", value));
                return None;
            }
        };
        Some(Located { value, place })
    }

    fn as_text(&mut self, found: Located<&'i DeValue<'i>>) -> Option<Located<&'i str>> {
        let Located { value, place } = found;
        let Some(value) = value.as_str() else {
            self.error(&place, wrong_type("a string", value));
            return None;
        };
        Some(Located { value, place })
    }
}

/// One of a few words, or which ones there are.
pub(super) fn one_of<T: Copy>(word: &str, words: &[(&str, T)]) -> Result<T, String> {
    let found = words.iter().find(|(known, _)| *known == word);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names = words.iter().map(|(known, _)| *known);
        let list: Vec<String> = names.clone().map(|name| format!("`{name}`")).collect();
        if let [only] = list.as_slice() {
            return format!("must be {only}");
        }
        let guess = nearest::suggestion(word, names);
        format!("must be one of {}{guess}", list.join(", "))
    })
}

/// What a value must be, and what it is.
pub(super) fn wrong_type(expected: &str, found: &DeValue<'_>) -> String {
    let found = match found {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    };
    format!("must be {expected}, not {found}")
}
