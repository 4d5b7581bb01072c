//! Between SQLite's signed 64-bit integers and text, and the wire types' counts and names.

use std::sync::Arc;

use ferrogate_api::{AccountKind, Outcome, TenantContext, Tokens, UsageSource};
use rusqlite::{Error, Row, types::Type};

use crate::ids::RequestId;

/// A count as a column value. What does not fit stands at the end of the range: a provider that reports nonsense
/// must not be able to stop the ledger.
pub(super) fn from_count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) fn count(row: &Row<'_>, column: &'static str) -> Result<u64, Error> {
    Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or_default())
}

pub(super) fn optional_count(row: &Row<'_>, column: &'static str) -> Result<Option<u64>, Error> {
    let value: Option<i64> = row.get(column)?;
    Ok(value.map(|count| u64::try_from(count).unwrap_or_default()))
}

pub(super) fn tokens(row: &Row<'_>) -> Result<Tokens, Error> {
    Ok(Tokens {
        input: count(row, "input_tokens")?,
        output: count(row, "output_tokens")?,
        cache_read: count(row, "cache_read_tokens")?,
        cache_write: count(row, "cache_write_tokens")?,
        reasoning: count(row, "reasoning_tokens")?,
    })
}

pub(super) fn request_id(row: &Row<'_>, column: &'static str) -> Result<RequestId, Error> {
    Ok(RequestId::from_bytes(row.get(column)?))
}

pub(super) fn outcome(row: &Row<'_>) -> Result<Outcome, Error> {
    named(row, "outcome", Outcome::parse)
}

pub(super) fn usage_source(row: &Row<'_>) -> Result<UsageSource, Error> {
    named(row, "usage_source", UsageSource::parse)
}

/// A name that must be one of ours.
pub(super) fn named<T>(
    row: &Row<'_>,
    column: &'static str,
    parse: fn(&str) -> Option<T>,
) -> Result<T, Error> {
    let index = row.as_ref().column_index(column)?;
    let name = row.get_ref(index)?.as_str()?;
    parse(name).ok_or_else(|| Error::InvalidColumnType(index, column.to_owned(), Type::Text))
}

/// Text as it lies in the row, without a copy.
pub(super) fn text<'r>(row: &'r Row<'_>, column: &'static str) -> Result<Option<&'r str>, Error> {
    let index = row.as_ref().column_index(column)?;
    Ok(row.get_ref(index)?.as_str_or_null()?)
}

/// The column that says which account of this kind a row belongs to.
pub(super) fn account_column(kind: AccountKind) -> &'static str {
    match kind {
        AccountKind::Key => "api_key_id",
        AccountKind::User => "user_id",
        AccountKind::Project => "project_id",
        AccountKind::Team => "team_id",
        AccountKind::Organization => "organization_id",
    }
}

/// The four tenant columns; `None` where all are NULL.
pub(super) fn tenant(row: &Row<'_>) -> Result<Option<Arc<TenantContext>>, Error> {
    let tenant = TenantContext {
        organization_id: row.get("organization_id")?,
        team_id: row.get("team_id")?,
        project_id: row.get("project_id")?,
        user_id: row.get("user_id")?,
    };
    Ok((!tenant.is_empty()).then(|| Arc::new(tenant)))
}

/// A tenant's id as a column value.
pub(super) fn tenant_id(tenant: Option<&TenantContext>, kind: AccountKind) -> Option<&str> {
    tenant?.get(kind).map(|id| &**id)
}

/// A collection's length as a count.
pub(super) fn length(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
