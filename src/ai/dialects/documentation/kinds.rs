//! Who speaks what: the page repeats what CONFIGURATION.md says of each kind, and names the order of choice.

use std::fs;

use super::matrix::section;
use super::page;
use crate::ai::dialects::Dialect;

const CONFIGURATION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/CONFIGURATION.md");

/// The cells of a table's rows, without its head.
fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let lines = text.lines().filter(|line| line.starts_with("| `"));
    lines.map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
}

#[test]
fn every_kind_of_provider_speaks_what_the_configuration_says() {
    let configuration = fs::read_to_string(CONFIGURATION).unwrap();
    let (_, kinds) = configuration.split_once("\n### Provider kinds\n").unwrap();
    let kinds = kinds.split_once("\n## ").map_or(kinds, |(kinds, _)| kinds);
    let page = page::read();
    let here: Vec<Vec<&str>> = rows(section(&page, "What providers speak")).collect();
    let mut checked = 0;
    for kind in rows(kinds) {
        let own = here.iter().find(|row| row[0] == kind[0]);
        let own = own.unwrap_or_else(|| panic!("docs/DIALECTS.md lacks the kind {}", kind[0]));
        assert_eq!((own[1], own[2]), (kind[2], kind[3]), "{}", kind[0]);
        checked += 1;
    }
    assert!(checked > 0 && checked == here.len());
}

#[test]
fn dialects_are_chosen_in_the_order_that_the_page_names() {
    let words = Dialect::CONVERSING.map(|dialect| format!("`{}`", dialect.as_str()));
    let page = page::read();
    assert!(section(&page, "What providers speak").contains(&words.join(", ")));
}
