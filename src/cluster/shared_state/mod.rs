//! The file that the nodes of a cluster share: everything their admin APIs made, at one revision.
//!
//! 1. A write names the revision that it was made from. Under the lock of the file beside it, the file is read again;
//!    where somebody was faster, nothing is written.
//! 2. Readers see the whole file before or the whole file after: it is written beside, synced, and renamed.
//! 3. There is never a plain secret in it: a document with one is refused on the way in and on the way out.
//! 4. It is watched, not read for each request: only a file whose time, size or inode has changed is opened.
//! 5. A file that is damaged, or older than what was loaded, is an error in the status and changes nothing.

mod document;
mod error;
mod file;
mod status;
mod sync;
#[cfg(test)]
mod tests;

pub use document::{SharedResource, SharedState};
pub use error::SharedStateError;
pub use status::{Readiness, SyncStatus};
pub use sync::StateSync;
