//! The credentials of `[[providers]]`: where each comes from, and what was there when the configuration was loaded.
//!
//! A key never stands in the file in clear. A variable that is not set or a file that cannot be read is no error: the
//! provider may be needed on other days.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use super::{Secret, origins::Located, reader::Section, variables};

/// One credential of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderKey {
    pub source: KeySource,
    /// What was there when the configuration was loaded; of a sealed one what [`super::Config::unseal`] found. `None`
    /// is a warning at start, and 503 `provider_credential_missing` on use where no other key is there.
    pub key: Option<Secret>,
}

/// Where a credential comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// `api_key_env`, or one of `api_key_envs`: an environment variable.
    Env(String),
    /// `api_key_file`.
    File(PathBuf),
    /// `api_key_credential`: a file of this name where systemd puts a service's credentials.
    Credential(String),
    /// `api_key_sealed`: the key itself, under the master key.
    Sealed(String),
}

impl KeySource {
    /// `env`, `file`, `credential` or `sealed`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Env(_) => "env",
            Self::File(_) => "file",
            Self::Credential(_) => "credential",
            Self::Sealed(_) => "sealed",
        }
    }

    /// The name of the variable, the file or the credential; `None` for a sealed key, which is its own place.
    pub fn name(&self) -> Option<String> {
        match self {
            Self::Env(name) | Self::Credential(name) => Some(name.clone()),
            Self::File(path) => Some(path.display().to_string()),
            Self::Sealed(_) => None,
        }
    }
}

/// The keys of which a provider has one at most.
const KEYS: [&str; 5] = [
    "api_key_env",
    "api_key_envs",
    "api_key_file",
    "api_key_credential",
    "api_key_sealed",
];
/// The directory in which systemd puts the credentials of a service.
pub(super) const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";
/// No provider's key comes near it.
const KEY_BYTES_MAX: u64 = 16 << 10;

impl ProviderKey {
    pub(super) fn read_all(section: &mut Section<'_, '_>, enabled: bool) -> Vec<Self> {
        let reason = "must not stand in the file: name a variable in `api_key_env`, a file in `api_key_file` or a systemd \
                      credential in `api_key_credential`, or send it to the admin API, which seals it";
        section.refuse("api_key", reason);
        section.refuse("api_keys", reason);
        refuse_several(section);
        let one = section.text("api_key_env");
        let several = section.texts("api_key_envs");
        if section.is_empty_array("api_key_envs") {
            let place = section.place_of("api_key_envs");
            section.error(&place, "is empty; leave it out where no key is sent");
        }
        let mut keys = Vec::new();
        for variable in one.into_iter().chain(several) {
            keys.extend(read_env(section, &variable, enabled));
        }
        if let Some(path) = section.text("api_key_file") {
            keys.extend(read_file(section, &path, enabled));
        }
        if let Some(name) = section.text("api_key_credential") {
            keys.extend(read_credential(section, &name, enabled));
        }
        if let Some(sealed) = section.text("api_key_sealed") {
            let checked = check_sealed(sealed.value);
            keys.extend(section.accept(&sealed.place, checked).map(|()| Self {
                source: KeySource::Sealed(sealed.value.to_owned()),
                key: None,
            }));
        }
        keys
    }
}

fn refuse_several(section: &mut Section<'_, '_>) {
    let mut set = KEYS.into_iter().filter(|key| section.has(key));
    let Some(first) = set.next() else {
        return;
    };
    let others: Vec<_> = set.collect();
    for other in others {
        let place = section.place_of(other);
        section.error(
            &place,
            format!("takes the place of `{first}`; set only one of them"),
        );
    }
}

fn read_env(
    section: &mut Section<'_, '_>,
    variable: &Located<&str>,
    enabled: bool,
) -> Option<ProviderKey> {
    let checked = variables::check_name(variable.value);
    section.accept(&variable.place, checked)?;
    let env = variable.value.to_owned();
    let key = section.variable(&env).map(Secret::new);
    if key.is_none() && enabled {
        section.warn(&variable.place, variables::unset(&env));
    }
    let key = sendable(section, variable, &env, key);
    Some(ProviderKey {
        source: KeySource::Env(env),
        key,
    })
}

