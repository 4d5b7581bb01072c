//! Modules import only from lower layers, so the arrows of `src/` never form a circle; and no file grows past reading.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The modules of `src/`, lowest layer first. A module uses only layers listed before its own.
const LAYERS: &[&[&str]] = &[
    &["clock", "error", "peer", "sealing", "secret_hash", "tasks"],
    &["ids"],
    &["auth_service", "config", "simulator"],
    &["live", "observability"],
    &["outbound"],
    &["cluster", "store"],
    &["cache", "governance", "metering", "routes"],
    &["ai"],
    &["gateway"],
    &["admin", "proxy"],
    &["server"],
    &["cli"],
];

/// What belongs to no layer: the roots that hold the modules together, and a package of its own below all of them.
const OUTSIDE: [&str; 3] = ["lib", "main", "api"];
/// Without its tests. A file near this is due for a split; see the longest ones before raising it.
const FILE_LINES_MAX: usize = 500;

#[test]
fn modules_import_only_downwards() {
    let layer_of = |name: &str| LAYERS.iter().position(|layer| layer.contains(&name));
    let mut wrong = Vec::new();
    for Source { module, file, text } in sources() {
        let Some(own) = layer_of(&module) else {
            wrong.push(format!("{file}: LAYERS does not name `{module}`"));
            continue;
        };
        if text.contains("crate::{") {
            wrong.push(format!("{file}: write one `use crate::…` per module"));
        }
        for used in modules_used(&text).filter(|used| *used != module) {
            if layer_of(used).is_none_or(|layer| layer >= own) {
                wrong.push(format!("{file}: `{module}` must not use `{used}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_layer_is_there() {
    let modules: Vec<_> = sources().into_iter().map(|source| source.module).collect();
    for name in LAYERS.concat() {
        assert!(
            modules.iter().any(|module| module == name),
            "LAYERS names `{name}`, which is not in src/"
        );
    }
}

#[test]
fn files_are_short_and_leave_nothing_to_do() {
    let mut wrong = Vec::new();
    for Source { file, text, .. } in sources() {
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let lines = code.lines().count();
        let is_test = file.contains("/tests");
        if lines > FILE_LINES_MAX && !is_test {
            wrong.push(format!("{file} has {lines} lines"));
        }
        for (index, line) in text.lines().enumerate() {
            if ["TODO", "FIXME", "XXX"]
                .iter()
                .any(|mark| line.contains(mark))
            {
                wrong.push(format!("{file}:{}: {}", index + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// One file of `src/` and the module it belongs to.
struct Source {
    module: String,
    file: String,
    text: String,
}

fn sources() -> Vec<Source> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let mut pending = vec![src.clone()];
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(path).unwrap();
            pending.extend(entries.map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
        .into_iter()
        .map(|path| Source {
            module: module_of(path.strip_prefix(&src).unwrap()),
            text: fs::read_to_string(&path).unwrap(),
            file: path.display().to_string(),
        })
        .filter(|source| !OUTSIDE.contains(&&*source.module))
        .collect()
}

/// `store/writer.rs` and `error.rs` belong to `store` and `error`.
fn module_of(path: &Path) -> String {
    let first = path.components().next().unwrap();
    let name = PathBuf::from(first.as_os_str()).with_extension("");
    name.into_os_string().into_string().unwrap()
}

fn modules_used(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split("crate::").skip(1))
        .filter_map(|rest| {
            rest.split(|c: char| !c.is_alphanumeric() && c != '_')
                .next()
        })
}
