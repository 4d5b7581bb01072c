//! The request list's rows: the live tail, and the older rows that scrolling has brought.
//!
//! Rows have an id that never changes while they are kept, so that a cursor stays on its row whatever arrives. The
//! tail counts up from 0, history counts down from -1: ascending ids are oldest to newest over both. History
//! belongs to the filter it was asked for and goes when the filter changes; the tail stays.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
};

use ferrogate_api::RequestLog;

use crate::app::filter::Filter;

pub const TAIL_MAX: usize = 10_000;
pub const HISTORY_MAX: usize = 10_000;

pub type RowId = i64;

#[derive(Debug, Clone)]
pub enum Row {
    Request(Arc<RequestLog>),
    Gap(Gap),
}

/// Why the rows on both sides of it are not neighbours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gap {
    /// The console was not connected. `complete`: what happened meanwhile was read back.
    Offline {
        from_unix_ms: i64,
        to_unix_ms: i64,
        complete: bool,
    },
    /// So many rows left the full buffer.
    Evicted { count: u64 },
}

#[derive(Debug, Default)]
pub struct RequestBuffer {
    tail: VecDeque<Row>,
    first_tail_id: RowId,
    /// Newest first.
    history: Vec<Row>,
    /// The ids that pass the filter, oldest first. Gaps always do.
    visible: VecDeque<RowId>,
    known: HashSet<String>,
    filter: Filter,
}

impl RequestBuffer {
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// How many rows pass the filter.
    pub fn len(&self) -> usize {
        self.visible.len()
    }

    pub fn is_empty(&self) -> bool {
        self.visible.is_empty()
    }

    /// How many rows are kept, filtered or not.
    pub fn kept(&self) -> usize {
        self.tail.len() + self.history.len()
    }

    pub fn history_is_full(&self) -> bool {
        self.history.len() >= HISTORY_MAX
    }

    pub fn set_filter(&mut self, filter: Filter) {
        self.filter = filter;
        for row in std::mem::take(&mut self.history) {
            self.forget(&row);
        }
        let (filter, first) = (&self.filter, self.first_tail_id);
        self.visible = (first..)
            .zip(&self.tail)
            .filter(|(_, row)| passes(filter, row))
            .map(|(id, _)| id)
            .collect();
    }

    /// Adds a finished request; says whether it is new and passes the filter.
    pub fn push(&mut self, log: Arc<RequestLog>) -> bool {
        self.known.insert(log.request_id.clone()) && self.push_row(Row::Request(log))
    }

    pub fn push_gap(&mut self, gap: Gap) {
        self.push_row(Row::Gap(gap));
    }

    /// Adds older requests, newest first; returns how many of them were new and pass the filter.
    pub fn extend_history(&mut self, logs: &[RequestLog]) -> usize {
        let mut shown = 0;
        for log in logs {
            if self.history_is_full() || !self.known.insert(log.request_id.clone()) {
                continue;
            }
            let row = Row::Request(Arc::new(log.clone()));
            let passes = passes(&self.filter, &row);
            self.history.push(row);
            if passes {
                self.visible.push_front(-id_of(self.history.len()));
                shown += 1;
            }
        }
        shown
    }

    pub fn row(&self, id: RowId) -> Option<&Row> {
        if id < 0 {
            self.history.get(usize::try_from(-1 - id).ok()?)
        } else {
            self.tail
                .get(usize::try_from(id - self.first_tail_id).ok()?)
        }
    }

    /// The id at a position of the visible list, newest first.
    pub fn id_at(&self, position: usize) -> Option<RowId> {
        let index = self.visible.len().checked_sub(position + 1)?;
        self.visible.get(index).copied()
    }

    /// The position of a row, or where it would be if it has gone or is filtered out.
    pub fn position_of(&self, id: RowId) -> usize {
        let last = self.visible.len().saturating_sub(1);
        match self.visible.binary_search(&id) {
            Ok(index) => last - index,
            Err(index) => last.saturating_sub(index),
        }
    }

    /// The visible rows from a position on, newest first.
    pub fn rows_from(&self, position: usize) -> impl Iterator<Item = (RowId, &Row)> {
        self.visible
            .iter()
            .rev()
            .skip(position)
            .filter_map(|id| Some((*id, self.row(*id)?)))
    }

    /// The newest requests, filtered or not.
    pub fn newest(&self) -> impl Iterator<Item = &Arc<RequestLog>> {
        self.tail.iter().rev().filter_map(|row| match row {
            Row::Request(log) => Some(log),
            Row::Gap(_) => None,
        })
    }

    fn push_row(&mut self, row: Row) -> bool {
        let visible = passes(&self.filter, &row);
        let id = self.first_tail_id + id_of(self.tail.len());
        self.tail.push_back(row);
        if visible {
            self.visible.push_back(id);
        }
        while self.tail.len() > TAIL_MAX {
            self.evict_oldest();
        }
        visible
    }

    /// Drops the oldest row of the tail. With older history behind it, a gap row stays in its place and counts.
    fn evict_oldest(&mut self) {
        let Some(oldest) = self.tail.pop_front() else {
            return;
        };
        self.hide(self.first_tail_id);
        self.first_tail_id += 1;
        self.forget(&oldest);
        let evicted_before = match oldest {
            Row::Gap(Gap::Evicted { count }) => count,
            Row::Request(_) | Row::Gap(Gap::Offline { .. }) => 0,
        };
        if self.history.is_empty() {
            return;
        }
        if let Some(next) = self.tail.front_mut() {
            let counted = 1 + u64::from(evicted_before == 0);
            let gap = Row::Gap(Gap::Evicted {
                count: evicted_before + counted,
            });
            let replaced = std::mem::replace(next, gap);
            self.forget(&replaced);
            if let Err(index) = self.visible.binary_search(&self.first_tail_id) {
                self.visible.insert(index, self.first_tail_id);
            }
        }
    }

    fn hide(&mut self, id: RowId) {
        if let Ok(index) = self.visible.binary_search(&id) {
            self.visible.remove(index);
        }
    }

    fn forget(&mut self, row: &Row) {
        if let Row::Request(log) = row {
            self.known.remove(&log.request_id);
        }
    }
}

fn passes(filter: &Filter, row: &Row) -> bool {
    match row {
        Row::Request(log) => filter.matches(log),
        Row::Gap(_) => true,
    }
}

fn id_of(count: usize) -> RowId {
    RowId::try_from(count).unwrap_or(RowId::MAX)
}
