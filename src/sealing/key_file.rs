//! The master key's file: one line with 32 random bytes, for the owner's eyes alone.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{KEY_BYTES, MasterKey};

/// A line of a key is far shorter.
const FILE_BYTES_MAX: u64 = 4096;
const OTHERS: u32 = 0o077;

/// Why there is no master key.
#[derive(Debug, Error)]
pub enum MasterKeyError {
    #[error("the master key {path} cannot be read")]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "the master key {path} can be read by others than its owner (its mode is {mode:04o}); `chmod 600` it"
    )]
    Open { path: PathBuf, mode: u32 },
    #[error("the master key {path} must be one line: 32 bytes in base64, or 64 hexadecimal digits")]
    Malformed { path: PathBuf },
    #[error("the master key {path} cannot be written")]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl MasterKey {
    /// Reads the key in `path`, which nobody but its owner may read or write.
    ///
    /// # Errors
    /// [`MasterKeyError`].
    pub fn load(path: &Path) -> Result<Self, MasterKeyError> {
        let (file, text) = read(path)?;
        let metadata = file.metadata().map_err(|source| unreadable(path, source))?;
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & OTHERS != 0 {
            return Err(MasterKeyError::Open {
                path: path.to_owned(),
                mode,
            });
        }
        Self::of_text(path, &text)
    }

    /// Reads the key from a credential of systemd. Who may read that is systemd's care, and its mode says nothing: the
    /// access list that lets the service in shows as rights of the group.
    ///
    /// # Errors
    /// [`MasterKeyError`].
    pub fn load_credential(path: &Path) -> Result<Self, MasterKeyError> {
        let (_, text) = read(path)?;
        Self::of_text(path, &text)
    }

    /// Makes a key and writes it to `path`, where there must be nothing yet. It is there whole or not at all.
    ///
    /// # Errors
    /// [`MasterKeyError::Write`].
    pub fn create(path: &Path) -> Result<Self, MasterKeyError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(bytes.as_mut()).expect("the operating system has random numbers");
        let text = general_purpose::STANDARD.encode(bytes.as_ref());
        let line = Zeroizing::new(text + "\n");
        write_new(path, line.as_bytes()).map_err(|source| MasterKeyError::Write {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self::new(bytes))
    }

    /// The key in `path`; where there is no such file, a new one.
    ///
    /// # Errors
    /// [`MasterKeyError`].
    pub fn load_or_create(path: &Path) -> Result<Self, MasterKeyError> {
        let is_missing = |source: &io::Error| source.kind() == io::ErrorKind::NotFound;
        let was_taken = |source: &io::Error| source.kind() == io::ErrorKind::AlreadyExists;
        match Self::load(path) {
            Err(MasterKeyError::Read { source, .. }) if is_missing(&source) => {}
            other => return other,
        }
        match Self::create(path) {
            // Somebody else was faster; theirs is the key.
            Err(MasterKeyError::Write { source, .. }) if was_taken(&source) => Self::load(path),
            other => other,
        }
    }

    fn of_text(path: &Path, text: &str) -> Result<Self, MasterKeyError> {
        let bytes = bytes_of(text.trim()).ok_or_else(|| MasterKeyError::Malformed {
            path: path.to_owned(),
        })?;
        Ok(Self::new(bytes))
    }
}

fn read(path: &Path) -> Result<(File, Zeroizing<String>), MasterKeyError> {
    let mut text = Zeroizing::new(String::new());
    let file = File::open(path).and_then(|file| {
        (&file).take(FILE_BYTES_MAX).read_to_string(&mut text)?;
        Ok(file)
    });
    match file {
        Ok(file) => Ok((file, text)),
        Err(source) if source.kind() == io::ErrorKind::InvalidData => {
            Err(MasterKeyError::Malformed {
                path: path.to_owned(),
            })
        }
        Err(source) => Err(unreadable(path, source)),
    }
}

fn unreadable(path: &Path, source: io::Error) -> MasterKeyError {
    MasterKeyError::Read {
        path: path.to_owned(),
        source,
    }
}

/// 64 hexadecimal digits are base64 too, of more bytes than a key has; so digits come first.
fn bytes_of(text: &str) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    if text.len() == 2 * KEY_BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digits = std::str::from_utf8(pair).ok()?;
            *byte = u8::from_str_radix(digits, 16).ok()?;
        }
        return Some(bytes);
    }
    let unpadded = text.trim_end_matches('=');
    let engines = [
        general_purpose::STANDARD_NO_PAD,
        general_purpose::URL_SAFE_NO_PAD,
    ];
    let decoded = engines
        .iter()
        .find_map(|engine| engine.decode(unpadded).ok())
        .map(Zeroizing::new)?;
    decoded.as_slice().try_into().ok().map(Zeroizing::new)
}

/// A temporary file of mode 0600 beside it, which takes the name only if nobody has it.
fn write_new(path: &Path, line: &[u8]) -> io::Result<()> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let folder = parent.unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".master-key-")
        .tempfile_in(folder)?;
    file.write_all(line)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn write(path: &Path, text: &[u8], mode: u32) {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Which key it is: what one seals the other opens.
    fn is_same(one: &MasterKey, other: &MasterKey) -> bool {
        other.open("c", &one.seal("c", "x")).is_ok()
    }

    #[test]
    fn a_key_is_made_once_for_the_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let missing = MasterKey::load(&path).unwrap_err();
        assert!(matches!(missing, MasterKeyError::Read { .. }), "{missing}");
        let made = MasterKey::load_or_create(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        assert!(is_same(&made, &MasterKey::load_or_create(&path).unwrap()));
        let text = fs::read(&path).unwrap();
        let again = MasterKey::create(&path).unwrap_err();
        assert!(matches!(again, MasterKeyError::Write { .. }), "{again}");
        assert_eq!(
            fs::read(&path).unwrap(),
            text,
            "the key that is there stays"
        );
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "nothing else stays behind");
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_unless_systemd_guards_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        for (mode, expected) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            write(&path, &[b'a'; 64], mode);
            let loaded = MasterKey::load(&path);
            assert_eq!(loaded.is_ok(), expected, "{mode:o}");
            if let Err(error) = loaded {
                let expected = format!("(its mode is {mode:04o}); `chmod 600` it");
                assert!(error.to_string().contains(&expected), "{error}");
            }
            fs::set_permissions(&path, fs::Permissions::from_mode(0o440)).unwrap();
            assert!(MasterKey::load_credential(&path).is_ok());
        }
    }

    #[test]
    fn a_key_is_base64_or_hexadecimal_digits_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let bytes = [0xfb; KEY_BYTES];
        let expected = MasterKey::new(Zeroizing::new(bytes));
        let padded = general_purpose::STANDARD.encode(bytes);
        let url_safe = general_purpose::URL_SAFE_NO_PAD.encode(bytes);
        for text in [
            "fb".repeat(32),
            "FB".repeat(32) + "\n",
            padded,
            url_safe + "\r\n",
        ] {
            write(&path, text.as_bytes(), 0o600);
            let found = MasterKey::load(&path).unwrap();
            assert!(is_same(&expected, &found), "{text}");
        }
        let short = general_purpose::STANDARD.encode([0; 31]);
        for text in [
            &b""[..],
            short.as_bytes(),
            &[b'a'; 63],
            &[b'a'; 5000],
            &[0xff; 32],
            b"zz",
        ] {
            write(&path, text, 0o600);
            let refused = MasterKey::load(&path).unwrap_err();
            assert!(
                matches!(refused, MasterKeyError::Malformed { .. }),
                "{refused}"
            );
        }
    }
}
