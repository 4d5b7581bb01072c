//! Names in a path, percent-decoded. What cannot be decoded is answered like any other mistake, in the envelope.

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::respond::{Failure, invalid};

/// The parameters of a path, in its order: one name, or a tuple of several.
pub(super) struct Named<T>(pub(super) T);

impl<T, S> FromRequestParts<S> for Named<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(names)) => Ok(Self(names)),
            Err(_) => Err(Failure(invalid(
                "path",
                "holds a percent-encoded name that is no UTF-8",
            ))),
        }
    }
}
