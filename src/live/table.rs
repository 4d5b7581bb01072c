//! The requests in flight. Sharded, so that two cores rarely meet; a place is found by index, without hashing.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
};

use ferrogate_api::{InFlight, InFlightRequest, Phase};
use parking_lot::Mutex;

use crate::ids::RequestId;

const SHARDS: usize = 16;

/// What is known of a request when it begins.
#[derive(Debug, Clone)]
pub struct Started {
    pub id: RequestId,
    pub method: Arc<str>,
    /// Without its query string.
    pub path: String,
    pub endpoint: Arc<str>,
}

/// Bounded by the connections and streams that the listeners accept.
#[derive(Debug, Default)]
pub(super) struct Table {
    shards: [Mutex<Shard>; SHARDS],
    len: AtomicU64,
}

#[derive(Debug, Default)]
struct Shard {
    slots: Vec<Option<Arc<Request>>>,
    free: Vec<usize>,
}

/// Where a request stands in the table.
#[derive(Debug)]
pub(super) struct Place {
    request: Arc<Request>,
    index: usize,
    vacated: AtomicBool,
}

/// One request in flight: what it began with, and what became known since.
#[derive(Debug)]
pub(super) struct Request {
    started: Started,
    phase: AtomicU8,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    api_key_id: Option<Arc<str>>,
    model: Option<Arc<str>>,
    provider: Option<Arc<str>>,
}

impl Table {
    pub(super) fn insert(&self, started: Started) -> Place {
        let request = Arc::new(Request {
            started,
            phase: AtomicU8::new(code(Phase::Receiving)),
            known: Mutex::default(),
        });
        let mut shard = self.shard(&request).lock();
        let index = shard.put(Arc::clone(&request));
        drop(shard);
        self.len.fetch_add(1, Ordering::Relaxed);
        Place {
            request,
            index,
            vacated: AtomicBool::new(false),
        }
    }

    /// Frees the place; the second time it does nothing.
    pub(super) fn remove(&self, place: &Place) {
        if place.vacated.swap(true, Ordering::Relaxed) {
            return;
        }
        self.shard(&place.request).lock().take(place.index);
        self.len.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn len(&self) -> u64 {
        self.len.load(Ordering::Relaxed)
    }

    pub(super) fn oldest(&self, max: usize) -> InFlight {
        let mut requests: Vec<Arc<Request>> = Vec::new();
        for shard in &self.shards {
            requests.extend(shard.lock().slots.iter().flatten().cloned());
        }
        let total = u64::try_from(requests.len()).unwrap_or(u64::MAX);
        // Ids sort by start time.
        if requests.len() > max {
            requests.select_nth_unstable_by_key(max, |request| request.started.id);
            requests.truncate(max);
        }
        requests.sort_unstable_by_key(|request| request.started.id);
        InFlight {
            total,
            requests: requests.iter().map(|request| request.view()).collect(),
        }
    }

    fn shard(&self, request: &Request) -> &Mutex<Shard> {
        // The last byte of an id is random.
        let [.., last] = *request.started.id.as_bytes();
        &self.shards[usize::from(last) % SHARDS]
    }
}

impl Shard {
    fn put(&mut self, request: Arc<Request>) -> usize {
        if let Some(index) = self.free.pop() {
            self.slots[index] = Some(request);
            return index;
        }
        self.slots.push(Some(request));
        self.slots.len() - 1
    }

    fn take(&mut self, index: usize) {
        self.slots[index] = None;
        self.free.push(index);
    }
}

impl Place {
    pub(super) fn request(&self) -> &Request {
        &self.request
    }
}

impl Request {
    pub(super) fn set_phase(&self, phase: Phase) {
        self.phase.store(code(phase), Ordering::Relaxed);
    }

    pub(super) fn set_key(&self, id: Arc<str>) {
        self.known.lock().api_key_id = Some(id);
    }

    pub(super) fn set_target(&self, model: Arc<str>, provider: Arc<str>) {
        let mut known = self.known.lock();
        known.model = Some(model);
        known.provider = Some(provider);
    }

    fn view(&self) -> InFlightRequest {
        let known = self.known.lock();
        InFlightRequest {
            request_id: self.started.id.to_string(),
            started_at_unix_ms: self.started.id.unix_ms(),
            phase: phase(self.phase.load(Ordering::Relaxed)),
            method: self.started.method.clone(),
            path: self.started.path.clone(),
            endpoint: self.started.endpoint.clone(),
            api_key_id: known.api_key_id.clone(),
            model: known.model.clone(),
            provider: known.provider.clone(),
        }
    }
}

fn code(phase: Phase) -> u8 {
    match phase {
        Phase::Receiving => 0,
        Phase::Waiting => 1,
        Phase::Answering => 2,
    }
}

/// The reverse of [`code`].
fn phase(code: u8) -> Phase {
    match code {
        0 => Phase::Receiving,
        1 => Phase::Waiting,
        _ => Phase::Answering,
    }
}
