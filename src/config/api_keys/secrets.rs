//! The secret of a key: how it is given, and that no two keys share one.

use std::collections::{HashMap, HashSet, hash_map::Entry};

use sha2::{Digest, Sha256};

use super::{
    super::{Secret, findings::Place, origins::Located, reader::Section, variables},
    UNIX_MAX,
};

/// How a key's secret was given.
#[derive(Debug, Clone)]
pub enum KeySecret {
    /// `key_hash`: `sha256:<64 hex digits>` or the original's `blake2b:<128 hex digits>`; the syntax is checked here.
    Hash(String),
    /// `key_env`: what the environment variable held. An unset variable is a configuration error.
    Env(Secret),
    /// `key`: the secret itself, for development.
    Inline(Secret),
}

/// A secret that a key had before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviousHash {
    /// `hash`, as in `key_hash`.
    pub hash: String,
    /// `expires_at_unix`: from when on it works no more, in seconds.
    pub expires_at_unix: i64,
}

/// The secrets that keys already have, each with its line. One secret must not stand for two keys.
#[derive(Default)]
pub(in crate::config) struct SecretsInUse {
    hashes_only: bool,
    lines: HashMap<String, usize>,
}

impl SecretsInUse {
    /// For keys that are kept where no secret belongs.
    pub(in crate::config) fn hashes_only() -> Self {
        Self {
            hashes_only: true,
            ..Self::default()
        }
    }

    fn claim(&mut self, section: &mut Section<'_, '_>, place: &Place, fingerprint: String) {
        let line = section.line_of(place);
        match self.lines.entry(fingerprint) {
            Entry::Vacant(free) => {
                free.insert(line);
            }
            Entry::Occupied(_) if self.hashes_only => {
                section.error(place, "is in the document twice");
            }
            Entry::Occupied(taken) => {
                let line = taken.get();
                section.error(place, format!("the key on line {line} has the same secret"));
            }
        }
    }
}

impl PreviousHash {
    const COUNT_MAX: usize = 8;

    pub(super) fn read_all(section: &mut Section<'_, '_>, in_use: &mut SecretsInUse) -> Vec<Self> {
        const KEY: &str = "previous_key_hashes";
        let hashes = section.sections(KEY, &[], |section| {
            let text = section.required_text("hash");
            if !section.has("expires_at_unix") {
                let place = section.place_of("expires_at_unix");
                section.absence(&place, "is missing");
            }
            let expires_at_unix = section.number_if_set("expires_at_unix", 1..=UNIX_MAX);
            let text = text?;
            let hash = section.accept(&text.place, checked_hash(text.value))?;
            in_use.claim(section, &text.place, hash.to_ascii_lowercase());
            Some(Self {
                hash,
                expires_at_unix: expires_at_unix?,
            })
        });
        if hashes.len() > Self::COUNT_MAX {
            let place = section.place_of(KEY);
            section.error(&place, format!("must be at most {}", Self::COUNT_MAX));
        }
        hashes
    }
}

impl KeySecret {
    pub(super) fn read(section: &mut Section<'_, '_>, in_use: &mut SecretsInUse) -> Option<Self> {
        const KEYS: [&str; 3] = ["key_hash", "key_env", "key"];
        let [hash, env, inline] = KEYS.map(|key| section.text(key));
        if in_use.hashes_only {
            return Self::read_hash_only(section, hash, in_use);
        }
        match KEYS.iter().filter(|key| section.has(key)).count() {
            1 => (),
            0 => {
                let place = section.place();
                section.absence(&place, "needs one of `key_hash`, `key_env` and `key`");
            }
            _ => {
                let place = section.place();
                section.error(&place, "takes only one of `key_hash`, `key_env` and `key`");
            }
        }
        let place = hash
            .as_ref()
            .or(env.as_ref())
            .or(inline.as_ref())?
            .place
            .clone();
        let secret = hash
            .and_then(|text| read_hash(section, &text))
            .or_else(|| env.and_then(|text| read_env(section, &text)))
            .or_else(|| inline.and_then(|text| read_inline(section, &text)))?;
        in_use.claim(section, &place, secret.fingerprint());
        Some(secret)
    }

