//! `/admin/v1/config/revisions`, `/{revision}` and `/{revision}/rollback`: what was changed of what the gateway goes by,
//! when, by whom and why, and the way back.

use std::sync::Arc;

use axum::{Json, extract::State};
use ferrogate_api::{ConfigRevision, ConfigRollback, Page, RollbackRequest};
use http::Uri;

use super::{
    body::Command,
    path::Named,
    preconditions::By,
    query::Parameters,
    respond::{Failure, invalid},
};
use crate::error::RequestError;
use crate::gateway::Gateway;

/// Newest first. A cursor is the number of the last one, below which it goes on.
pub(super) async fn list(
    State(gateway): State<Arc<Gateway>>,
    uri: Uri,
) -> Result<Json<Page<ConfigRevision>>, Failure> {
    let mut parameters = Parameters::of(&uri)?;
    let below = parameters.take_with("cursor", |text| {
        text.parse()
            .map_err(|_| "must be the `next_cursor` of a page of this list".to_owned())
    })?;
    let limit = parameters.take_limit(&gateway.snapshot().config.admin)?;
    parameters.finish()?;
    Ok(Json(gateway.revisions(below, limit).await?))
}

pub(super) async fn show(
    State(gateway): State<Arc<Gateway>>,
    Named(number): Named<String>,
    uri: Uri,
) -> Result<Json<ConfigRevision>, Failure> {
    Parameters::none(&uri)?;
    let number = number_of(&number)?;
    Ok(Json(gateway.revision_of_number(number).await?))
}

/// Makes the resources of the database what they were right after it. The file is nobody's to write but its owner's;
/// the answer says what would have to change there.
pub(super) async fn rollback(
    State(gateway): State<Arc<Gateway>>,
    by: By,
    Named(number): Named<String>,
    uri: Uri,
    Command(request): Command<RollbackRequest>,
) -> Result<Json<ConfigRollback>, Failure> {
    Parameters::none(&uri)?;
    let number = number_of(&number)?;
    let by = by.unconditional()?.because(request.reason)?;
    let rolled_back = gateway.rollback(number, &by.change, request.dry_run);
    Ok(Json(rolled_back.await?))
}

fn number_of(text: &str) -> Result<u64, RequestError> {
    text.parse()
        .map_err(|_| invalid("revision", "must be the number of a revision"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_are_called_by_their_numbers() {
        assert_eq!(number_of("7"), Ok(7));
        for wrong in ["", "-1", "seven", "7.0", "99999999999999999999"] {
            let error = number_of(wrong).unwrap_err();
            assert_eq!(error.param.as_deref(), Some("revision"), "{wrong}");
        }
    }
}
