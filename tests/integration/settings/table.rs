//! `docs/OPERATIONS.md` has a table of every setting with the test that shows it at work. Three things must agree: the
//! table, `docs/CONFIGURATION.md` (which `src/config/tests` holds to the readers), and the tests.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

const CONFIGURATION: &str = include_str!("../../../docs/CONFIGURATION.md");
const OPERATIONS: &str = include_str!("../../../docs/OPERATIONS.md");
const HEADING: &str = "## What each setting changes, and the test that shows it";
/// When a setting of a section that is no list takes effect.
const TIMES: [&str; 3] = ["reload", "restart", "new listener"];

/// A section and a key of it.
type Setting = (String, String);

/// The section that a heading is about; empty for the top level and for what is no section.
fn section_of(heading: &str) -> &str {
    let name = heading.split('`').nth(1).unwrap_or_default();
    name.trim_matches(['[', ']'])
}

/// The rows of every table of keys, by the section they stand in.
fn rows(page: &str) -> Vec<(String, Vec<&str>)> {
    let mut section = "";
    let mut rows = Vec::new();
    for line in page.lines() {
        if line.starts_with("## ") || line.starts_with("### ") {
            section = section_of(line);
        }
        if line.starts_with("| `") {
            let cells = line.trim_matches('|').split(" | ").map(str::trim);
            rows.push((section.to_owned(), cells.collect()));
        }
    }
    rows
}

fn documented() -> BTreeSet<Setting> {
    let settings = rows(CONFIGURATION).into_iter().filter(|(_, cells)| {
        // The table of kinds and that of the environment are none of keys.
        let is_timed = cells.get(3).is_some_and(|cell| TIMES.contains(cell));
        cells.len() == 4 + usize::from(is_timed)
    });
    settings
        .map(|(section, cells)| (section, cells[0].trim_matches('`').to_owned()))
        .collect()
}

/// The tests of each setting.
fn shown() -> BTreeMap<Setting, Vec<String>> {
    let (_, table) = OPERATIONS.split_once(HEADING).unwrap();
    let mut shown = BTreeMap::new();
    for (section, cells) in rows(table) {
        let [key, changes, tests] = cells[..] else {
            panic!("three cells: {cells:?}")
        };
        assert_ne!(changes, "", "{section}.{key}");
        let setting = (section, key.trim_matches('`').to_owned());
        let tests = tests
            .split(", ")
            .map(|test| test.trim_matches('`').to_owned());
        let before = shown.insert(setting.clone(), tests.collect());
        assert_eq!(before, None, "{setting:?} has two rows");
    }
    shown
}

#[test]
fn every_setting_has_its_row() {
    let shown: BTreeSet<_> = shown().into_keys().collect();
    let documented = documented();
    assert!(documented.len() > 250, "{}", documented.len());
    let missing: Vec<_> = documented.difference(&shown).collect();
    let unknown: Vec<_> = shown.difference(&documented).collect();
    assert!(missing.is_empty(), "settings without a row: {missing:?}");
    assert!(unknown.is_empty(), "rows without a setting: {unknown:?}");
}

/// Where a test can be: `crate::a::b::tests` is in `src/a/b.rs` or in a file of that name, `a::b` in
/// `tests/integration/a/b.rs`.
fn files_of(module: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (folder, names) = match module.strip_prefix("crate::") {
        Some(names) => (root.join("src"), names),
        None => (root.join("tests/integration"), module),
    };
    let whole = names.split("::").fold(folder, |path, name| path.join(name));
    let mut files = vec![whole.with_extension("rs"), whole.join("mod.rs")];
    if whole.ends_with("tests") {
        let around = whole.parent().unwrap();
        files.extend([around.with_extension("rs"), around.join("mod.rs")]);
    }
    files
}

/// Whether a function of this name stands there under an attribute that makes it a test.
fn has_test(text: &str, name: &str) -> bool {
    let function = format!("fn {name}(");
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let found = lines.iter().position(|line| line.contains(&function));
    found.is_some_and(|found| {
        let above = lines[..found].iter().rev();
        above
            .take_while(|line| line.starts_with("#[") || line.starts_with("///"))
            .any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
    })
}

#[test]
fn every_test_of_the_table_is_there() {
    let mut missing = BTreeSet::new();
    for (setting, tests) in shown() {
        for test in tests {
            let (module, name) = test.rsplit_once("::").unwrap_or_default();
            let is_there = files_of(module)
                .into_iter()
                .filter_map(|file| fs::read_to_string(file).ok())
                .any(|text| has_test(&text, name));
            if !is_there {
                missing.insert(format!("`{test}` of {setting:?}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
