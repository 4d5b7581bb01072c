//! Who pays for a request. What an account is, and what it may spend, is not this module's business.

use std::fmt;

use async_trait::async_trait;

use crate::error::RequestError;

/// What one attempt used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    /// Input and output.
    pub tokens: u64,
    /// Nano-units (10⁻⁹); `None` without a price.
    pub cost_nanos: Option<i64>,
}

/// The limits and budgets that an admitted request counts against. Dropping it gives back what is still held.
#[async_trait]
pub trait Payer: fmt::Debug + Send + Sync {
    /// Charges what an attempt used. `hand_over` puts the row that says so into the writer's queue; it must be called
    /// once, while nobody else can be charged.
    fn charge(&mut self, used: Used, at_unix_ms: i64, hand_over: &mut dyn FnMut());

    /// Asks whether, after what was charged, there is still enough for another attempt.
    ///
    /// # Errors
    /// The refusal of the budget that has too little left.
    async fn renew(&mut self, now_unix_ms: i64) -> Result<(), RequestError>;
}
