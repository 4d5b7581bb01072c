//! Everything that can happen to the console.

use std::sync::Arc;

use crossterm::event::KeyEvent;
use ferrogate_api::{Event, Page, RequestLog, Status};
use ratatui::layout::Size;

use crate::client::ClientError;

/// One thing that happened. Answers carry the generation of the connection they belong to: an answer of a
/// connection that was given up is ignored.
#[derive(Debug)]
pub enum Msg {
    Started,
    /// The time of day; comes before every other message, and once a second while nothing else happens.
    Tick {
        unix_ms: i64,
    },
    Key(KeyEvent),
    Resized(Size),
    /// The gateway answered and its live feed is open.
    Connected {
        generation: u64,
        status: Box<Status>,
        round_trip_us: u64,
    },
    Event {
        generation: u64,
        event: Event,
    },
    /// The connection could not be made, or broke.
    Lost {
        generation: u64,
        failure: Failure,
    },
    RetryDue {
        generation: u64,
    },
    StatusAnswered {
        generation: u64,
        answer: Result<(Box<Status>, u64), Failure>,
    },
    PageAnswered {
        page_for: PageFor,
        answer: Result<Arc<Page<RequestLog>>, Failure>,
    },
}

/// What a page of request logs was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageFor {
    /// To fill the list after connecting.
    BackFill { generation: u64 },
    /// To scroll further back, under the filter of that epoch.
    Older { filter_epoch: u64 },
}

/// A failed call, in words for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub message: String,
    pub hint: &'static str,
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let message = match &error {
            // The target is on the screen already; what counts is what the system said.
            ClientError::Unreachable { .. } => error.root_cause(),
            _ => error.chain(),
        };
        Self {
            message,
            hint: error.hint(),
        }
    }
}
