//! How a client's secret is made, hashed and recognised.
//!
//! A generated secret holds 192 random bits, so a plain SHA-256 of it cannot be guessed and needs no salt. That is
//! what lets a key be found by its hash instead of trying every one.

use std::fmt;

use blake2::Blake2b512;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// What every generated secret begins with: recognisable to people and to secret scanners.
const PREFIX: &str = "fg_live_";
const RANDOM_BYTES: usize = 24;
const CHECKSUM_BYTES: usize = 4;
/// A secret that holds less information than this can be guessed from its hash.
const ENTROPY_BITS_MIN: f64 = 80.0;

pub type Sha256Digest = [u8; 32];
pub type Blake2bDigest = [u8; 64];

/// The stored form of a key's secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum KeyHash {
    /// `sha256:<64 hex digits>`, the gateway's own.
    Sha256(Sha256Digest),
    /// `blake2b:<128 hex digits>`, unsalted Blake2b-512, accepted from older configurations.
    Blake2b(Blake2bDigest),
}

/// A stored hash that could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key hash is `sha256:` and 64 hexadecimal digits, or `blake2b:` and 128")]
pub struct KeyHashError;

impl KeyHash {
    /// Reads the stored form.
    ///
    /// # Errors
    /// [`KeyHashError`] when the algorithm is unknown or the digits are not what it takes.
    pub fn parse(text: &str) -> Result<Self, KeyHashError> {
        let (algorithm, digits) = text.split_once(':').ok_or(KeyHashError)?;
        match algorithm {
            "sha256" => bytes_of_hex(digits).map(Self::Sha256),
            "blake2b" => bytes_of_hex(digits).map(Self::Blake2b),
            _ => None,
        }
        .ok_or(KeyHashError)
    }

    /// The gateway's own hash of `secret`.
    pub fn of(secret: &str) -> Self {
        Self::Sha256(sha256(secret.as_bytes()))
    }

    /// Whether `secret` is the one that was hashed, in a time that does not depend on how much of it is right.
    pub fn verify(&self, secret: &str) -> bool {
        match self {
            Self::Sha256(stored) => stored.ct_eq(&sha256(secret.as_bytes())).into(),
            Self::Blake2b(stored) => stored.ct_eq(&blake2b(secret.as_bytes())).into(),
        }
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (algorithm, digest): (_, &[u8]) = match self {
            Self::Sha256(digest) => ("sha256", digest),
            Self::Blake2b(digest) => ("blake2b", digest),
        };
        write!(f, "{algorithm}:")?;
        digest.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An operator-chosen secret can be guessed from its hash, so a hash is not for logs either.
        f.write_str(match self {
            Self::Sha256(_) => "KeyHash(sha256:…)",
            Self::Blake2b(_) => "KeyHash(blake2b:…)",
        })
    }
}

/// A new secret: the prefix, then 192 random bits and a checksum in base58. It is wiped from memory when dropped.
pub fn generate() -> zeroize::Zeroizing<String> {
    let mut random = zeroize::Zeroizing::new([0_u8; RANDOM_BYTES]);
    getrandom::fill(random.as_mut()).expect("the operating system has random numbers");
    let digits = bs58::encode(random.as_ref()).with_check().into_string();
    zeroize::Zeroizing::new(format!("{PREFIX}{digits}"))
}

/// Whether `secret` was made by [`generate`]: prefix, length and checksum are right.
pub fn is_generated(secret: &str) -> bool {
    secret.strip_prefix(PREFIX).is_some_and(|digits| {
        let mut bytes = [0_u8; RANDOM_BYTES + CHECKSUM_BYTES];
        bs58::decode(digits)
            .with_check(None)
            .onto(&mut bytes)
            .is_ok_and(|length| length == RANDOM_BYTES)
    })
}

/// `secret` in the form that is stored: `sha256:<hex>`.
pub fn hash(secret: &str) -> String {
    KeyHash::of(secret).to_string()
}

/// Whether somebody probably thought `secret` up: its hash then protects it badly, which is worth a warning.
///
/// An estimate: the information in the frequencies of its characters. Words and patterns hold less than that.
pub fn is_low_entropy(secret: &str) -> bool {
    if is_generated(secret) {
        return false;
    }
    let mut counts = [0_u32; 256];
    for byte in secret.bytes() {
        counts[usize::from(byte)] += 1;
    }
    let length = f64::from(counts.iter().sum::<u32>());
    let bits: f64 = counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f64::from(*count) * (length / f64::from(*count)).log2())
        .sum();
    bits < ENTROPY_BITS_MIN
}

/// SHA-256 (FIPS 180-4).
pub fn sha256(bytes: &[u8]) -> Sha256Digest {
    Sha256::digest(bytes).into()
}

/// Unsalted Blake2b-512 (RFC 7693).
pub fn blake2b(bytes: &[u8]) -> Blake2bDigest {
    Blake2b512::digest(bytes).into()
}

fn bytes_of_hex<const N: usize>(digits: &str) -> Option<[u8; N]> {
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        *byte = (nibble(pair[0])? << 4) | nibble(pair[1])?;
    }
    Some(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_secret_is_recognised_and_a_mistyped_one_is_not() {
        let secret = generate();
        assert!(is_generated(&secret), "{}", *secret);
        assert_ne!(secret, generate());
        let mut mistyped = secret.to_string();
        let last = mistyped.pop().unwrap();
        mistyped.push(if last == '2' { '3' } else { '2' });
        assert!(!is_generated(&mistyped));
        assert!(!is_generated("fg_live_"));
        assert!(!is_generated(secret.strip_prefix("fg_live_").unwrap()));
    }

    #[test]
    fn a_hash_reads_back_and_knows_its_secret() {
        let check = |text: &str, secret: &str| {
            let hash = KeyHash::parse(text).unwrap();
            assert_eq!(hash.to_string(), text);
            assert!(hash.verify(secret));
            assert!(!hash.verify("another"));
        };
        // Reference digests of `abc`, from FIPS 180-2 and RFC 7693.
        check(
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "abc",
        );
        check(
            "blake2b:ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1\
             7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923",
            "abc",
        );
        assert_eq!(KeyHash::parse(&hash("s")).unwrap(), KeyHash::of("s"));
    }

    #[test]
    fn a_malformed_hash_is_refused() {
        for text in [
            "",
            "sha256",
            "sha256:",
            "sha256:ab",
            "md5:00",
            &format!("sha256:{}", "g".repeat(64)),
            &format!("sha256:{}", "0".repeat(128)),
            &format!("blake2b:{}", "0".repeat(64)),
        ] {
            assert_eq!(KeyHash::parse(text), Err(KeyHashError), "{text}");
        }
    }

    #[test]
    fn a_secret_somebody_thought_up_is_told_from_a_random_one() {
        for weak in [
            "",
            "secret",
            "dev-key-1234",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ] {
            assert!(is_low_entropy(weak), "{weak}");
        }
        for strong in [
            &generate(),
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
            "sk-Vq3xPz81LmYt0RkWnBd7HcGs",
        ] {
            assert!(!is_low_entropy(strong), "{strong}");
        }
    }
}
