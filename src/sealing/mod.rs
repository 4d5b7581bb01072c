//! Secrets at rest: a text becomes one that only the holder of the master key can read, and only in its own place.
//!
//! A sealed text is `fgs1.` and, in unpadded base64url, these bytes: which master key it was (4), a random nonce (24),
//! XChaCha20-Poly1305's ciphertext with its tag, and a checksum of all before it (4). The nonce is long enough to be
//! drawn at random for ever. The context, such as `provider:openai`, is authenticated and not stored: a text that was
//! moved to another place does not open there. The checksum proves nothing; it tells a damaged text from a forged one,
//! as the first four bytes tell another master key from both.

mod key_file;

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

pub use key_file::MasterKeyError;

/// What a sealed text begins with. Another layout gets another number.
const PREFIX: &str = "fgs1.";
const KEY_BYTES: usize = 32;
const KEY_ID_BYTES: usize = 4;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
const CHECKSUM_BYTES: usize = 4;

/// The key that everything is sealed under; wiped when dropped.
pub struct MasterKey {
    bytes: Zeroizing<[u8; KEY_BYTES]>,
    id: [u8; KEY_ID_BYTES],
}

/// Why a sealed text did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SealError {
    #[error("the sealed text is damaged")]
    Damaged,
    #[error("it was sealed under another master key")]
    OtherKey,
    #[error("it was sealed for something else")]
    OtherContext,
}

impl MasterKey {
    fn new(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        let mut named = Sha256::new_with_prefix(b"ferrogate master key ");
        named.update(bytes.as_ref());
        Self {
            id: first_four(named),
            bytes,
        }
    }

    /// Seals `text` for the place that `context` names. Twice the same gives two different texts.
    pub fn seal(&self, context: &str, text: &str) -> String {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).expect("the operating system has random numbers");
        let payload = Payload {
            msg: text.as_bytes(),
            aad: context.as_bytes(),
        };
        let sealed = self
            .cipher()
            .encrypt(&XNonce::from(nonce), payload)
            .expect("a text in memory is shorter than the cipher's 256 GiB");
        let mut bytes = [&self.id[..], &nonce, &sealed].concat();
        bytes.extend(checksum(&bytes));
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Opens what was sealed for `context`.
    ///
    /// # Errors
    /// [`SealError`], which tells what is wrong with the text from what is wrong with the key.
    pub fn open(&self, context: &str, sealed: &str) -> Result<Zeroizing<String>, SealError> {
        let bytes = unwrapped(sealed).ok_or(SealError::Damaged)?;
        let (id, rest) = bytes
            .split_first_chunk::<KEY_ID_BYTES>()
            .ok_or(SealError::Damaged)?;
        if *id != self.id {
            return Err(SealError::OtherKey);
        }
        let (nonce, msg) = rest
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or(SealError::Damaged)?;
        let payload = Payload {
            msg,
            aad: context.as_bytes(),
        };
        let opened = self
            .cipher()
            .decrypt(&XNonce::from(*nonce), payload)
            .map_err(|_| SealError::OtherContext)?;
        let opened = Zeroizing::new(opened);
        let text = std::str::from_utf8(&opened).map_err(|_| SealError::Damaged)?;
        Ok(Zeroizing::new(text.to_owned()))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        let key: &[u8; KEY_BYTES] = &self.bytes;
        XChaCha20Poly1305::new(key.into())
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// Key id, nonce and ciphertext of an undamaged text.
fn unwrapped(sealed: &str) -> Option<Vec<u8>> {
    let mut bytes = URL_SAFE_NO_PAD.decode(sealed.strip_prefix(PREFIX)?).ok()?;
    let sum = bytes.split_off(bytes.len().checked_sub(CHECKSUM_BYTES)?);
    let complete = bytes.len() >= KEY_ID_BYTES + NONCE_BYTES + TAG_BYTES;
    (complete && sum == checksum(&bytes)).then_some(bytes)
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    first_four(Sha256::new_with_prefix(bytes))
}

fn first_four(digest: Sha256) -> [u8; 4] {
    let [a, b, c, d, ..] = <[u8; 32]>::from(digest.finalize());
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(byte: u8) -> MasterKey {
        MasterKey::new(Zeroizing::new([byte; KEY_BYTES]))
    }

    fn open(key: &MasterKey, context: &str, sealed: &str) -> Result<String, SealError> {
        key.open(context, sealed).map(|text| text.to_string())
    }

    #[test]
    fn what_is_sealed_opens_with_its_key_in_its_place_alone() {
        let (ours, other) = (key(1), key(2));
        let sealed = ours.seal("provider:openai", "sk-1");
        assert!(unwrapped(&sealed).is_some() && !sealed.contains("sk-1"));
        assert_eq!(
            open(&ours, "provider:openai", &sealed),
            Ok("sk-1".to_owned())
        );
        assert_eq!(
            open(&other, "provider:openai", &sealed),
            Err(SealError::OtherKey)
        );
        assert_eq!(
            open(&ours, "provider:azure", &sealed),
            Err(SealError::OtherContext)
        );
        assert_ne!(
            sealed,
            ours.seal("provider:openai", "sk-1"),
            "another nonce"
        );
        assert_eq!(open(&ours, "", &ours.seal("", "")), Ok(String::new()));
    }

    #[test]
    fn a_text_that_was_cut_or_is_none_of_ours_is_damaged() {
        let ours = key(1);
        let sealed = ours.seal("c", "sk-1");
        let cut: String = sealed.chars().take(sealed.len() - 1).collect();
        for damaged in ["", "fgs1.", "fgs1.AAAA", "fgs2.AAAA", "sk-1", &cut] {
            assert_eq!(
                open(&ours, "c", damaged),
                Err(SealError::Damaged),
                "{damaged}"
            );
            assert!(unwrapped(damaged).is_none());
        }
    }

    #[test]
    fn a_forged_text_with_a_right_checksum_does_not_open() {
        let ours = key(1);
        let mut bytes = unwrapped(&ours.seal("c", "sk-1")).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        bytes.extend(checksum(&bytes));
        let forged = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
        assert_eq!(open(&ours, "c", &forged), Err(SealError::OtherContext));
    }

    /// The layout is kept on disk: this text has to open with every later version.
    #[test]
    fn a_text_that_was_sealed_before_still_opens() {
        let sealed =
            "fgs1.3lj-9Uu-8vOes8ibwkMBKVDlCpEXyyY5-tVjpHYkg7xrKi6rMDC4ceLwbFTEXliB1NQUaZjWXgi7XA";
        assert_eq!(
            open(&key(7), "provider:openai", sealed),
            Ok("sk-fixture".to_owned())
        );
    }

    #[test]
    fn nothing_shows_the_key() {
        assert_eq!(format!("{:?}", key(1)), "MasterKey(…)");
    }

    proptest! {
        #[test]
        fn any_text_comes_back_and_any_changed_character_is_noticed(
            text in any::<String>(), context in any::<String>(), at in any::<prop::sample::Index>(),
        ) {
            let ours = key(3);
            let sealed = ours.seal(&context, &text);
            prop_assert_eq!(open(&ours, &context, &sealed), Ok(text));
            let mut bytes = sealed.into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            prop_assert_eq!(open(&ours, &context, &changed), Err(SealError::Damaged));
        }
    }
}
