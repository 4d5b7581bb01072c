//! From a request's bytes to its prepared answer: parse, read the directive, reply, break what is to be broken.
//!
//! An answer follows from the bytes alone unless its directive counts calls or wants random usage. Those that do are
//! kept, so that a benchmark, which sends the same request over and over, measures the gateway and not us.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use http::StatusCode;
use memchr::memmem;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use super::{
    dialects::{Events, Identity, Request, Written, error_body, failed},
    faults::{self, Asked, Directive, Fault, UsageMode},
    playback::{EVENT_STREAM, Ending, JSON, Prepared, Script},
    reply::{Reply, random_usage},
    stats::{Endpoint, Usage},
};

/// How many answers are kept, and how large request and answer may be for it.
const KEPT_MAX: usize = 256;
const KEPT_REQUEST_BYTES_MAX: usize = 4096;
const KEPT_ANSWER_BYTES_MAX: usize = 1 << 20;

/// How many directives with `times` are counted before the counts start over.
const COUNTED_MAX: usize = 4096;

/// What a 429 tells its client to wait when the directive does not say.
const RETRY_AFTER_SECS: u32 = 1;

/// Makes the answers of one simulator.
#[derive(Debug)]
pub struct Answers {
    defaults: Directive,
    seed: u64,
    kept: Mutex<HashMap<Bytes, [Option<Arc<Prepared>>; 3]>>,
    /// How often each directive with `times` was met.
    met: Mutex<HashMap<String, u32>>,
}

impl Answers {
    pub fn new(defaults: Directive, seed: u64) -> Self {
        Self {
            defaults,
            seed,
            kept: Mutex::default(),
            met: Mutex::default(),
        }
    }

    /// The answer to call `number`, which asked `endpoint` for `body`.
    pub fn to(&self, endpoint: Endpoint, body: &[u8], number: u64) -> Arc<Prepared> {
        let slot = match endpoint {
            Endpoint::Responses => 1,
            Endpoint::Embeddings => 2,
            Endpoint::Chat | Endpoint::Models | Endpoint::Echo => 0,
        };
        if let Some(kept) = self
            .kept
            .lock()
            .get(body)
            .and_then(|kept| kept[slot].clone())
        {
            return kept;
        }
        let (prepared, repeatable) = self.prepare(endpoint, body, number);
        let prepared = Arc::new(prepared);
        let small = body.len() <= KEPT_REQUEST_BYTES_MAX
            && prepared.script.bytes.len() <= KEPT_ANSWER_BYTES_MAX;
        if repeatable && small {
            let mut kept = self.kept.lock();
            if kept.len() >= KEPT_MAX {
                kept.clear();
            }
            // A copy: a slice would keep the whole read buffer of its connection alive.
            let slots = kept.entry(Bytes::copy_from_slice(body)).or_default();
            slots[slot] = Some(prepared.clone());
        }
        prepared
    }

    /// Forgets how often each directive was met.
    pub fn reset(&self) {
        self.met.lock().clear();
    }

    /// The answer, and whether the next request of the same bytes gets the same one.
    fn prepare(&self, endpoint: Endpoint, body: &[u8], number: u64) -> (Prepared, bool) {
        let body_sha256: [u8; 32] = Sha256::digest(body).into();
        let (mut prepared, repeatable) = match Request::parse(endpoint, body) {
            Ok(request) => self.answer(&request, id_of(&body_sha256), number),
            Err(message) => (refusal(&message), true),
        };
        prepared.body_sha256 = body_sha256;
        (prepared, repeatable)
    }

    fn answer(&self, request: &Request, id: u64, number: u64) -> (Prepared, bool) {
        let mut asked = match faults::read(&self.defaults, request.model(), request.prompt()) {
            Ok(asked) => asked,
            Err(error) => return (refusal(&error.to_string()), true),
        };
        let mut repeatable = asked.directive.times.is_none();
        if self.is_spent(&asked) {
            asked.directive = asked.directive.without_faults(&self.defaults);
        }
        let random = asked.directive.usage == UsageMode::Random;
        repeatable &= !random;
        let mut prepared = match asked.directive.fault {
            Some(Fault::Status(status)) => error_answer(status, &asked.directive),
            _ => {
                let identity = Identity {
                    id: if random { id ^ number } else { id },
                    model: asked.model,
                };
                self.reply(request, &asked, identity, number)
            }
        };
        prepared.first_byte = asked.directive.wait_for_first_byte();
        prepared.model = Some(asked.model.into());
        prepared.stream = request.wants_stream();
        (prepared, repeatable)
    }

    /// Whether this directive has failed as often as it should.
    fn is_spent(&self, asked: &Asked<'_>) -> bool {
        let Some(times) = asked.directive.times else {
            return false;
        };
        let mut met = self.met.lock();
        if met.len() >= COUNTED_MAX && !met.contains_key(&asked.written) {
            met.clear();
        }
        let count = met.entry(asked.written.clone()).or_default();
        *count = count.saturating_add(1);
        *count > times
    }

