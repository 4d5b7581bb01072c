//! What an answer is found by: everything that decides it, written out in full.
//!
//! The digest finds an entry and proves nothing; what is written out is compared byte for byte. Each field has its
//! length before it, so that no two lists of fields are written alike.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::canonical;

/// Names how identities are written, and is their first field: what an earlier version kept in another way is not found.
const FORMAT: &[u8] = b"ferrogate-cache-1";
/// In place of a length: there is no such field.
const ABSENT: u64 = u64::MAX;

pub(super) type Digest = [u8; 32];
/// How digests are made; tests take one that collides.
pub(super) type Hash = fn(&[u8]) -> Digest;

pub(super) fn sha256(bytes: &[u8]) -> Digest {
    Sha256::digest(bytes).into()
}

/// Writes a [`RequestIdentity`], field by field.
#[derive(Debug)]
pub struct IdentityWriter(Vec<u8>);

impl IdentityWriter {
    /// `body_bytes` is the size of what [`IdentityWriter::json`] will be given.
    pub fn new(body_bytes: usize) -> Self {
        let mut writer = Self(Vec::with_capacity(body_bytes.saturating_add(512)));
        writer.field(FORMAT);
        writer
    }

    pub fn field(&mut self, bytes: &[u8]) {
        self.0.extend(length(bytes.len()).to_be_bytes());
        self.0.extend_from_slice(bytes);
    }

    /// An absent field is none that is empty.
    pub fn optional(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.field(bytes),
            None => self.0.extend(ABSENT.to_be_bytes()),
        }
    }

    /// A JSON text in its canonical spelling; one that has none stands there as it is.
    pub fn json(&mut self, json: &[u8]) {
        // Never the same as what stands there as it is, whatever that says.
        self.field(b"canonical");
        let at = self.0.len();
        self.0.extend(ABSENT.to_be_bytes());
        let begin = self.0.len();
        if canonical::write(json, &mut self.0) {
            let written = length(self.0.len() - begin).to_be_bytes();
            if let Some(place) = self.0.get_mut(at..begin) {
                place.copy_from_slice(&written);
            }
        } else {
            self.field(json);
        }
    }

    pub(super) fn finish(self, hash: Hash) -> RequestIdentity {
        // Exactly as large as counted: it is kept.
        let bytes = Bytes::from(self.0.into_boxed_slice());
        RequestIdentity {
            digest: hash(&bytes),
            bytes,
        }
    }
}

/// What a request is known by, but for who answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestIdentity {
    pub(super) digest: Digest,
    pub(super) bytes: Bytes,
}

/// What an answer is known by.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) digest: Digest,
    pub(super) request: Bytes,
    pub(super) candidate: Bytes,
}

impl Identity {
    /// Hashes the request's digest and not the request, which is large and the same for every candidate.
    pub(super) fn new(
        request: &RequestIdentity,
        (provider, model): (&str, &str),
        hash: Hash,
    ) -> Self {
        let mut candidate = IdentityWriter(Vec::with_capacity(48 + provider.len() + model.len()));
        candidate.0.extend(request.digest);
        candidate.field(provider.as_bytes());
        candidate.field(model.as_bytes());
        let candidate = Bytes::from(candidate.0.into_boxed_slice());
        Self {
            digest: hash(&candidate),
            request: request.bytes.clone(),
            candidate,
        }
    }

    /// Takes an identity that was kept outside this process; `None` for one that is written in another way.
    pub(super) fn kept(request: Bytes, candidate: (&str, &str), hash: Hash) -> Option<Self> {
        if !request.starts_with(&IdentityWriter::new(0).0) {
            return None;
        }
        let digest = hash(&request);
        let request = RequestIdentity {
            digest,
            bytes: request,
        };
        Some(Self::new(&request, candidate, hash))
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        self.candidate == other.candidate && self.request == other.request
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.request.len() + self.candidate.len()
    }
}

fn length(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(ABSENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut IdentityWriter)) -> RequestIdentity {
        let mut writer = IdentityWriter::new(0);
        write(&mut writer);
        writer.finish(sha256)
    }

    #[test]
    fn no_two_lists_of_fields_are_written_alike() {
        let identities = [
            written(|_| {}),
            written(|writer| writer.field(b"")),
            written(|writer| writer.optional(None)),
            written(|writer| writer.field(b"ab")),
            written(|writer| {
                writer.field(b"a");
                writer.field(b"b");
            }),
            written(|writer| {
                writer.field(b"");
                writer.field(b"ab");
            }),
            written(|writer| writer.json(b"{}")),
            written(|writer| writer.json(b"{")),
            written(|writer| {
                writer.field(b"canonical");
                writer.field(b"{");
            }),
        ];
        for (index, one) in identities.iter().enumerate() {
            for other in identities.iter().skip(index + 1) {
                assert_ne!(one.bytes, other.bytes);
                assert_ne!(one.digest, other.digest);
            }
        }
    }

    #[test]
    fn the_candidate_is_part_of_it_and_so_is_the_request() {
        let request = |body: &'static [u8]| written(|writer| writer.json(body));
        let of = |body, candidate| Identity::new(&request(body), candidate, sha256);
        let one = of(b"{\"a\":1,\"b\":2}", ("openai", "m"));
        assert!(one.is(&of(b"{ \"b\":2, \"a\":1 }", ("openai", "m"))));
        for other in [
            of(b"{\"a\":1,\"b\":2}", ("openai", "n")),
            of(b"{\"a\":1,\"b\":2}", ("other", "m")),
            of(b"{\"a\":1,\"b\":2}", ("openaim", "")),
            of(b"{\"a\":1,\"b\":3}", ("openai", "m")),
        ] {
            assert!(!one.is(&other));
            assert_ne!(one.digest, other.digest);
        }
    }

    #[test]
    fn one_that_is_written_in_another_way_is_not_taken() {
        let request = written(|writer| writer.field(b"x"));
        let kept = Identity::kept(request.bytes.clone(), ("p", "m"), sha256).unwrap();
        assert_eq!(
            kept.digest,
            Identity::new(&request, ("p", "m"), sha256).digest
        );
        assert!(Identity::kept(request.bytes.slice(1..), ("p", "m"), sha256).is_none());
        assert!(Identity::kept(Bytes::new(), ("p", "m"), sha256).is_none());
    }
}
