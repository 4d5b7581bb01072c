//! What is different between two configurations, without their secrets.

use std::collections::{BTreeMap, BTreeSet};

use ferrogate_api::{ConfigAction, ConfigChange};
use similar::TextDiff;
use toml::{Table, Value};

use super::{
    Document, canonical,
    export::{is_ordered, name_of},
    mask, values,
};

/// What has to happen to `old` to make it `new`.
///
/// For a table the keys that change are told; for an entry of a list whether it is made, changed or deleted; and for a
/// list whose order means something, when that changes.
pub fn diff(old: &Document, new: &Document) -> Vec<ConfigChange> {
    let (old, new) = (old.table(), new.table());
    let mut changes = Changes::default();
    let [before, after] = [(old, new), (new, old)].map(|(one, other)| plain_values(one, other));
    changes.add("", None, [Some(&before), Some(&after)]);
    let mut sections: Table = sections_of(old);
    sections.extend(sections_of(new));
    for (section, _) in canonical::in_order(&sections) {
        let sides = [old.get(section), new.get(section)];
        if sides.into_iter().flatten().any(canonical::is_list) {
            changes.add_list(section, sides);
        } else {
            let tables = sides.map(|side| side.and_then(Value::as_table));
            changes.add(section, None, tables);
        }
    }
    changes.0
}

/// A unified diff of two texts; empty where they are the same.
pub fn unified_diff(old: &str, new: &str) -> String {
    if old == new {
        return String::new();
    }
    let diff = TextDiff::from_lines(old, new);
    diff.unified_diff().header("before", "after").to_string()
}

fn sections_of(table: &Table) -> Table {
    let entries = table.iter();
    entries
        .filter(|(_, value)| canonical::is_section(value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// The keys of the top level that are a section on neither side.
fn plain_values(table: &Table, other: &Table) -> Table {
    let entries = table.iter();
    entries
        .filter(|(key, value)| {
            let elsewhere = other.get(*key);
            !canonical::is_section(value) && !elsewhere.is_some_and(canonical::is_section)
        })
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

#[derive(Default)]
struct Changes(Vec<ConfigChange>);

impl Changes {
    fn add_list(&mut self, section: &str, sides: [Option<&Value>; 2]) {
        let lists = sides.map(|side| entries_of(section, side));
        let [old, new] = lists.each_ref().map(|list| {
            let named = list.iter().map(|(name, entry)| (name.as_str(), *entry));
            named.collect::<BTreeMap<_, _>>()
        });
        let names: BTreeSet<_> = old.keys().chain(new.keys()).copied().collect();
        for name in names {
            let sides = [old.get(name).copied(), new.get(name).copied()];
            self.add(section, Some(name), sides);
        }
        let [before, after] = [(&lists[0], &new), (&lists[1], &old)].map(|(list, other)| {
            let names = list.iter().map(|(name, _)| name.as_str());
            names
                .filter(|name| other.contains_key(name))
                .collect::<Vec<_>>()
        });
        if is_ordered(section) && before != after {
            self.0.push(ConfigChange {
                section: section.to_owned(),
                name: None,
                action: ConfigAction::Update,
                before: Some(before.into()),
                after: Some(after.into()),
            });
        }
    }

    fn add(&mut self, section: &str, name: Option<&str>, sides: [Option<&Table>; 2]) {
        let [before, after] = match sides {
            [Some(old), Some(new)] => {
                [(old, new), (new, old)].map(|(one, other)| Some(what_differs(one, other)))
            }
            sides => sides.map(|side| side.cloned()),
        };
        let action = match (&before, &after) {
            (None, None) => return,
            (None, Some(_)) => ConfigAction::Create,
            (Some(_), None) => ConfigAction::Delete,
            (Some(old), Some(new)) if old.is_empty() && new.is_empty() => return,
            (Some(_), Some(_)) => ConfigAction::Update,
        };
        let after = after.map(|after| mask::against(&after, before.as_ref()));
        let before = before.as_ref().map(mask::table);
        self.0.push(ConfigChange {
            section: section.to_owned(),
            name: name.map(ToOwned::to_owned),
            action,
            before: before.as_ref().map(values::json_of_table),
            after: after.as_ref().map(values::json_of_table),
        });
    }
}

/// In their order, each with its name.
fn entries_of<'v>(section: &str, list: Option<&'v Value>) -> Vec<(String, &'v Table)> {
    let entries = list.and_then(Value::as_array).into_iter().flatten();
    entries
        .filter_map(|entry| Some((name_of(section, entry), entry.as_table()?)))
        .collect()
}

fn what_differs(table: &Table, other: &Table) -> Table {
    let entries = table.iter();
    entries
        .filter(|(key, value)| other.get(*key) != Some(value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}
