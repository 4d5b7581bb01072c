//! Who may read and write the gateway's files.

use std::{
    fs, io,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
};

use super::check::Check;
use crate::config::{Config, KeySecret};

const OTHERS_READ: u32 = 0o004;
const OTHERS_WRITE: u32 = 0o002;
const GROUP_WRITE: u32 = 0o020;
const GROUP_AND_OTHERS: u32 = 0o077;

const NAME: &str = "file modes";

/// Looks at the configuration, the data directory and what lies in it.
pub(super) fn check(file: &Path, config: &Config) -> Vec<Check> {
    let mut found = Found::default();
    let configuration = found.look(file);
    if let Some(mode) = configuration {
        configuration_mode(&mut found.checks, file, config, mode);
    }
    let data = &config.storage.path;
    if let Some(mode) = found.look(data)
        && mode & 0o007 != 0
    {
        found.checks.push(if mode & OTHERS_WRITE != 0 {
            Check::fail(
                NAME,
                format!("everybody can write into {} ({mode:04o})", data.display()),
                format!("chmod 700 {}", data.display()),
            )
        } else {
            Check::warn(
                NAME,
                format!("everybody can look into {} ({mode:04o})", data.display()),
                format!("chmod 700 {}", data.display()),
            )
        });
    }
    let mut private = private_files(data);
    private.push(data.join("master.key"));
    for path in private {
        private_mode(&mut found, &path);
    }
    socket_mode(&mut found, &config.admin.socket);
    owners(&mut found, data);
    let Found { mut checks, seen } = found;
    if checks.is_empty() {
        checks.push(Check::ok(
            NAME,
            format!("{seen} files and folders, readable by whom they should be"),
        ));
    }
    checks
}

#[derive(Debug, Default)]
struct Found {
    checks: Vec<Check>,
    seen: usize,
}

impl Found {
    /// The mode of what is there; what cannot be looked at is told.
    fn look(&mut self, path: &Path) -> Option<u32> {
        match fs::metadata(path) {
            Ok(metadata) => {
                self.seen += 1;
                Some(metadata.mode() & 0o7777)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                self.checks.push(Check::warn(
                    NAME,
                    format!("{} cannot be looked at: {error}", path.display()),
                    "run the doctor as root or as the gateway's user",
                ));
                None
            }
        }
    }
}

fn configuration_mode(checks: &mut Vec<Check>, file: &Path, config: &Config, mode: u32) {
    let name = file.display();
    if mode & OTHERS_WRITE != 0 {
        checks.push(Check::fail(
            NAME,
            format!("everybody can write {name} ({mode:04o}), and so decide what the gateway does"),
            format!("chmod 640 {name}"),
        ));
    } else if mode & OTHERS_READ != 0 && has_secrets(config) {
        checks.push(Check::warn(
            NAME,
            format!("everybody can read {name} ({mode:04o}), and it holds secrets"),
            format!("chmod 640 {name}, or keep the secrets in variables or files"),
        ));
    } else if mode & GROUP_WRITE != 0 {
        checks.push(Check::warn(
            NAME,
            format!("its group can write {name} ({mode:04o})"),
            format!("chmod 640 {name}"),
        ));
    }
}

/// What stands in the file itself. The address of Redis may have come from a variable, but is seldom without a password
/// where it matters.
fn has_secrets(config: &Config) -> bool {
    config
        .api_keys
        .iter()
        .any(|key| matches!(key.secret, KeySecret::Inline(_)))
}

/// What only the gateway may read: databases with their logs, keys.
fn private_files(data: &Path) -> Vec<PathBuf> {
    let mut files = vec![data.join("admin-key")];
    let Ok(entries) = fs::read_dir(data) else {
        return files;
    };
    for entry in entries.filter_map(Result::ok) {
        let path = entry.path();
        let is_database = path
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| {
                [".db", ".db-wal", ".db-shm"]
                    .iter()
                    .any(|end| name.ends_with(end))
            });
        files.extend(is_database.then_some(path));
    }
    files.sort_unstable();
    files
}

fn private_mode(found: &mut Found, path: &Path) {
    let Some(mode) = found.look(path) else {
        return;
    };
    if mode & GROUP_AND_OTHERS != 0 {
        found.checks.push(Check::fail(
            NAME,
            format!(
                "others than its owner can use {} ({mode:04o})",
                path.display()
            ),
            format!("chmod 600 {}", path.display()),
        ));
    }
}

