//! The requests in flight. Sharded, so that two cores rarely meet; a place is found by index, without hashing.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
};

use ferrogate_api::{InFlight, InFlightRequest, Phase, TenantContext};
use parking_lot::Mutex;

use super::{
    kill::{Kill, Ordered},
    selection::{Facts, Selection},
};
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
    pub(super) kill: Kill,
}

#[derive(Debug, Default)]
struct Known {
    api_key_id: Option<Arc<str>>,
    tenant: Option<Arc<TenantContext>>,
    model: Option<Arc<str>>,
    provider: Option<Arc<str>>,
}

impl Table {
    pub(super) fn insert(&self, started: Started) -> Place {
        let request = Arc::new(Request {
            started,
            phase: AtomicU8::new(code(Phase::Receiving)),
            known: Mutex::default(),
            kill: Kill::default(),
        });
        let mut shard = self.shard(request.started.id).lock();
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
        self.shard(place.request.started.id)
            .lock()
            .take(place.index);
        self.len.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn len(&self) -> u64 {
        self.len.load(Ordering::Relaxed)
    }

    /// The oldest `max` of those that are selected.
    pub(super) fn oldest(&self, selection: &Selection, max: usize) -> InFlight {
        let mut requests = self.selected(selection);
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

    /// All that are selected, in no order.
    pub(super) fn selected(&self, selection: &Selection) -> Vec<Arc<Request>> {
        let everything = selection.is_everything();
        let mut requests: Vec<Arc<Request>> = Vec::new();
        for shard in &self.shards {
            requests.extend(shard.lock().slots.iter().flatten().cloned());
        }
        // Not under a shard's lock: a selection may ask others.
        requests.retain(|request| everything || request.is_in(selection));
        requests
    }

    /// Tells a request to end, where it is there and selected.
    pub(super) fn kill(&self, id: RequestId, selection: &Selection) -> Ordered {
        let found = {
            let shard = self.shard(id).lock();
            let mut requests = shard.slots.iter().flatten();
            requests.find(|request| request.started.id == id).cloned()
        };
        match found.filter(|request| request.is_in(selection)) {
            Some(request) => request.kill.order(),
            None => Ordered::TooLate,
        }
    }

    fn shard(&self, id: RequestId) -> &Mutex<Shard> {
        // The last byte of an id is random.
        let [.., last] = *id.as_bytes();
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
    pub(super) fn request(&self) -> &Arc<Request> {
        &self.request
    }
}

impl Request {
    pub(super) fn set_phase(&self, phase: Phase) {
        self.phase.store(code(phase), Ordering::Relaxed);
    }

    pub(super) fn phase(&self) -> Phase {
        phase(self.phase.load(Ordering::Relaxed))
    }

    pub(super) fn set_key(&self, id: Arc<str>, tenant: Option<Arc<TenantContext>>) {
        let mut known = self.known.lock();
        known.api_key_id = Some(id);
        known.tenant = tenant;
    }

    pub(super) fn set_target(&self, model: Arc<str>, provider: Arc<str>) {
        let mut known = self.known.lock();
        known.model = Some(model);
        known.provider = Some(provider);
    }

    fn is_in(&self, selection: &Selection) -> bool {
        let known = self.known.lock();
        let (key, tenant) = (known.api_key_id.clone(), known.tenant.clone());
        let (model, provider) = (known.model.clone(), known.provider.clone());
        drop(known);
        selection.takes(Facts {
            key: key.as_deref(),
            model: model.as_deref(),
            provider: provider.as_deref(),
            endpoint: &self.started.endpoint,
            tenant: tenant.as_deref(),
        })
    }

    pub(super) fn view(&self) -> InFlightRequest {
        let known = self.known.lock();
        InFlightRequest {
            request_id: self.started.id.to_string(),
            started_at_unix_ms: self.started.id.unix_ms(),
            phase: self.phase(),
            method: self.started.method.clone(),
            path: self.started.path.clone(),
            endpoint: self.started.endpoint.clone(),
            api_key_id: known.api_key_id.clone(),
            tenant: known.tenant.clone(),
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
