//! What a reload can change, and what not: the reference says it of every setting, and it is so.

use std::collections::{BTreeMap, BTreeSet};

use super::{super::fingerprint::settings, documents::REFERENCE, *};

/// One row of a table of settings in the reference.
struct Documented {
    section: &'static str,
    key: &'static str,
    kind: &'static str,
    default: &'static str,
    takes_effect: &'static str,
}

impl Documented {
    fn path(&self) -> String {
        match self.section {
            "" => self.key.to_owned(),
            section => format!("{section}.{}", self.key),
        }
    }

    /// Another value than the default, as TOML.
    fn other_value(&self) -> String {
        let words = |text: &'static str| text.split('"').skip(1).step_by(2);
        match self.kind {
            "boolean" => (self.default != "true").to_string(),
            "URL" if self.key == "redis_url" => "'redis://other'".to_owned(),
            "URL" => "'http://127.0.0.1:1'".to_owned(),
            "variable" => "'OTHER'".to_owned(),
            kind if kind.starts_with("path") => "'/other'".to_owned(),
            kind if kind.starts_with("name") => "'other'".to_owned(),
            kind if kind.starts_with("address") => "'127.0.0.1:1'".to_owned(),
            "list of networks or addresses" => "['10.0.0.0/8']".to_owned(),
            "list of header names" => "['x-team']".to_owned(),
            kind if kind.starts_with("list of 1 to 100") => "[7]".to_owned(),
            kind if kind.starts_with('"') => {
                let default = self.default.trim_matches('"');
                let other = words(kind).find(|word| *word != default);
                format!("'{}'", other.unwrap_or(default))
            }
            kind => {
                let (least, most) = kind.split_once(" to ").unwrap();
                let other = [least, most].into_iter().find(|end| *end != self.default);
                other.unwrap().to_owned()
            }
        }
    }
}

/// The settings of the reference; lists of resources are none.
fn documented() -> Vec<Documented> {
    let mut section = None;
    let mut found = Vec::new();
    for line in REFERENCE.lines() {
        if line.starts_with("## ") || line.starts_with("### ") {
            let header = line.split('`').nth(1).unwrap_or_default();
            let table = header
                .strip_prefix('[')
                .filter(|rest| !rest.starts_with('['));
            let top_level = (line == "## Top level").then_some("");
            let name = table.and_then(|rest| rest.strip_suffix(']'));
            section = top_level.or(name.filter(|name| !name.contains('.')));
        }
        let cells: Vec<_> = line.split(" | ").collect();
        if let (Some(section), Some(key)) = (section, cells[0].strip_prefix("| `")) {
            assert_eq!(
                cells.len(),
                5,
                "it does not say when it takes effect: {line}"
            );
            found.push(Documented {
                section,
                key: key.trim_end_matches('`'),
                kind: cells[1].trim_matches('`'),
                default: cells[2].trim_matches('`'),
                takes_effect: cells[3],
            });
        }
    }
    assert!(found.len() > 100);
    found
}

/// What this change would need of a process that runs with nothing else set.
fn needs(text: &str) -> BTreeMap<String, Needs> {
    // Without an address nobody can be asked, so that both stand together.
    const BESIDE: &str = "auth_service.endpoint = 'http://127.0.0.1:2'\n";
    let beside = if text.starts_with("auth_service.enabled") {
        BESIDE
    } else {
        ""
    };
    let env = |name: &str| (name == "OTHER").then(|| "redis://other".to_owned());
    let parsed = |text: &str| {
        let loaded = parse(text, "t", &env);
        loaded
            .unwrap_or_else(|errors| panic!("{errors}\n{text}"))
            .config
    };
    let keys = restart_required(&parsed(beside), &parsed(&format!("{beside}{text}")));
    keys.into_iter().map(|key| (key.key, key.needs)).collect()
}

#[test]
fn every_setting_takes_effect_when_the_reference_says() {
    for setting in documented() {
        let (path, value) = (setting.path(), setting.other_value());
        let found = needs(&format!("{path} = {value}"));
        let expected = match setting.takes_effect {
            "reload" => {
                assert_eq!(found, BTreeMap::new(), "{path} = {value}");
                continue;
            }
            "restart" => Needs::Restart,
            "new listener" => Needs::Listener,
            other => panic!("{path} takes effect with `{other}`"),
        };
        // The variable is another way to say the same.
        let path = path.replace("redis_url_env", "redis_url");
        assert_eq!(
            found.get(&path),
            Some(&expected),
            "{path} = {value}: {found:?}"
        );
    }
}

#[test]
fn every_setting_of_the_fingerprint_is_in_the_reference() {
    let documented: BTreeSet<_> = documented()
        .iter()
        .map(|setting| (setting.path(), setting.takes_effect))
        .collect();
    for (key, needs) in settings() {
        assert!(
            documented.contains(&(key.to_owned(), needs.as_str())),
            "{key}"
        );
    }
}

#[test]
fn a_default_that_is_written_out_is_no_change() {
    let text = "
        listen = '127.0.0.1:8080'
        admin.socket = './ferrogate-data/admin.sock'
        storage.batch_max_records = 1000
    ";
    assert_eq!(needs(text), BTreeMap::new());
    let mut lists = EXAMPLE.split("[[providers]]").skip(1);
    let lists = format!("[[providers]]{}", lists.next().unwrap());
    assert_eq!(needs(&lists), BTreeMap::new(), "lists follow a reload");
}

#[test]
fn a_data_directory_takes_along_what_is_in_it() {
    let found = needs("storage.path = '/other'");
    let keys: Vec<_> = found.keys().map(String::as_str).collect();
    for key in ["admin.socket", "secrets.master_key_file", "storage.path"] {
        assert!(keys.contains(&key), "{key}: {keys:?}");
    }
}
