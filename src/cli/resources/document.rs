//! The document of a resource, put together from a file, from flags and from `--set`.

use std::{
    fs,
    io::{self, Read},
    path::Path,
};

use anyhow::{Context, bail};
use serde_json::{Map, Value};

use super::kind::Kind;

/// What is not a flag of its own.
#[derive(Debug, Clone, Default, clap::Args)]
pub(in crate::cli) struct DocumentArgs {
    /// Read the fields from a file, JSON or TOML; `-` is standard input. What has a flag wins over it
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    file: Option<std::path::PathBuf>,
    /// Set any field: a value in JSON, or a word as it stands; dots lead into tables. Can be repeated
    #[arg(long = "set", value_name = "FIELD=JSON", value_parser = assignment)]
    set: Vec<(String, Value)>,
}

impl DocumentArgs {
    /// The document that these arguments make together with what flags made.
    ///
    /// # Errors
    /// When the file cannot be read, or a secret stands on the command line.
    pub(in crate::cli) fn document(
        &self,
        kind: &Kind,
        flags: Map<String, Value>,
    ) -> anyhow::Result<Map<String, Value>> {
        let mut document = match &self.file {
            Some(path) => read(kind, path)?,
            None => Map::new(),
        };
        merge(&mut document, flags);
        for (key, value) in &self.set {
            let secret = kind.secret_keys.iter().find(|(name, _)| name == key);
            if let Some((name, instead)) = secret {
                bail!("--set {name} would show a secret to every user of this machine: {instead}");
            }
            set_at(&mut document, key, value.clone());
        }
        Ok(document)
    }
}

/// A file may hold more than is needed; nobody writes one by hand that is larger.
const FILE_BYTES_MAX: u64 = 4 << 20;

fn read(kind: &Kind, path: &Path) -> anyhow::Result<Map<String, Value>> {
    let text = read_text(path)?;
    let name = path.display();
    let is_json = path
        .extension()
        .is_some_and(|extension| extension == "json")
        || text.trim_start().starts_with('{');
    let value: Value = if is_json {
        serde_json::from_str(&text).with_context(|| format!("{name} is not JSON"))?
    } else {
        toml::from_str(&text).with_context(|| format!("{name} is not TOML"))?
    };
    let Value::Object(document) = value else {
        bail!("{name} does not hold one object");
    };
    one_of_table(kind, document).with_context(|| format!("{name} cannot be taken"))
}

/// A file with `[[api_keys]]` in it, as the configuration has them, means the one that stands there.
fn one_of_table(kind: &Kind, document: Map<String, Value>) -> anyhow::Result<Map<String, Value>> {
    let table = kind.table();
    if document.len() != 1 || !document.contains_key(&table) {
        return Ok(document);
    }
    match document.into_iter().next() {
        Some((_, Value::Array(items))) if items.len() == 1 => match items.into_iter().next() {
            Some(Value::Object(document)) => Ok(document),
            _ => bail!("`{table}` holds no table"),
        },
        _ => bail!("it must have exactly one [[{table}]]"),
    }
}

fn read_text(path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        io::stdin()
            .lock()
            .take(FILE_BYTES_MAX + 1)
            .read_to_string(&mut text)
    } else {
        fs::File::open(path)
            .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text))
    };
    read.with_context(|| format!("{} cannot be read", path.display()))?;
    if u64::try_from(text.len()).is_ok_and(|length| length > FILE_BYTES_MAX) {
        bail!("{} is larger than 4 MiB", path.display());
    }
    Ok(text)
}

/// `field=value`, where a value is JSON or a word.
fn assignment(text: &str) -> anyhow::Result<(String, Value)> {
    let Some((key, value)) = text.split_once('=').filter(|(key, _)| !key.is_empty()) else {
        bail!("FIELD=JSON is expected");
    };
    let read = match serde_json::from_str(value) {
        Ok(value) => value,
        // What begins as JSON is meant as JSON, and a mistake in it must not pass as a word.
        Err(error) if value.starts_with(['{', '[', '"']) => {
            bail!("the value of `{key}` is no JSON: {error}")
        }
        Err(_) => Value::String(value.to_owned()),
    };
    Ok((key.to_owned(), read))
}

/// Sets the field at a path of names, making the tables on the way.
pub(in crate::cli) fn set_at(document: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        Some((first, rest)) => set_at(table_in(document, first), rest, value),
        None => {
            document.insert(path.to_owned(), value);
        }
    }
}

/// Appends to the list at a path of names.
pub(in crate::cli) fn push_at(document: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        Some((first, rest)) => push_at(table_in(document, first), rest, value),
        None => match document.entry(path).or_insert(Value::Null) {
            Value::Array(list) => list.push(value),
            other => *other = Value::Array(vec![value]),
        },
    }
}

