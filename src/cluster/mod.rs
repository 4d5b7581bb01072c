//! What several nodes share: who they are, limits and budgets counted together, and the file with what the admin API
//! made.
//!
//! Nothing here is the truth about money: that is every node's own ledger. [`counters`] adds the nodes up,
//! [`shared_state`] hands resources from one to the other.

pub mod counters;
mod node;
pub mod shared_state;

pub use node::Node;
