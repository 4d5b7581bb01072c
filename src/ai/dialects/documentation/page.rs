//! The page, and the parts of it that are written by these tests.

use std::sync::{Mutex, PoisonError};
use std::{env, fs};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/DIALECTS.md");

/// Tests run side by side, and all of them may write.
static WRITING: Mutex<()> = Mutex::new(());

pub(super) fn read() -> String {
    fs::read_to_string(PAGE).unwrap()
}

/// Compares the table called `name` with what stands in the page, or writes it there.
pub(super) fn hold(name: &str, table: &Table) {
    let _guard = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let page = read();
    let begin = format!("<!-- table: {name} -->\n");
    let (before, rest) = page
        .split_once(&begin)
        .unwrap_or_else(|| panic!("docs/DIALECTS.md has no {begin}"));
    let (found, after) = rest.split_once("<!-- end -->").unwrap();
    let wanted = table.to_string();
    if env::var_os("FERROGATE_BLESS").is_some_and(|value| value == "1") {
        let written = format!("{before}{begin}{wanted}<!-- end -->{after}");
        fs::write(PAGE, written).unwrap();
        return;
    }
    let differing = wanted
        .lines()
        .find(|line| !found.lines().any(|old| old == *line));
    assert!(
        found == wanted,
        "The table `{name}` of docs/DIALECTS.md is not what the code does. Read what changed, and if it is right, \
         write it with FERROGATE_BLESS=1.\n{}",
        differing.unwrap_or("A row is there that should not be, or in another place.")
    );
}

/// A table in Markdown.
#[derive(Debug)]
pub(super) struct Table(String);

impl Table {
    pub(super) fn new<T: AsRef<str>>(columns: &[T]) -> Self {
        let mut table = Self(String::new());
        table.row(columns);
        table.0.push_str(&"|---".repeat(columns.len()));
        table.0.push_str("|\n");
        table
    }

    pub(super) fn row<T: AsRef<str>>(&mut self, cells: &[T]) {
        for cell in cells {
            let cell = cell.as_ref().replace('|', "\\|");
            self.0.push_str(&format!("| {cell} "));
        }
        self.0.push_str("|\n");
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
