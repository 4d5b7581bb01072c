//! Traffic over time, for charts: requests, errors, tokens, money and times by minute, hour and day.
//!
//! The request logs say it request by request, but not in time to draw a month. So the writer thread adds every log to
//! the sums and histograms of its minute, and minutes to hours and days (see [`writer`]). Times are kept as histograms
//! that can be added up (see [`histogram`]): a percentile is never made of percentiles.
//!
//! Nothing is charged by these figures. Tokens and money of everything, or by key, model or provider, are the ledger's
//! own sums; by other dimensions they are those of the request logs, without corrections that came later.

mod book;
mod chart;
mod dimensions;
mod histogram;
mod read;
mod rows;
#[cfg(test)]
mod tests;
mod writer;

use std::sync::Arc;

use ferrogate_api::{Timeseries, TimeseriesBy, TimeseriesMetric, TimeseriesSource, TimeseriesStep};
use parking_lot::Mutex;

use super::{Readers, Store, StoreError, listing::Deadline, usage_rollups::floor};
use crate::live::Selection;
use chart::{Chart, Steps};

pub(super) use book::Book as TrafficBook;
pub(super) use writer::TrafficWriter;

/// What to draw.
#[derive(Debug, Clone)]
pub struct TimeseriesAsk {
    pub metric: TimeseriesMetric,
    pub by: TimeseriesBy,
    pub step: TimeseriesStep,
    pub since_unix_ms: i64,
    pub until_unix_ms: i64,
    /// How many lines of their own.
    pub top: usize,
    pub selection: Selection,
}

impl TimeseriesAsk {
    /// The steps that the window touches.
    fn steps(&self) -> Steps {
        let step = self.step.millis();
        let since = floor(self.since_unix_ms, step);
        let until = self.until_unix_ms.max(self.since_unix_ms.saturating_add(1));
        let count = until.saturating_sub(since).saturating_add(step - 1) / step;
        Steps {
            step: self.step,
            since_unix_ms: since,
            count: usize::try_from(count).unwrap_or(usize::MAX),
        }
    }

    fn source(&self) -> TimeseriesSource {
        let money = matches!(
            self.metric,
            TimeseriesMetric::Tokens | TimeseriesMetric::Cost
        );
        let by = matches!(
            self.by,
            TimeseriesBy::None | TimeseriesBy::Key | TimeseriesBy::Model | TimeseriesBy::Provider
        );
        // The ledger's sums know these three alone.
        let others = Selection {
            key: None,
            model: None,
            provider: None,
            ..self.selection.clone()
        };
        if money && by && others.is_everything() {
            TimeseriesSource::Ledger
        } else {
            TimeseriesSource::Requests
        }
    }
}

impl TrafficWriter {
    /// What readers need of it.
    pub(super) fn shared(&self) -> Arc<Mutex<TrafficBook>> {
        self.book()
    }
}

impl Store {
    /// Draws what happened over time. The newest minute is in it.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn timeseries(&self, ask: TimeseriesAsk) -> Result<Timeseries, StoreError> {
        self.read(move |readers| draw(readers, &ask)).await
    }
}

fn draw(readers: &Readers, ask: &TimeseriesAsk) -> Result<Timeseries, StoreError> {
    let failed = |source| StoreError::Read {
        what: "traffic figures",
        source,
    };
    let deadline = Deadline::after(readers.time_limit);
    let connection = readers.ledger.get().map_err(StoreError::Connect)?;
    let (steps, source) = (ask.steps(), ask.source());
    let mut chart = Chart::new(ask.metric, steps);
    let complete = match source {
        TimeseriesSource::Ledger => {
            read::add_ledger(&connection, (ask, steps), &mut chart).map(|()| true)
        }
        TimeseriesSource::Requests => read::add_requests(
            &connection,
            &readers.traffic,
            (ask, steps),
            (&mut chart, deadline),
        ),
    };
    Ok(Timeseries {
        object: "timeseries".into(),
        metric: ask.metric,
        by: ask.by,
        step: ask.step,
        source,
        since_unix_ms: steps.since_unix_ms,
        until_unix_ms: steps.end_unix_ms(),
        at_unix_ms: steps.starts(),
        complete: complete.map_err(failed)?,
        lines: chart.finish(ask.by, ask.top),
    })
}