/// The table of this name, which is made where there is none.
fn table_in<'d>(document: &'d mut Map<String, Value>, name: &str) -> &'d mut Map<String, Value> {
    let inner = document.entry(name).or_insert(Value::Null);
    if !inner.is_object() {
        *inner = Value::Object(Map::new());
    }
    inner
        .as_object_mut()
        .expect("it was made an object one line above")
}

/// Puts what `over` says over what `document` says, table by table.
pub(in crate::cli) fn merge(document: &mut Map<String, Value>, over: Map<String, Value>) {
    for (key, value) in over {
        match (document.get_mut(&key), value) {
            (Some(Value::Object(inner)), Value::Object(over)) => merge(inner, over),
            (_, value) => {
                document.insert(key, value);
            }
        }
    }
}

/// A view without what it does not say: the gateway shows every key, and takes none that is `null`.
pub(in crate::cli) fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| (name.clone(), without_nulls(value)))
                .collect(),
        ),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{keys::Keys, kind::Resource, providers::Providers};
    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn a_value_is_json_or_a_word() {
        let check = |text: &str, expected: Option<(&str, Value)>| {
            let read = assignment(text).ok();
            let read = read.as_ref().map(|(key, value)| (&**key, value.clone()));
            assert_eq!(read, expected, "{text}");
        };
        check("a=1", Some(("a", json!(1))));
        check("a=null", Some(("a", Value::Null)));
        check("a=[1,\"b\"]", Some(("a", json!([1, "b"]))));
        check("a=fast chat", Some(("a", json!("fast chat"))));
        check("a=\"true\"", Some(("a", json!("true"))));
        check("a=", Some(("a", json!(""))));
        check("a=[1", None);
        check("a={x}", None);
        check("=1", None);
        check("a", None);
    }

    #[test]
    fn a_path_leads_into_tables() {
        let mut document = map(json!({"when": {"days": ["mon"]}, "a": 1}));
        set_at(&mut document, "when.hours", json!("8:00-9:00"));
        set_at(&mut document, "a.b", json!(2));
        push_at(&mut document, "when.days", json!("tue"));
        push_at(&mut document, "list", json!(1));
        push_at(&mut document, "list", json!(2));
        push_at(&mut document, "new.list", json!(3));
        assert_eq!(
            Value::Object(document),
            json!({
                "when": {"days": ["mon", "tue"], "hours": "8:00-9:00"},
                "a": {"b": 2},
                "list": [1, 2],
                "new": {"list": [3]},
            })
        );
    }

    fn from_file(kind: &Kind, name: &str, text: &str) -> anyhow::Result<Value> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        let args = DocumentArgs {
            file: Some(path),
            set: vec![("name".to_owned(), json!("set"))],
        };
        let flags = map(json!({"id": "flag", "when": {"b": 2}}));
        args.document(kind, flags).map(Value::Object)
    }

    #[test]
    fn flags_win_over_the_file_and_set_over_both() {
        let expected = json!({"id": "flag", "name": "set", "when": {"a": 1, "b": 2}});
        for (name, text) in [
            (
                "a.json",
                r#"{"id": "file", "name": "file", "when": {"a": 1}}"#,
            ),
            ("a.toml", "id = \"file\"\nname = \"file\"\n[when]\na = 1\n"),
            (
                "a",
                "[[api_keys]]\nid = \"file\"\nname = \"file\"\nwhen = {a = 1}\n",
            ),
        ] {
            let read = from_file(Keys::KIND, name, text).unwrap();
            assert_eq!(read, expected, "{text}");
        }
        for (name, text, about) in [
            ("a.json", "[]", "does not hold one object"),
            ("a.json", "{", "is not JSON"),
            ("a.toml", "id = ", "is not TOML"),
            (
                "a.toml",
                "[[api_keys]]\nid = 1\n[[api_keys]]\nid = 2\n",
                "exactly one",
            ),
        ] {
            let error = from_file(Keys::KIND, name, text).unwrap_err();
            assert!(format!("{error:#}").contains(about), "{error:#}");
        }
    }

    #[test]
    fn a_secret_does_not_stand_on_the_command_line() {
        let args = DocumentArgs {
            file: None,
            set: vec![("api_key".to_owned(), json!("sk-1"))],
        };
        let error = args.document(Providers::KIND, Map::new()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("--api-key-stdin"), "{text}");
        assert!(!text.contains("sk-1"), "{text}");
    }

    #[test]
    fn what_a_view_does_not_say_is_left_out() {
        let view = json!({"a": null, "b": {"c": null, "d": 1}, "e": [null]});
        assert_eq!(without_nulls(&view), json!({"b": {"d": 1}, "e": [null]}));
    }
}