fn read_file(
    section: &mut Section<'_, '_>,
    path: &Located<&str>,
    enabled: bool,
) -> Option<ProviderKey> {
    let checked = match path.value {
        "" => Err("must not be empty".to_owned()),
        path => Ok(PathBuf::from(path)),
    };
    let file = section.accept(&path.place, checked)?;
    let key = read_secret(section, path, &file, enabled);
    Some(ProviderKey {
        source: KeySource::File(file),
        key,
    })
}

fn read_credential(
    section: &mut Section<'_, '_>,
    name: &Located<&str>,
    enabled: bool,
) -> Option<ProviderKey> {
    section.accept(&name.place, check_credential_name(name.value))?;
    let directory = section.variable(CREDENTIALS_DIRECTORY);
    let key = match directory {
        Some(directory) => {
            let file = Path::new(&directory).join(name.value);
            read_secret(section, name, &file, enabled)
        }
        None => {
            if enabled {
                let reason =
                    "systemd hands over no credentials: `$CREDENTIALS_DIRECTORY` is not set";
                section.warn(&name.place, reason);
            }
            None
        }
    };
    Some(ProviderKey {
        source: KeySource::Credential(name.value.to_owned()),
        key,
    })
}

/// The secret that a file holds. One that cannot be read is a warning.
fn read_secret(
    section: &mut Section<'_, '_>,
    written: &Located<&str>,
    file: &Path,
    enabled: bool,
) -> Option<Secret> {
    let shown = file.display().to_string();
    match secret_in(file) {
        Ok(secret) => sendable(section, written, &shown, Some(secret)),
        Err(error) => {
            if enabled {
                section.warn(&written.place, format!("`{shown}` cannot be used: {error}"));
            }
            None
        }
    }
}

/// One line break at the end is the editor's, not the secret's.
fn secret_in(path: &Path) -> io::Result<Secret> {
    // Before it is opened: a pipe would be waited for.
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut text = zeroize::Zeroizing::new(String::new());
    File::open(path)?
        .take(KEY_BYTES_MAX + 1)
        .read_to_string(&mut text)?;
    if text.len() > usize::try_from(KEY_BYTES_MAX).unwrap_or(usize::MAX) {
        return Err(io::Error::other("it is larger than 16 KiB"));
    }
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    match line {
        "" => Err(io::Error::other("it is empty")),
        line => Ok(Secret::new(line)),
    }
}

/// A key that no header can carry is an error in a file, for somebody stands beside it. What the database holds was
/// accepted before, and must not keep the gateway from starting: there the key is missing.
fn sendable(
    section: &mut Section<'_, '_>,
    written: &Located<&str>,
    holder: &str,
    key: Option<Secret>,
) -> Option<Secret> {
    let key = key?;
    if http::HeaderValue::from_str(key.expose()).is_ok() {
        return Some(key);
    }
    if !section.is_of_document() {
        section.error(
            &written.place,
            format!("`{holder}` holds characters that no header can carry, such as a line break"),
        );
    }
    None
}

fn check_credential_name(name: &str) -> Result<(), String> {
    let in_a_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let is_a_path = name.bytes().all(|byte| byte == b'.');
    if (1..=255).contains(&name.len()) && !is_a_path && name.bytes().all(in_a_name) {
        Ok(())
    } else {
        Err(
            "must be the name of a systemd credential, made of letters, digits, `.`, `_` and `-`"
                .to_owned(),
        )
    }
}

/// What the admin API makes of a secret, as far as it can be told without the master key.
pub(super) fn check_sealed(text: &str) -> Result<(), String> {
    const BYTES_MAX: usize = 32 << 10;
    let in_it = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let is_sealed = text
        .strip_prefix("fgs1.")
        .is_some_and(|rest| rest.len() >= 60 && rest.bytes().all(in_it));
    if is_sealed && text.len() <= BYTES_MAX {
        Ok(())
    } else {
        Err("must be what the admin API sealed: `fgs1.` and what follows it".to_owned())
    }
}
