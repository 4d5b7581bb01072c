//! Sums of windows that are too old leave, each span at an age of its own.

use rusqlite::{Connection, Error, OptionalExtension, params};

use super::{StepOutcome, limits::Keep, slice::Slice, standing};
use crate::store::{columns, usage_rollups::floor};

/// A table of sums, and what tells its rows apart; the span and the window's start lead its primary key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) key: &'static str,
    /// Where it says how far its rows are added to those of the next span: none leaves before that.
    folds: Option<&'static str>,
}

pub(super) const USAGE: Table = Table {
    name: "usage_rollups",
    key: "span_ms, window_start_unix_ms, api_key_id, model, provider",
    folds: None,
};

pub(super) const TRAFFIC: Table = Table {
    name: "traffic_rollups",
    key: "span_ms, window_start_unix_ms, series_id",
    folds: Some("traffic_folds"),
};

/// One span of one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rollups {
    pub(super) table: Table,
    pub(super) span_ms: i64,
}

impl Rollups {
    pub(super) fn step(
        self,
        connection: &Connection,
        (job, keep): (&str, Keep),
        slice: &Slice,
    ) -> Result<StepOutcome, Error> {
        let Some(kept_from) = keep.oldest_unix_ms(slice.now_unix_ms) else {
            return Ok(StepOutcome::last(0));
        };
        // A window stays as a whole for as long as its end is young enough.
        let kept_from = floor(kept_from, self.span_ms);
        let kept_from = kept_from.min(self.folded_to(connection)?);
        let Table { name, key, .. } = self.table;
        let removed = connection
            .prepare_cached(&format!(
                "DELETE FROM {name} WHERE ({key}) IN (
                     SELECT {key} FROM {name} WHERE span_ms = ?1 AND window_start_unix_ms < ?2
                     ORDER BY {key} LIMIT ?3)"
            ))?
            .execute(params![self.span_ms, kept_from, slice.rows_as_limit()])?;
        if removed > 0 {
            standing::keep_from(connection, job, kept_from)?;
        }
        Ok(StepOutcome {
            removed: columns::length(removed),
            more: removed >= slice.rows_max,
        })
    }

    fn folded_to(self, connection: &Connection) -> Result<i64, Error> {
        let Some(folds) = self.table.folds else {
            return Ok(i64::MAX);
        };
        let folded_to = connection
            .prepare_cached(&format!(
                "SELECT window_start_unix_ms FROM {folds} WHERE span_ms = ?1"
            ))?
            .query_row([self.span_ms], |row| row.get(0))
            .optional()?;
        Ok(folded_to.unwrap_or(i64::MIN))
    }
}
