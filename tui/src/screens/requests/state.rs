//! The request list's own state: where the cursor is, what is typed, how far back history was loaded.
//!
//! Cursor and first row are kept as row ids, not as positions, so that rows which arrive move neither. While it
//! follows, both are simply the newest row.

use tui_input::Input;

use crate::app::request_buffer::{RequestBuffer, RowId};

/// Rows that stay between the cursor and the edge of the list.
const SCROLL_MARGIN: usize = 2;

#[derive(Debug)]
pub struct State {
    /// The newest row is on top and under the cursor.
    pub follow: bool,
    /// The row under the cursor; meaningless while it follows.
    selected: RowId,
    /// The uppermost row; meaningless while it follows.
    top: RowId,
    /// Rows that arrived since it stopped following.
    pub arrived: u64,
    /// The filter prompt, while it is open.
    pub prompt: Option<Input>,
    /// Counts filters, so that a page of an old one is not mixed into the new one.
    pub filter_epoch: u64,
    pub older: Older,
}

/// How far back history was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Older {
    /// There may be more, from this cursor on.
    More(Option<String>),
    Loading {
        pages_without_news: u8,
    },
    /// The gateway has no older ones.
    End,
    Failed(String),
}

impl Default for State {
    fn default() -> Self {
        Self {
            follow: true,
            selected: 0,
            top: 0,
            arrived: 0,
            prompt: None,
            filter_epoch: 0,
            older: Older::More(None),
        }
    }
}

impl State {
    pub fn selected_position(&self, buffer: &RequestBuffer) -> usize {
        if self.follow {
            0
        } else {
            buffer.position_of(self.selected)
        }
    }

    pub fn top_position(&self, buffer: &RequestBuffer) -> usize {
        if self.follow {
            0
        } else {
            buffer.position_of(self.top)
        }
    }

    /// The row under the cursor.
    pub fn selected(&self, buffer: &RequestBuffer) -> Option<RowId> {
        buffer.id_at(self.selected_position(buffer))
    }

    pub fn follow_newest(&mut self) {
        self.follow = true;
        self.arrived = 0;
    }

    /// Stays on the rows that are shown now, whatever arrives.
    pub fn freeze(&mut self, buffer: &RequestBuffer) {
        if self.follow
            && let Some(newest) = buffer.id_at(0)
        {
            self.follow = false;
            self.arrived = 0;
            self.selected = newest;
            self.top = newest;
        }
    }

    /// Puts the cursor at a position, scrolling a list of `rows` rows as little as needed.
    pub fn select(&mut self, position: usize, rows: usize, buffer: &RequestBuffer) {
        self.freeze(buffer);
        let position = position.min(buffer.len().saturating_sub(1));
        let margin = SCROLL_MARGIN.min(rows.saturating_sub(1) / 2);
        let lowest_top = (position + margin + 1).saturating_sub(rows);
        let highest_top = position.saturating_sub(margin);
        let longest_top = buffer.len().saturating_sub(rows);
        let top = self
            .top_position(buffer)
            .clamp(lowest_top.min(highest_top), highest_top)
            .min(longest_top);
        if let (Some(selected), Some(top)) = (buffer.id_at(position), buffer.id_at(top)) {
            self.selected = selected;
            self.top = top;
        }
    }
}
