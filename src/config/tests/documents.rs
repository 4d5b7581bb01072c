//! The example and the reference page say what the readers do.

use std::collections::{BTreeMap, BTreeSet};

use toml::de::DeTable;

use super::{
    super::{
        Config,
        findings::{self, Findings, KnownKeys},
        parse,
    },
    EXAMPLE, no_environment,
};

pub(super) const REFERENCE: &str = include_str!("../../../docs/CONFIGURATION.md");

/// One `key = value` of the example, set or not.
struct Line {
    index: usize,
    section: &'static str,
    key: &'static str,
    /// What its comment says the default is, else its value; none with "no default".
    default: Option<&'static str>,
}

fn example_lines() -> Vec<Line> {
    let mut section = "";
    let mut lines = Vec::new();
    for (index, text) in EXAMPLE.lines().enumerate() {
        let text = text.strip_prefix("# ").unwrap_or(text);
        if text.starts_with('[') {
            let name = text.trim_start_matches('[').split_once(']');
            section = name.unwrap().0;
        }
        let Some((key, rest)) = text.split_once(" = ") else {
            continue;
        };
        let (value, comment) = rest.split_once(" #").unwrap_or((rest, ""));
        let mut remarks = comment.split([';', ',']).map(str::trim);
        let stated = remarks
            .clone()
            .find_map(|remark| remark.strip_prefix("default "));
        let default = if remarks.any(|remark| remark == "no default") {
            None
        } else {
            stated.or(Some(value.trim()))
        };
        lines.push(Line {
            index,
            section,
            key,
            default,
        });
    }
    lines
}

#[test]
fn the_example_has_exactly_the_keys_that_are_read() {
    let mut named = BTreeMap::<_, BTreeSet<_>>::new();
    for line in example_lines() {
        named.entry(line.section).or_default().insert(line.key);
    }
    for (section, keys) in known_keys(&everything_set()) {
        let keys: BTreeSet<_> = keys
            .into_iter()
            .filter(|key| !is_section(&section, key))
            .collect();
        assert_eq!(named.remove(&*section), Some(keys), "[{section}]");
    }
    assert_eq!(named, BTreeMap::new(), "sections nobody reads");
}

#[test]
fn the_example_states_the_defaults_that_are_used() {
    let config_with = |line_for: fn(&Line, &str) -> String| {
        let mut text: Vec<_> = EXAMPLE.lines().map(str::to_owned).collect();
        for line in example_lines() {
            if let Some(default) = line.default {
                text[line.index] = line_for(&line, default);
            }
        }
        let loaded = parse(&text.join("\n"), "test.toml", &no_environment);
        format!("{:#?}", loaded.unwrap().config)
    };
    let stated = config_with(|line, default| format!("{} = {default}", line.key));
    let used = config_with(|_, _| String::new());
    assert_eq!(stated, used);
}

#[test]
fn the_reference_has_exactly_the_keys_that_are_read_and_their_defaults() {
    let defaults: BTreeMap<_, _> = example_lines()
        .into_iter()
        .map(|line| ((line.section, line.key), line.default))
        .collect();
    let mut documented = BTreeSet::new();
    let mut section = "";
    for line in REFERENCE.lines() {
        if line.starts_with("## ") || line.starts_with("### ") {
            section = line
                .split('`')
                .nth(1)
                .unwrap_or("")
                .trim_matches(['[', ']']);
        }
        let cells: Vec<_> = line.split(" | ").collect();
        let Some(key) = cells[0].strip_prefix("| `") else {
            continue;
        };
        // Settings say when they take effect, too; the table of kinds is none of keys.
        let is_timed = cells
            .get(3)
            .is_some_and(|cell| ["reload", "restart", "new listener"].contains(cell));
        if cells.len() != 4 + usize::from(is_timed) {
            continue;
        }
        let key = key.trim_end_matches('`');
        documented.insert((section.to_owned(), key.to_owned()));
        let stated = cells[2]
            .strip_prefix('`')
            .map(|cell| cell.trim_end_matches('`'));
        let expected = defaults.get(&(section, key)).copied().flatten();
        let is_derived = (section, key) == ("api_keys", "name");
        assert!(
            stated == expected || is_derived,
            "{section}.{key}: {stated:?}, {expected:?}"
        );
    }
    let read = known_keys(&everything_set())
        .into_iter()
        .flat_map(|(section, keys)| keys.into_iter().map(move |key| (section.clone(), key)))
        .filter(|(section, key)| !is_section(section, key))
        .map(|(section, key)| (section, key.to_owned()))
        .collect();
    assert_eq!(documented, read);
}

/// The example with its last sections switched on, so that every reader is asked.
pub(super) fn everything_set() -> String {
    let headers = ["match", "request", "response"]
        .map(|kind| format!("[[routes.{kind}_headers]]\nname = 'x'\nvalue = 'y'\n"));
    let more = "
        [[api_keys.budgets]]
        tokens = 1
        period = 'day'
        [[api_keys.previous_key_hashes]]
        hash = 'sha256:0000000000000000000000000000000000000000000000000000000000000000'
        expires_at_unix = 1
        [[mcp_servers]]
        [[mcp_servers.headers]]
        [[mcp_servers.env]]
    ";
    format!("{EXAMPLE}\n{}{more}", headers.concat())
}

fn is_section(parent: &str, key: &str) -> bool {
    let names = known_keys(&everything_set());
    names.contains_key(&findings::joined(parent, key))
}

pub(super) fn known_keys(text: &str) -> KnownKeys {
    let document = DeTable::parse(text).unwrap();
    let mut findings = Findings::new("test.toml", text, &no_environment);
    Config::read(&mut findings, &document);
    findings.known().clone()
}
