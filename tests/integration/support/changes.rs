//! Changes as an operator makes them: through the admin API, and in the configuration file.

use std::{fs, path::Path};

use serde_json::{Value, json};

use super::{Answer, Gateway, Request, Target};

impl Gateway {
    /// A change through the unix socket, which needs no key. `path` is what comes after `/admin/v1/`.
    pub(crate) fn change(&self, method: &str, path: &str, body: &Value) -> Request {
        let socket = Target::Unix(self.admin_socket());
        Request::new(socket, method, &format!("/admin/v1/{path}")).json(body)
    }

    /// A change that is made; fails with the answer's own words where it is not.
    pub(crate) async fn made(&self, method: &str, path: &str, body: &Value) -> Answer {
        let answer = self.change(method, path, body).send().await;
        let expected = if method == "POST" && !path.contains(['/', ':']) {
            201
        } else {
            200
        };
        answer.expect(expected)
    }

    /// What the admin API shows at `path`.
    pub(crate) async fn shown(&self, path: &str) -> Value {
        let answer = self.admin(&format!("/admin/v1/{path}")).send().await;
        answer.expect(200).json()
    }

    /// Edits the configuration file. Nothing is in force by it.
    pub(crate) fn edit_file(&self, edit: impl FnOnce(&mut toml::Table)) {
        let text = fs::read_to_string(self.config_file()).unwrap();
        let mut root = text.parse().unwrap();
        edit(&mut root);
        fs::write(self.config_file(), root.to_string()).unwrap();
    }

    /// Adds what `toml` says to the configuration file: entries to its lists, keys to its tables.
    pub(crate) fn add_to_file(&self, toml: &str) {
        let more: toml::Table = toml.parse().unwrap();
        self.edit_file(|root| {
            for (name, value) in more {
                match (root.get_mut(&name), value) {
                    (Some(toml::Value::Array(list)), toml::Value::Array(more)) => list.extend(more),
                    (Some(toml::Value::Table(table)), toml::Value::Table(more)) => {
                        table.extend(more);
                    }
                    (_, value) => {
                        root.insert(name, value);
                    }
                }
            }
        });
    }

    /// What a reload of the file says.
    pub(crate) async fn reload(&self) -> Value {
        let answer = self.change("POST", "config/reload", &json!({})).send();
        answer.await.expect(200).json()
    }
}

/// Takes the entry that is called `name` out of a list of the file.
pub(crate) fn take_entry(root: &mut toml::Table, list: &str, name: &str) {
    let list = root.get_mut(list).unwrap().as_array_mut().unwrap();
    let is_it = |entry: &toml::Value| {
        let its = entry.get("name").or_else(|| entry.get("id"));
        its.and_then(toml::Value::as_str) == Some(name)
    };
    let before = list.len();
    list.retain(|entry| !is_it(entry));
    assert_eq!(list.len() + 1, before, "one was called {name}");
}

/// Whether the bytes of `text` are in any file below `directory`, and in which.
pub(crate) fn find_in_files(directory: &Path, text: &str) -> Option<String> {
    let entries = fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().path()).find_map(|path| {
        if path.is_dir() {
            return find_in_files(&path, text);
        }
        // Sockets have no bytes.
        let bytes = fs::read(&path).unwrap_or_default();
        let mut windows = bytes.windows(text.len());
        windows
            .any(|window| window == text.as_bytes())
            .then(|| path.display().to_string())
    })
}
