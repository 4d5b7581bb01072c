//! May this request run? Two steps, in this order:
//!
//! 1. [`Keys::authenticate`] reads the headers alone, before a byte of the body: a key is present, known, enabled and
//!    not expired; then [`Key::require`] asks it for the scope. The caller goes on to the key's lists of models and
//!    providers, once it knows which are meant.
//! 2. [`RateLimits::admit`] counts the request, or refuses it and counts nothing. What it gives is a [`Permit`], the
//!    proof without which nothing goes to a provider.
//!
//! [`Keys`] belong to one configuration and are replaced with it; [`RateLimits`] outlive it.

mod credential;
mod hash;
mod keys;
mod limits;
mod scopes;

pub use hash::{KeyHash, KeyHashError, generate, hash, is_generated, is_low_entropy};
pub use keys::{Key, Keys, KeysError};
pub use limits::{Permit, RateLimits, RateStatus, Refusal};
