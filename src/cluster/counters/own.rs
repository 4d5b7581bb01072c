//! What this node's own ledger says, read so that lanes cannot write it in the wrong order.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::BalanceKey;

/// This node's own accounts, as far as the others must know them.
pub trait OwnBalances: Send + Sync {
    /// What is settled of every balance that is open; `None` while the ledger is still asked about some of them.
    fn all(&self) -> Option<Vec<(BalanceKey, i64)>>;

    /// What is settled of each of these by now, in their order; `None` for one that is not known (any more).
    fn settled(&self, keys: &[BalanceKey]) -> Vec<Option<i64>>;
}

/// Numbers its readings. The number is drawn before the values are read, and Redis keeps the value with the highest
/// one: whatever replaces a value was read after that number was drawn, and so has everything that was settled (and
/// released) under it.
pub(super) struct OwnReader {
    own: Arc<dyn OwnBalances>,
    version: AtomicU64,
}

impl OwnReader {
    pub(super) fn new(own: Arc<dyn OwnBalances>) -> Self {
        Self {
            own,
            version: AtomicU64::new(0),
        }
    }

    pub(super) fn all(&self) -> Option<(Vec<(BalanceKey, i64)>, u64)> {
        let version = self.draw();
        Some((self.own.all()?, version))
    }

    pub(super) fn settled(&self, keys: &[BalanceKey]) -> (Vec<Option<i64>>, u64) {
        let version = self.draw();
        (self.own.settled(keys), version)
    }

    fn draw(&self) -> u64 {
        self.version.fetch_add(1, Ordering::AcqRel) + 1
    }
}

impl fmt::Debug for OwnReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnReader").finish_non_exhaustive()
    }
}