    fn reply(
        &self,
        request: &Request,
        asked: &Asked<'_>,
        identity: Identity<'_>,
        number: u64,
    ) -> Prepared {
        let turn = match request {
            Request::Chat(request) => request.turn(asked.prompt),
            Request::Responses(request) => request.turn(asked.prompt),
            Request::Embeddings(request) => request.turn(),
        };
        let directive = &asked.directive;
        let random = || random_usage(self.seed, number);
        let reply = Reply::to(&turn, directive, random);
        let (script, usage, content_type) = match request.write(&reply, identity) {
            Written::Whole(bytes, usage) => {
                let (script, usage) = break_whole(bytes, usage, directive);
                (script, usage, JSON)
            }
            Written::Stream(events, usage) => {
                let (script, usage) = break_stream(events, usage, (request, directive));
                (script, usage, EVENT_STREAM)
            }
        };
        Prepared {
            status: StatusCode::OK,
            content_type,
            retry_after_secs: None,
            first_byte: Duration::ZERO,
            gap: directive.gap,
            script,
            usage,
            model: None,
            stream: false,
            body_sha256: [0; 32],
        }
    }
}

fn id_of(sha256: &[u8; 32]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *sha256;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// Breaks an answer that is no stream.
fn break_whole(
    bytes: Vec<u8>,
    usage: Option<Usage>,
    directive: &Directive,
) -> (Script, Option<Usage>) {
    let half = bytes.len() / 2;
    let cut_at = |ending| {
        let mut script = Script::whole(bytes.clone());
        script.bytes.truncate(half);
        script.ends = vec![half];
        script.ending = ending;
        (script, usage)
    };
    match directive.fault {
        Some(Fault::Cut | Fault::CutAfterRole) => cut_at(Ending::Cut),
        Some(Fault::Stall) => cut_at(Ending::Stall),
        Some(Fault::Malformed) => (Script::whole(bytes[..half].to_vec()), None),
        Some(Fault::JsonError) => (Script::whole(failed().to_string()), None),
        Some(Fault::Status(_) | Fault::Slow) | None => (Script::whole(bytes), usage),
    }
}

/// Breaks a stream after as many content events as the directive says, or after all it has.
fn break_stream(
    mut events: Events,
    usage: Option<Usage>,
    (request, directive): (&Request, &Directive),
) -> (Script, Option<Usage>) {
    let content_events = events.ends.len() - 2;
    let after = match directive.fault {
        Some(Fault::CutAfterRole) => 0,
        _ => usize::try_from(directive.after).unwrap_or(usize::MAX),
    };
    let step = after.min(content_events);
    let at = events.ends[step];
    let mut ending = Ending::Complete;
    let mut usage = usage;
    match directive.fault {
        Some(fault @ (Fault::Cut | Fault::CutAfterRole | Fault::Stall)) => {
            ending = match fault {
                Fault::Stall => Ending::Stall,
                _ => Ending::Cut,
            };
            events.bytes.truncate(at);
            events.ends.truncate(step + 1);
        }
        Some(Fault::JsonError) => {
            events.bytes.truncate(at);
            // JSON has no bare line breaks, so that this counts events.
            let sent = memmem::find_iter(&events.bytes, b"\n\n").count();
            let sequence_number = u64::try_from(sent).unwrap_or(u64::MAX);
            events.bytes.extend(request.error_event(sequence_number));
            events.ends.truncate(step + 1);
            events.ends.push(events.bytes.len());
            usage = None;
        }
        Some(Fault::Malformed) => {
            let rest = events.bytes.split_off(at);
            events.bytes.extend_from_slice(MALFORMED_EVENT);
            events.bytes.extend(rest);
            for end in &mut events.ends[step..] {
                *end += MALFORMED_EVENT.len();
            }
        }
        Some(Fault::Status(_) | Fault::Slow) | None => {}
    }
    let script = Script {
        paced: content_events,
        bytes: events.bytes.into(),
        ends: events.ends,
        length: None,
        ending,
    };
    (script, usage)
}

const MALFORMED_EVENT: &[u8] = b"data: {\"id\":\"chatcmpl-malformed\",\"object\":\"chat.compl\n\n";

/// The client's mistake, in OpenAI's words.
fn refusal(message: &str) -> Prepared {
    let body = error_body(message, "invalid_request_error", None);
    Prepared::json(StatusCode::BAD_REQUEST, &body)
}

/// An error that the directive asked for.
fn error_answer(status: u16, directive: &Directive) -> Prepared {
    let (message, kind, code) = match status {
        429 => (
            "Rate limit reached for the simulated provider.",
            "requests",
            Some("rate_limit_exceeded"),
        ),
        401 => (
            "Incorrect API key provided.",
            "invalid_request_error",
            Some("invalid_api_key"),
        ),
        400..=499 => (
            "The simulated provider refuses this request.",
            "invalid_request_error",
            None,
        ),
        _ => (
            "The simulated server had an error while processing your request.",
            "server_error",
            None,
        ),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut prepared = Prepared::json(status, &error_body(message, kind, code));
    let usual = (status == StatusCode::TOO_MANY_REQUESTS).then_some(RETRY_AFTER_SECS);
    prepared.retry_after_secs = directive.retry_after_secs.or(usual);
    prepared
}
