//! The files: inputs by dialect, outputs by pair.

use std::collections::BTreeMap;
use std::path::Path;
use std::{env, fs};

use crate::ai::dialects::Dialect;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");

/// Outputs are written instead of compared.
fn blessing() -> bool {
    env::var_os("FERROGATE_BLESS").is_some_and(|value| value == "1")
}

/// Everything of one kind in a dialect's folder, by scenario.
pub(super) fn inputs(dialect: Dialect, kind: &str) -> BTreeMap<String, Vec<u8>> {
    let folder = Path::new(ROOT).join(dialect.as_str());
    let names = names(&folder, kind);
    let found: BTreeMap<_, _> = names
        .into_iter()
        .map(|name| {
            let scenario = name.split('.').nth(1).unwrap().to_owned();
            (scenario, fs::read(folder.join(name)).unwrap())
        })
        .collect();
    assert!(!found.is_empty(), "{} has no {kind}", folder.display());
    found
}

/// One of them; `scenario` is empty for a file that holds all.
pub(super) fn input(dialect: Dialect, kind: &str, scenario: &str) -> Option<Vec<u8>> {
    let name = match scenario {
        "" => format!("{kind}.json"),
        scenario => format!("{kind}.{scenario}.json"),
    };
    fs::read(Path::new(ROOT).join(dialect.as_str()).join(name)).ok()
}

fn names(folder: &Path, kind: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names
        .filter(|name| name.split('.').next() == Some(kind))
        .collect()
}

/// What the code makes of the inputs, to be compared with the files.
pub(super) struct Outputs {
    kind: &'static str,
    /// By folder and name.
    files: BTreeMap<(String, String), String>,
}

impl Outputs {
    pub(super) fn of(kind: &'static str) -> Self {
        Self {
            kind,
            files: BTreeMap::new(),
        }
    }

    pub(super) fn put(&mut self, client: Dialect, provider: Dialect, name: String, text: String) {
        let folder = format!("{}-to-{}", client.as_str(), provider.as_str());
        let before = self.files.insert((folder, name.clone()), text);
        assert_eq!(before, None, "{name} is made twice");
    }

    /// Compares, or writes; a file that nothing makes any more is as wrong as one that differs.
    pub(super) fn settle(self) {
        let mut problems = Vec::new();
        let mut stale: Vec<(String, String)> = Vec::new();
        for client in Dialect::CONVERSING {
            for provider in Dialect::CONVERSING {
                let folder = format!("{}-to-{}", client.as_str(), provider.as_str());
                let names = names(&Path::new(ROOT).join(&folder), self.kind);
                let files = names.into_iter().map(|name| (folder.clone(), name));
                stale.extend(files.filter(|file| !self.files.contains_key(file)));
            }
        }
        if blessing() {
            for (folder, name) in stale {
                fs::remove_file(Path::new(ROOT).join(folder).join(name)).unwrap();
            }
            for ((folder, name), text) in self.files {
                let folder = Path::new(ROOT).join(folder);
                fs::create_dir_all(&folder).unwrap();
                fs::write(folder.join(name), text).unwrap();
            }
            return;
        }
        for (folder, name) in stale {
            problems.push(format!("{folder}/{name}: nothing makes it any more"));
        }
        for ((folder, name), text) in &self.files {
            let path = Path::new(ROOT).join(folder).join(name);
            match fs::read_to_string(&path) {
                Err(_) => problems.push(format!("{folder}/{name}: is missing")),
                Ok(golden) if golden != *text => {
                    problems.push(format!("{folder}/{name}: {}", difference(&golden, text)));
                }
                Ok(_) => {}
            }
        }
        assert!(
            problems.is_empty(),
            "{} of {} golden files do not hold. Read what changed, and if it is right, bless it with \
             FERROGATE_BLESS=1.\n{}",
            problems.len(),
            self.files.len(),
            problems.join("\n")
        );
    }
}

/// How much is shown of a line that differs.
const SHOWN_CHARS: usize = 160;

/// The first line that differs, from shortly before where it does.
fn difference(golden: &str, text: &str) -> String {
    let (mut golden, mut text) = (golden.lines(), text.lines());
    for line in 1.. {
        match (golden.next(), text.next()) {
            (None, None) => break,
            (was, is) if was != is => {
                let (was, is) = (was.unwrap_or("(nothing)"), is.unwrap_or("(nothing)"));
                let same = was
                    .chars()
                    .zip(is.chars())
                    .take_while(|(was, is)| was == is);
                let skipped = same.count().saturating_sub(20);
                let shown = |line: &str| -> String {
                    line.chars().skip(skipped).take(SHOWN_CHARS).collect()
                };
                return format!(
                    "line {line}\n  golden: {}\n  now:    {}",
                    shown(was),
                    shown(is)
                );
            }
            _ => {}
        }
    }
    "the line ends".to_owned()
}
