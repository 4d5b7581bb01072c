//! From a request's bytes to its prepared answer: parse, read the directive, reply, break what is to be broken.
//!
//! An answer follows from the request alone unless its directive counts calls or wants random usage, or it refers to
//! what was kept. Those that do are kept, so that a benchmark, which sends the same request over and over, measures
//! the gateway and not us.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use http::StatusCode;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use super::{
    breaking::{break_stream, break_whole},
    dialects::{self, Identity, Request, Written, events::Framing},
    errors::{Around, Problem, is_wrapped},
    faults::{self, Asked, Directive, Fault, Finish, UsageMode},
    memory::Memory,
    playback::{EVENT_STREAM, JSON, Prepared},
    reply::Reply,
    route::{Endpoint, Route, Surface},
    tokens::random_usage,
};

/// How many answers are kept, and how large request and answer may be for it.
const KEPT_MAX: usize = 256;
const KEPT_REQUEST_BYTES_MAX: usize = 4096;
const KEPT_ANSWER_BYTES_MAX: usize = 1 << 20;

/// How many directives with `times` are counted before the counts start over.
const COUNTED_MAX: usize = 4096;

/// What a 429 tells its client to wait when the directive does not say.
const RETRY_AFTER_SECS: u32 = 1;

/// What the models read, when a directive does not say but wants the prompt refused.
const CONTEXT_WINDOW: u64 = 128_000;

/// Answers to the same bytes, one for each endpoint.
type Kept = [Option<Arc<Prepared>>; Endpoint::ALL.len()];

/// Makes the answers of one simulator.
#[derive(Debug)]
pub struct Answers {
    defaults: Directive,
    seed: u64,
    kept: Mutex<HashMap<Bytes, Box<Kept>>>,
    /// How often each directive with `times` was met.
    met: Mutex<HashMap<String, u32>>,
    pub memory: Memory,
}

/// One request, and how it is to be answered.
#[derive(Clone, Copy)]
pub struct Task<'a> {
    pub route: &'a Route,
    pub request: &'a dyn Request,
    pub directive: &'a Directive,
    /// Without the directive.
    pub prompt: &'a str,
    pub identity: Identity<'a>,
    /// The call's.
    pub number: u64,
}

/// The answer, and whether the next request of the same bytes gets the same one.
type Made = (Prepared, bool);

impl Answers {
    pub fn new(defaults: Directive, seed: u64, memory: Memory) -> Self {
        Self {
            defaults,
            seed,
            kept: Mutex::default(),
            met: Mutex::default(),
            memory,
        }
    }

    /// The answer to call `number`, which asked for `body` by `route`.
    pub fn to(&self, route: &Route, body: &[u8], number: u64) -> Arc<Prepared> {
        let prepared = self.prepared(route, body, number);
        if let Some(stored) = &prepared.stored {
            self.memory.keep(stored.clone());
        }
        prepared
    }

    fn prepared(&self, route: &Route, body: &[u8], number: u64) -> Arc<Prepared> {
        let slot = route.endpoint as usize;
        let question = route.question(body);
        if let Some(kept) = self
            .kept
            .lock()
            .get(question.as_ref())
            .and_then(|kept| kept[slot].clone())
        {
            return kept;
        }
        let (prepared, repeatable) = self.prepare(route, body, number);
        let prepared = Arc::new(prepared);
        let small = question.len() <= KEPT_REQUEST_BYTES_MAX
            && prepared.script.bytes.len() <= KEPT_ANSWER_BYTES_MAX;
        if repeatable && small {
            let mut kept = self.kept.lock();
            if kept.len() >= KEPT_MAX {
                kept.clear();
            }
            // A copy: a slice would keep the whole read buffer of its connection alive.
            let slots = kept.entry(Bytes::copy_from_slice(&question)).or_default();
            slots[slot] = Some(prepared.clone());
        }
        prepared
    }

    /// Forgets how often each directive was met, and the responses.
    pub fn reset(&self) {
        self.met.lock().clear();
        self.memory.clear();
    }

    fn prepare(&self, route: &Route, body: &[u8], number: u64) -> Made {
        let body_sha256: [u8; 32] = Sha256::digest(body).into();
        // The same words to another model are another answer.
        let path = route.question(b"");
        let id = if path.is_empty() {
            id_of(&body_sha256)
        } else {
            let digest = Sha256::new().chain_update(path).chain_update(body_sha256);
            id_of(&digest.finalize().into())
        };
        let (mut prepared, repeatable) = match dialects::parse(route, body) {
            Ok(request) => self.answer(route, request, id, number),
            Err(problem) => refusal(&problem, route, number),
        };
        prepared.body_sha256 = body_sha256;
        (prepared, repeatable)
    }

