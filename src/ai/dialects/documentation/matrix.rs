//! The pair matrix: every cell names tests and golden files that are there.

use std::fs;
use std::path::Path;

use super::{DIALECTS, page};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The lines of the page between a heading and the next one.
pub(super) fn section<'p>(page: &'p str, heading: &str) -> &'p str {
    let (_, rest) = page.split_once(&format!("\n## {heading}\n")).unwrap();
    rest.split_once("\n## ")
        .map_or(rest, |(section, _)| section)
}

/// Everything between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_pair_is_backed_by_a_test_and_golden_files() {
    let page = page::read();
    let matrix = section(&page, "The pair matrix");
    let tests: Vec<&str> = quoted(matrix).filter(|word| word.contains("::")).collect();
    for name in &tests {
        let (file, test) = name.split_once("::").unwrap();
        let path = Path::new(ROOT).join(format!("tests/integration/{file}.rs"));
        let source = fs::read_to_string(&path).unwrap_or_default();
        let there = source.contains(&format!("fn {test}(")) || source.contains(&format!("{test}:"));
        assert!(
            there,
            "docs/DIALECTS.md names the test {name}, which is not there"
        );
    }
    let mut folders = 0;
    for folder in quoted(matrix).filter_map(|word| word.strip_prefix("tests/golden/")) {
        let path = Path::new(ROOT).join("tests/golden").join(folder);
        let files = fs::read_dir(&path).map(Iterator::count);
        assert!(files.is_ok_and(|files| files > 0), "{folder} holds nothing");
        folders += 1;
    }
    for client in DIALECTS {
        for provider in DIALECTS {
            let pair = |between: &str| format!("{}{between}{}", client.as_str(), provider.as_str());
            if client != provider {
                assert!(
                    tests.contains(&&*format!("translation::{}", pair("_to_"))),
                    "{}",
                    pair("_to_")
                );
                assert!(
                    matrix.contains(&format!("`tests/golden/{}`", pair("-to-"))),
                    "{}",
                    pair("-to-")
                );
            }
        }
    }
    assert_eq!(folders, DIALECTS.len() * (DIALECTS.len() - 1));
}
