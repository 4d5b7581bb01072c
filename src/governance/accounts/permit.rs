//! The proof that a request may go to a provider, and what it owes for that.
//!
//! ```text
//! admit ──▶ holding ──settle──▶ settled ──(drop)──▶ released
//!             │  ▲                 │
//!             │  └────renew────────┘
//!             ├──(drop)──▶ released: nothing is charged
//!             └──cancel──▶ as if never admitted
//! ```

use std::sync::Arc;

use ferrogate_api::BalanceKey;

use super::{
    Accounts,
    admission::Claim,
    amounts::{Ask, Used},
    refusal::Refusal,
    standing::Standing,
    tree::{Account, Path},
};

/// The proof that a request may go to a provider. Only [`Accounts::admit`] makes one; dropping it gives back what it
/// holds and its place among the requests in flight.
#[derive(Debug)]
#[must_use = "a permit that nobody uses is a request that was counted and not served"]
pub struct Permit {
    accounts: Accounts,
    path: Path,
    ask: Ask,
    claim: Claim,
    standing: Standing,
}

impl Permit {
    pub(super) fn new(
        accounts: &Accounts,
        path: &Path,
        ask: Ask,
        (claim, standing): (Claim, Standing),
    ) -> Self {
        Self {
            accounts: accounts.clone(),
            path: Arc::clone(path),
            ask,
            claim,
            standing,
        }
    }

    /// Where the request stands with the tightest limits per minute.
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// The accounts that it counts against.
    pub fn path(&self) -> &[Arc<Account>] {
        &self.path
    }

    /// Charges what an attempt used, in the period of `now_unix_ms`, to all budgets that the accounts of the path have
    /// by now. With it the attempt's hold ends, and of the tokens that were counted in the last minute those that were
    /// not used are taken back.
    ///
    /// `hand_over` is called once and under the lock, so that the ledger sees rows in the order in which they were
    /// charged: it puts the balances of periods that have begun, if any, and then the attempt's row into the writer's
    /// queue. It must neither wait nor come back to the accounts.
    pub fn settle(
        &mut self,
        used: Used,
        now_unix_ms: i64,
        hand_over: impl FnOnce(Vec<BalanceKey>),
    ) {
        let crossed = {
            let mut state = self.accounts.lock();
            let crossed = state.settle(&self.path, (&mut self.claim, used), now_unix_ms);
            hand_over(std::mem::take(&mut state.begun));
            crossed
        };
        self.accounts.tell(crossed);
    }

    /// Holds the whole estimate again for another attempt, after one was settled.
    ///
    /// # Errors
    /// The refusal of a budget that has too little left beside what was charged; then nothing is held.
    pub fn renew(&mut self, now_unix_ms: i64) -> Result<(), Box<Refusal>> {
        if !self.ask.charges || !self.claim.is_settled {
            return Ok(());
        }
        let renewed =
            self.accounts
                .lock()
                .renew(&self.path, (&mut self.claim, self.ask), now_unix_ms);
        renewed.map_err(|denied| Box::new(Refusal::new(&denied, &self.path, now_unix_ms)))
    }

    /// Undoes the admission, as if it had never been: somebody else refused the request before it was sent.
    pub fn cancel(self) {
        self.accounts.lock().uncount(&self.path, &self.claim);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.accounts.lock().release(&self.path, &self.claim);
    }
}