    fn answer(&self, route: &Route, mut request: Box<dyn Request>, id: u64, number: u64) -> Made {
        let recalled = request.recall(&self.memory);
        let mut asked = match faults::read(&self.defaults, request.model(), request.prompt()) {
            Ok(asked) => asked,
            Err(error) => return refusal(&Problem::invalid(error.to_string()), route, number),
        };
        let is_counted = asked.directive.times.is_some();
        if self.is_spent(&asked) {
            asked.directive = asked.directive.without_faults(&self.defaults);
        }
        let directive = &asked.directive;
        let recalled = match directive.fault {
            Some(Fault::Status(status)) => Err(Problem::Status(status)),
            _ => recalled,
        };
        let answered = recalled.and_then(|recalled| {
            let task = Task {
                route,
                request: &*request,
                directive,
                prompt: asked.prompt,
                identity: Identity {
                    id,
                    model: asked.model,
                },
                number,
            };
            let (prepared, repeatable) = self.reply(task)?;
            Ok((prepared, repeatable && !recalled))
        });
        let (mut prepared, repeatable) = answered.unwrap_or_else(|problem| {
            let (prepared, repeatable) = problem_answer(&problem, route, directive, number);
            // What cannot be found now may be there the next time.
            let is_final = matches!(problem, Problem::Status(_));
            (prepared, repeatable && is_final)
        });
        prepared.first_byte = directive.wait_for_first_byte();
        prepared.model = Some(asked.model.into());
        prepared.stream = request.wants_stream();
        (prepared, repeatable && !is_counted)
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

    /// The answer that the model gives.
    fn reply(&self, task: Task<'_>) -> Result<Made, Problem> {
        let Task {
            request, directive, ..
        } = task;
        let mut turn = request.turn(task.prompt);
        check_window(turn.input_tokens, directive)?;
        request.verify_state(directive.strict_state)?;
        let with_an_error = matches!(task.route.surface, Surface::OpenAi | Surface::Azure);
        if directive.finish == Some(Finish::FilterPrompt) && with_an_error {
            return Err(Problem::FilteredPrompt);
        }
        if directive.content.describe {
            turn.recite = Some(request.hear().into_text());
        }
        let random = directive.usage == UsageMode::Random;
        let reply = Reply::to(&turn, directive, || random_usage(self.seed, task.number));
        let mut identity = task.identity;
        if random {
            identity.id ^= task.number;
        }
        let (script, usage, content_type) = match request.write(&reply, identity) {
            Written::Whole(bytes, usage) => {
                let (script, usage) = break_whole(bytes, usage, task);
                (script, usage, JSON)
            }
            Written::Stream(events, usage) => {
                let content_type = match events.framing {
                    Framing::Lines => EVENT_STREAM,
                    Framing::Array => JSON,
                };
                let (script, usage) = break_stream(events, usage, task);
                (script, usage, content_type)
            }
        };
        let is_whole = matches!(directive.fault, None | Some(Fault::Slow));
        let stored = request.stored(&reply, identity).filter(|_| is_whole);
        let prepared = Prepared {
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
            stored: stored.map(Arc::new),
        };
        // Anthropic's errors have the call's own id in them.
        let has_call_id =
            directive.fault == Some(Fault::JsonError) && task.route.surface == Surface::Anthropic;
        Ok((prepared, !random && !has_call_id))
    }
}

fn id_of(sha256: &[u8; 32]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *sha256;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

fn check_window(tokens: u64, directive: &Directive) -> Result<(), Problem> {
    let told = directive.context_window;
    let (tokens, tokens_max) = match (directive.fault, told) {
        (Some(Fault::ContextWindow), Some(max)) => (max.saturating_add(tokens), max),
        (Some(Fault::ContextWindow), None) => (CONTEXT_WINDOW + tokens, CONTEXT_WINDOW),
        (_, Some(max)) if tokens > max => (tokens, max),
        _ => return Ok(()),
    };
    Err(Problem::ContextWindow { tokens, tokens_max })
}

/// The client's mistake, in the provider's words.
fn refusal(problem: &Problem, route: &Route, number: u64) -> Made {
    problem_answer(problem, route, &Directive::default(), number)
}

/// An error, in the provider's words.
pub fn problem_answer(
    problem: &Problem,
    route: &Route,
    directive: &Directive,
    number: u64,
) -> Made {
    let status = problem.status(route.surface);
    let usual = (status == 429).then_some(RETRY_AFTER_SECS);
    let retry_after_secs = directive.retry_after_secs.or(usual);
    let mut body = problem.body(Around {
        route,
        request_id: &request_id(number),
        retry_after_secs,
    });
    if is_wrapped(route) {
        body = serde_json::Value::Array(vec![body]);
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut prepared = Prepared::json(status, &body);
    prepared.retry_after_secs = retry_after_secs;
    // Anthropic's errors have the call's own id in them.
    (prepared, route.surface != Surface::Anthropic)
}

/// A call's id, as its answer's headers tell it.
pub fn request_id(number: u64) -> String {
    format!("req_{number:016x}")
}
