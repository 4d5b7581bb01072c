//! Everything the console knows. Screens read it; `update` alone changes it.

use std::sync::Arc;

use ferrogate_api::{InFlight, RequestLog, Status};
use ratatui::layout::Size;

use crate::{
    app::{connection::Connection, history::History, request_buffer::RequestBuffer},
    screens::{overview, requests},
};

/// What is on the screen. Both tabs keep their state while the other one is shown.
#[derive(Debug, Clone)]
pub enum Screen {
    Overview,
    Requests,
    /// One request in full; it stays although its row may leave the buffer.
    RequestDetail(Arc<RequestLog>),
}

/// A short word to the operator that goes by itself.
#[derive(Debug, Clone)]
pub struct Toast {
    pub text: String,
    pub until_unix_ms: i64,
}

#[derive(Debug)]
pub struct Model {
    pub now_unix_ms: i64,
    pub size: Size,
    pub target: String,
    pub connection: Connection,
    pub status: Option<Status>,
    pub status_poll: StatusPoll,
    /// Thousandths of one core, between the last two statuses of the same process.
    pub cpu_milli: Option<u64>,
    pub history: History,
    pub in_flight: Arc<InFlight>,
    pub buffer: RequestBuffer,
    /// Requests that ended while their back-fill was still on its way: they come after it.
    pub held_back: Option<Vec<Arc<RequestLog>>>,
    /// When the feed broke, until the gap is marked.
    pub lost_unix_ms: Option<i64>,
    /// Events the gateway did not send because there were too many.
    pub skipped: u64,
    pub screen: Screen,
    pub overview: overview::State,
    pub requests: requests::State,
    pub help_open: bool,
    pub toast: Option<Toast>,
    /// The first key of a sequence such as `gg`.
    pub pending_key: Option<char>,
}

/// When the status was asked for, so that it is asked every two seconds and never twice at once.
#[derive(Debug, Default)]
pub struct StatusPoll {
    pub asked_unix_ms: i64,
    pub is_waiting: bool,
}

impl Model {
    pub fn new(target: String, size: Size, now_unix_ms: i64, jitter_seed: u64) -> Self {
        Self {
            now_unix_ms,
            size,
            target,
            connection: Connection::new(jitter_seed),
            status: None,
            status_poll: StatusPoll::default(),
            cpu_milli: None,
            history: History::default(),
            in_flight: Arc::default(),
            buffer: RequestBuffer::default(),
            held_back: None,
            lost_unix_ms: None,
            skipped: 0,
            screen: Screen::Overview,
            overview: overview::State::default(),
            requests: requests::State::default(),
            help_open: false,
            toast: None,
            pending_key: None,
        }
    }

    /// Nothing has ever been heard from the gateway.
    pub fn never_connected(&self) -> bool {
        self.status.is_none()
    }

    pub fn say(&mut self, text: impl Into<String>) {
        const SHOWN_MS: i64 = 4_000;
        self.toast = Some(Toast {
            text: text.into(),
            until_unix_ms: self.now_unix_ms + SHOWN_MS,
        });
    }

    /// The time that the figures on the screen are of: ages stand still while nothing is heard.
    pub fn shown_unix_ms(&self) -> i64 {
        match self.connection.heard_unix_ms {
            Some(heard) if !self.connection.is_live() => heard,
            _ => self.now_unix_ms,
        }
    }

    /// How old the figures on the screen are.
    pub fn data_age_ms(&self) -> Option<i64> {
        self.connection
            .heard_unix_ms
            .map(|heard| (self.now_unix_ms - heard).max(0))
    }
}
