//! The SHA-256 of a file, and hexadecimal.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use sha2::{Digest, Sha256};

const PIECE_BYTES: usize = 1 << 18;

/// How long a file is, and its hash in hexadecimal. `go_on` is asked between two pieces.
pub(super) fn of_file<E: From<io::Error>>(
    path: &Path,
    go_on: impl Fn() -> Result<(), E>,
) -> Result<(u64, String), E> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; PIECE_BYTES];
    let mut size_bytes = 0;
    loop {
        let count = file.read(&mut piece)?;
        let Some(read) = piece.get(..count).filter(|read| !read.is_empty()) else {
            break;
        };
        hash.update(read);
        size_bytes += u64::try_from(count).unwrap_or(u64::MAX);
        go_on()?;
    }
    Ok((size_bytes, hex(&hash.finalize())))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
