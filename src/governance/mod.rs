//! May this request run? Three steps, in this order:
//!
//! 1. [`Keys::authenticate`] reads the headers alone, before a byte of the body: a key is present, known, enabled and
//!    not expired, and its tenants are not switched off; then [`Key::require`] asks it for the scope. A secret that
//!    nobody here knows may be known to the external authorization service ([`external`]).
//! 2. The caller goes on to the key's lists of models and providers, and to the deny rules of [`Policies`], once it
//!    knows which are meant.
//! 3. [`Accounts::admit`] counts the request against the limits and budgets of its key and tenants, or refuses it and
//!    counts nothing. What it gives is a [`Permit`], the proof without which nothing goes to a provider.
//!
//! [`Keys`], [`Policies`] and the [`Tree`] of accounts belong to one configuration and are replaced with it;
//! [`Accounts`], which counts, outlives it.

mod accounts;
mod auth_failures;
mod calendar;
mod credential;
pub mod external;
mod keys;
mod policy;
mod scopes;
mod tenants;

pub use accounts::{
    Account, AccountView, Accounts, Ask, BudgetView, KeyAccount, Options as AccountOptions, Path,
    Permit, Raise, RateStatus, Refusal, Standing, ThresholdCrossed, ThresholdSink, Tree, Used,
};
pub use auth_failures::{AuthFailures, Refusal as AuthRefusal, Refused, Surface, too_many};
pub use credential::presented as presented_secret;
pub use keys::{Belonging, Key, KeySpec, Keys, KeysError};
pub use policy::{Policies, Subject};
pub use tenants::switched_off;

pub use crate::secret_hash::{KeyHash, KeyHashError, hash, is_generated, is_low_entropy};

use crate::config::Secret;
use crate::secret_hash;

/// A new secret for a key.
pub fn generate() -> Secret {
    Secret::new(secret_hash::generate().as_str())
}
