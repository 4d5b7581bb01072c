//! Endpoints of what a later version brings: programs written for it are told so, and not that there is no such path.

use axum::extract::Request;

use super::respond::Failure;
use crate::error::{ErrorKind, RequestError};

pub(super) async fn answer(request: Request) -> Failure {
    Failure(RequestError::new(
        ErrorKind::NotYetSupported,
        format!(
            "This version of FerroGate has nothing behind `{}` yet; a later one brings it.",
            request.uri().path()
        ),
    ))
}