/// Who may do what is decided by the peer's uid, so that a wider mode opens nothing; but nobody needs it.
fn socket_mode(found: &mut Found, socket: &Path) {
    let Ok(metadata) = fs::metadata(socket) else {
        return;
    };
    found.seen += 1;
    let mode = metadata.mode() & 0o7777;
    if !metadata.file_type().is_socket() {
        found.checks.push(Check::fail(
            NAME,
            format!(
                "{} is no socket, so the gateway cannot listen there",
                socket.display()
            ),
            "move it away, or set `[admin] socket` to another path",
        ));
    } else if mode & 0o007 != 0 {
        found.checks.push(Check::warn(
            NAME,
            format!("everybody can connect to {} ({mode:04o})", socket.display()),
            format!("chmod 660 {}", socket.display()),
        ));
    }
}

/// A file that root left there cannot be written by the gateway.
fn owners(found: &mut Found, data: &Path) {
    let Ok(directory) = fs::metadata(data) else {
        return;
    };
    for path in private_files(data) {
        let Ok(metadata) = fs::metadata(&path) else {
            continue;
        };
        if metadata.uid() != directory.uid() {
            found.checks.push(Check::fail(
                NAME,
                format!(
                    "{} belongs to user {} and the data directory to user {}",
                    path.display(),
                    metadata.uid(),
                    directory.uid()
                ),
                format!("chown --reference={} {}", data.display(), path.display()),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::check::State;
    use super::*;
    use crate::config;

    struct Files {
        _folder: tempfile::TempDir,
        file: PathBuf,
        config: Config,
    }

    fn files(text: &str) -> Files {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        let file = folder.path().join("ferrogate.toml");
        let text = format!("{text}\n[storage]\npath = \"{}\"\n", data.display());
        fs::write(&file, &text).unwrap();
        fs::write(data.join("ferrogate.db"), "x").unwrap();
        fs::write(data.join("master.key"), "x").unwrap();
        let files = Files {
            config: config::parse(&text, "x", &|_| None).unwrap().config,
            _folder: folder,
            file,
        };
        files.set("", 0o640);
        files.set("data", 0o700);
        files.set("data/ferrogate.db", 0o600);
        files.set("data/master.key", 0o600);
        files
    }

    impl Files {
        fn set(&self, name: &str, mode: u32) {
            let path = match name {
                "" => self.file.clone(),
                name => self.file.parent().unwrap().join(name),
            };
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }

        fn check(&self, state: State, about: &str) {
            let checks = check(&self.file, &self.config);
            assert_eq!(checks.len(), 1, "{checks:?}");
            assert_eq!(checks[0].state, state, "{checks:?}");
            assert!(checks[0].found.contains(about), "{checks:?}");
        }
    }

    #[test]
    fn files_that_only_the_gateway_can_use_are_in_order() {
        files("").check(State::Ok, "4 files and folders");
    }

    #[test]
    fn what_others_can_use_is_named_with_its_mode() {
        let check = |text: &str, name: &str, mode: u32, state: State, about: &str| {
            let files = files(text);
            files.set(name, mode);
            files.check(state, about);
        };
        let inline = "[[api_keys]]\nid = \"a\"\nkey = \"0123456789abcdef0123456789abcdef\"";
        check("", "", 0o644, State::Ok, "4 files");
        check(inline, "", 0o644, State::Warn, "holds secrets");
        check("", "", 0o666, State::Fail, "everybody can write");
        check("", "", 0o660, State::Warn, "its group can write");
        check("", "data", 0o755, State::Warn, "look into");
        check("", "data", 0o777, State::Fail, "(0777)");
        check("", "data/ferrogate.db", 0o640, State::Fail, "ferrogate.db");
        check(
            "",
            "data/master.key",
            0o604,
            State::Fail,
            "master.key (0604)",
        );
    }

    #[test]
    fn what_is_in_the_place_of_the_socket_is_found() {
        let files = files("");
        fs::write(&files.config.admin.socket, "x").unwrap();
        files.check(State::Fail, "is no socket");
    }
}