    fn read_hash_only(
        section: &mut Section<'_, '_>,
        hash: Option<Located<&str>>,
        in_use: &mut SecretsInUse,
    ) -> Option<Self> {
        for key in ["key_env", "key"] {
            if section.has(key) {
                let place = section.place_of(key);
                section.error(
                    &place,
                    "is for the configuration file alone; send a `key_hash`",
                );
            }
        }
        if !section.has("key_hash") {
            let place = section.place_of("key_hash");
            section.absence(&place, "is missing");
        }
        let text = hash?;
        let secret = read_hash(section, &text)?;
        in_use.claim(section, &text.place, secret.fingerprint());
        Some(secret)
    }

    /// The same for the same secret, as far as hashes of different kinds allow it.
    fn fingerprint(&self) -> String {
        match self {
            Self::Hash(hash) => hash.to_ascii_lowercase(),
            Self::Env(secret) | Self::Inline(secret) => {
                format!("sha256:{:x}", Sha256::digest(secret.expose()))
            }
        }
    }
}

fn read_hash(section: &mut Section<'_, '_>, text: &Located<&str>) -> Option<KeySecret> {
    section
        .accept(&text.place, checked_hash(text.value))
        .map(KeySecret::Hash)
}

fn checked_hash(text: &str) -> Result<String, String> {
    let is_hash = [("sha256:", 64), ("blake2b:", 128)]
        .into_iter()
        .filter_map(|(prefix, digits)| Some((text.strip_prefix(prefix)?, digits)))
        .any(|(hex, digits)| {
            hex.len() == digits && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
        });
    if is_hash {
        Ok(text.to_owned())
    } else {
        Err("must be `sha256:` and 64 hex digits, or `blake2b:` and 128, as `ferrogate hash-key` prints them".to_owned())
    }
}

fn read_env(section: &mut Section<'_, '_>, text: &Located<&str>) -> Option<KeySecret> {
    let name = text.value;
    section.accept(&text.place, variables::check_name(name))?;
    let secret = section.variable(name).ok_or_else(|| variables::unset(name));
    let secret = Secret::new(section.accept(&text.place, secret)?);
    let checked =
        check_secret(&secret).map_err(|reason| format!("the secret in `{name}` {reason}"));
    section.accept(&text.place, checked)?;
    if can_be_guessed(secret.expose()) {
        let advice = format!("the secret in `{name}` can be guessed: {STRONGER}");
        section.warn(&text.place, advice);
    }
    Some(KeySecret::Env(secret))
}

fn read_inline(section: &mut Section<'_, '_>, text: &Located<&str>) -> Option<KeySecret> {
    let secret = Secret::new(text.value);
    section.accept(&text.place, check_secret(&secret).map_err(str::to_owned))?;
    section.warn(
        &text.place,
        "a secret in the file is for development; `ferrogate hash-key` makes a `key_hash` of it",
    );
    if can_be_guessed(text.value) {
        section.warn(
            &text.place,
            format!("this secret can be guessed: {STRONGER}"),
        );
    }
    Some(KeySecret::Inline(secret))
}

/// Clients send the secret in a header.
fn check_secret(secret: &Secret) -> Result<(), &'static str> {
    let secret = secret.expose();
    if secret.is_empty() {
        Err("must not be empty")
    } else if secret.len() > SECRET_BYTES_MAX {
        Err("must be at most 512 characters long")
    } else if secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(())
    } else {
        Err("must be printable ASCII without spaces or line breaks")
    }
}

const SECRET_BYTES_MAX: usize = 512;
const STRONGER: &str = "use at least 24 random characters";

/// A coarse judgement: too short, or made of too few different characters, to have been drawn at random.
fn can_be_guessed(secret: &str) -> bool {
    let different: HashSet<u8> = secret.bytes().collect();
    secret.len() < 24 || different.len() < 10
}
