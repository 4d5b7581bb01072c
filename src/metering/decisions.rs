//! The decision trace of a request, written while the decisions are made.
//!
//! A request that had one candidate and was answered at the first attempt leaves none: its log says it all.

use std::{sync::Arc, time::Duration};

use ferrogate_api::{AttemptTrace, RoutingTrace};

use super::Recording;
use crate::error::RequestError;

/// What is known of an attempt that ended.
#[derive(Debug)]
pub struct AttemptNote {
    /// Which of the provider's credentials, counted from 1.
    pub credential: Option<u32>,
    pub took: Duration,
    /// What the provider answered with; 0 when it did not.
    pub status: u16,
}

impl Recording {
    /// Takes over what routing decided; `None` where there was nothing to decide.
    pub fn set_routing(&mut self, trace: Option<Box<RoutingTrace>>) {
        self.routing = trace;
    }

    /// Notes that a candidate could not be asked at all.
    pub fn passed_over(&mut self, (provider, provider_model): (&str, &str), error: &RequestError) {
        let Some(trace) = &mut self.routing else {
            return;
        };
        let candidate = trace.candidates.iter_mut().find(|candidate| {
            &*candidate.provider == provider && &*candidate.provider_model == provider_model
        });
        if let Some(candidate) = candidate {
            candidate.reason = format!("{}; passed over: {}", candidate.reason, error.message);
        }
    }

    /// Notes an attempt that answered.
    pub fn answered(&mut self, note: &AttemptNote) {
        // The first attempt of a request without choices is no decision.
        if self.routing.is_some() {
            self.push(note, None, "answered".to_owned());
        }
    }

    /// Notes an attempt that failed, and what was decided then.
    pub fn attempt_failed(&mut self, note: &AttemptNote, error: &RequestError, decision: String) {
        self.push(note, Some(Arc::from(error.kind.code())), decision);
    }

    fn push(&mut self, note: &AttemptNote, error_code: Option<Arc<str>>, decision: String) {
        let took_us = super::micros(note.took);
        let attempt = AttemptTrace {
            provider: super::named(&self.log.provider),
            provider_model: super::named(&self.log.provider_model),
            credential: note.credential,
            began_us: self.elapsed_us().saturating_sub(took_us),
            duration_us: took_us,
            status: note.status,
            error_code,
            decision,
        };
        let trace = self.routing.get_or_insert_with(|| {
            Box::new(RoutingTrace {
                model: super::named(&self.log.model),
                ..RoutingTrace::default()
            })
        });
        trace.attempts.push(attempt);
    }
}
