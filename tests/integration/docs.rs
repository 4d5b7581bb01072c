//! The documents show configurations and link to one another; both must be right.
//!
//! A block that begins with ```` ```toml ```` is a whole configuration; a fragment says ```` ```toml,fragment ````.

use std::{
    fs,
    path::{Path, PathBuf},
};

use ferrogate::config;
use ferrogate::error::ErrorKind;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// README, changelog and everything below `docs`.
fn documents() -> Vec<(PathBuf, String)> {
    let root = Path::new(ROOT);
    let mut pending = vec![
        root.join("README.md"),
        root.join("CHANGELOG.md"),
        root.join("docs"),
        root.join("migrations"),
    ];
    let mut found = Vec::new();
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else if path.extension().is_some_and(|extension| extension == "md") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    assert!(found.len() > 5, "{found:?}");
    found
}

/// The text of every fenced block whose info string is `kind`.
fn blocks<'t>(text: &'t str, kind: &str) -> Vec<&'t str> {
    let start = format!("\n```{kind}\n");
    text.split(start.as_str())
        .skip(1)
        .map(|rest| rest.split_once("\n```").map_or(rest, |(block, _)| block))
        .collect()
}

#[test]
fn every_configuration_that_is_shown_is_accepted() {
    // Keys are set; what changes the defaults, such as FERROGATE_LISTEN, is not.
    let env = |name: &str| {
        name.ends_with("_KEY")
            .then(|| format!("a-long-{name}-0123456789"))
    };
    let mut checked = 0;
    for (path, text) in documents() {
        let file = path.display().to_string();
        for block in blocks(&text, "toml") {
            let parsed = config::parse(block, "ferrogate.toml", &env);
            assert!(parsed.is_ok(), "{file}: {:?}\n{block}", parsed.err());
            checked += 1;
        }
        for block in blocks(&text, "toml,fragment") {
            let parsed = block.parse::<toml::Table>();
            assert!(parsed.is_ok(), "{file}: {:?}\n{block}", parsed.err());
            checked += 1;
        }
    }
    assert!(checked > 0, "no document shows a configuration");
}

#[test]
fn every_link_to_a_file_leads_somewhere() {
    for (path, text) in documents() {
        let folder = path.parent().unwrap();
        for rest in text.split("](").skip(1) {
            let target = rest.split_once(')').map_or(rest, |(target, _)| target);
            let file = target.split_once('#').map_or(target, |(file, _)| file);
            if file.is_empty() || file.contains("://") {
                continue;
            }
            assert!(
                folder.join(file).exists(),
                "{} links to {target}, which is not there",
                path.display()
            );
        }
    }
}

#[test]
fn every_metric_has_its_line() {
    let page = include_str!("../../docs/OPERATIONS.md");
    let source = concat!(
        include_str!("../../src/observability/metrics.rs"),
        include_str!("../../src/observability/cache_metrics.rs"),
        include_str!("../../src/observability/alert_metrics.rs")
    );
    let names: Vec<_> = source
        .split('"')
        .filter(|text| {
            text.starts_with("ferrogate_")
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        })
        .collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        let listed = page
            .lines()
            .any(|line| line.starts_with('|') && line.contains(&format!("`{name}`")));
        assert!(listed, "{name}");
    }
}

#[test]
fn the_table_of_checks_names_codes_and_statuses_as_they_are() {
    let page = include_str!("../../docs/GOVERNANCE.md");
    let rows: Vec<Vec<&str>> = page
        .lines()
        .map(|line| line.split('|').map(str::trim).collect())
        .filter(|cells: &Vec<&str>| cells.len() == 8)
        .collect();
    let mut named = 0;
    for cells in rows {
        let statuses: Vec<&str> = cells[4].split(", ").collect();
        for code in cells[3].split('`').skip(1).step_by(2) {
            let kind = ErrorKind::ALL.iter().find(|kind| kind.code() == code);
            let status = kind.map(|kind| kind.status().to_string());
            let status = status.unwrap_or_else(|| panic!("there is no code `{code}`"));
            assert!(statuses.contains(&status.as_str()), "{code}: {status}");
            named += 1;
        }
    }
    assert!(named > 25, "{named} codes");
}

#[test]
fn the_readmes_picture_is_what_the_console_draws() {
    let readme = include_str!("../../README.md");
    let snapshot =
        include_str!("../../tui/tests/console/snapshots/console__screens__overview_80x24.snap");
    let screen = snapshot.splitn(3, "---\n").nth(2).unwrap().trim_end();
    assert!(readme.contains(screen), "README.md wants this:\n{screen}");
}
