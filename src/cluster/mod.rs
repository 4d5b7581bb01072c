//! What several nodes share: limits and budgets counted together, and the file with what the admin API
//! made.
//!
//! Nothing here is the truth about money: that is every node's own ledger. [`counters`] adds the nodes up,
//! [`shared_state`] hands resources from one to the other.

pub mod counters;
pub mod shared_state;
