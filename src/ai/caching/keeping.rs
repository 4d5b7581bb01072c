//! What becomes of an answer beside being sent: kept in the cache, noted in the log.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::ai::Exchange;
use crate::ai::capture::{Capture, beginning_of};
use crate::cache::{Fresh, Ticket};
use crate::store::Bodies;

/// Collects one answer for whoever wants it. Nobody does unless they say so.
#[derive(Debug, Default)]
pub struct Keeping {
    capture: Capture,
    ticket: Option<Box<Ticket>>,
    status: u16,
    headers: HeaderMap,
    /// What the client sent, as the log is to have it.
    request: Option<Bytes>,
}

impl Keeping {
    /// From here on the answer is collected for the cache.
    pub(in crate::ai) fn for_cache(&mut self, ticket: Box<Ticket>) {
        self.capture.want_whole(ticket.body_bytes_max());
        self.ticket = Some(ticket);
    }

    /// From here on the first `max` bytes of the answer are collected for the log, beside those of the request.
    pub(in crate::ai) fn for_log(&mut self, request: &Bytes, max: usize) {
        self.capture.want_beginning(max);
        self.request = Some(beginning_of(request, max));
    }

    /// Takes note of the head that the client is sent.
    pub(in crate::ai) fn take_head(&mut self, status: u16, headers: &HeaderMap) {
        if self.ticket.is_some() {
            self.status = status;
            self.headers.clone_from(headers);
        }
    }

    /// Takes note of what the client is sent next.
    pub(in crate::ai) fn take(&mut self, piece: &Bytes) {
        self.capture.take(piece);
    }

    /// There will be no answer to keep: those who wait for one need not wait longer.
    pub(in crate::ai) fn give_up(&mut self) {
        self.capture.give_up_whole();
        self.ticket = None;
    }

    /// What the log is to have, once everything has been sent.
    pub fn bodies(&mut self) -> Option<Bodies> {
        Some(Bodies {
            request: self.request.take()?,
            response: self.capture.beginning()?,
        })
    }
}

impl<C> Exchange<'_, C> {
    /// Keeps the answer if it may be. Everything of it has been taken, its attempt is settled, and it ended as it should;
    /// called before the client sees its end, so that the same request again finds it.
    pub(in crate::ai) fn keep_answer(&mut self, stream: bool) {
        let Some(ticket) = self.keeping.ticket.take() else {
            return;
        };
        let log = &self.recording.log;
        if self.keeping.status == StatusCode::OK.as_u16()
            && let Some(body) = self.keeping.capture.whole()
            && let (Some(provider), Some(provider_model)) = (&log.provider, &log.provider_model)
        {
            let (tokens, cost_nanos) = self.recording.last_settled();
            ticket.keep(Fresh {
                headers: &self.keeping.headers,
                body,
                stream,
                provider,
                provider_model,
                tokens,
                cost_nanos,
            });
        }
        self.keeping.capture.give_up_whole();
    }
}
