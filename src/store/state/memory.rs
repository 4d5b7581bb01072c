//! What was kept last, in memory: the next turn finds it here, and the writer takes from here what it writes.
//!
//! One bound in bytes for all uses. When it is reached, the oldest of what is written leaves, for it can be read from
//! the disk; where everything waits to be written, the oldest of that leaves and is lost, which is counted. Cached answers
//! are nobody's memory: they leave once they are written, and before anything else that waits.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use bytes::Bytes;
use parking_lot::Mutex;

use super::super::{
    cached_answers::{AnswersOf, StoredAnswer},
    reasoning_state::StoredReasoning,
    response_state::StoredResponse,
    state::limits::Lifetime,
};

/// What one entry costs beside its content: its places in the maps below, and its allocations.
const OVERHEAD_BYTES: usize = 512;

/// One thing that is kept.
#[derive(Debug, Clone)]
pub(super) enum Entry {
    Response(Arc<StoredResponse>),
    Reasoning(Arc<StoredReasoning>),
    Answer(Arc<StoredAnswer>),
}

impl Entry {
    pub(super) fn size_bytes(&self) -> usize {
        match self {
            Self::Response(response) => response.size_bytes(),
            Self::Reasoning(reasoning) => reasoning.size_bytes(),
            Self::Answer(answer) => answer.size_bytes(),
        }
    }

    fn since_unix_ms(&self) -> i64 {
        match self {
            Self::Response(response) => response.created_at_unix_ms,
            Self::Reasoning(reasoning) => reasoning.kept_at_unix_ms,
            Self::Answer(answer) => answer.created_at_unix_ms,
        }
    }

    fn key(&self) -> Key {
        match self {
            Self::Response(response) => Key::response(&response.owner, &response.id),
            Self::Reasoning(reasoning) => Key::reasoning(&reasoning.owner, &reasoning.call_id),
            Self::Answer(answer) => Key::answer(&answer.digest),
        }
    }
}

/// What an entry is found by. The owner is part of it, so that nobody finds another's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    kind: Kind,
    owner: Arc<str>,
    id: Arc<str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Response,
    Reasoning,
    Answer,
}

impl Key {
    fn response(owner: &str, id: &str) -> Self {
        Self {
            kind: Kind::Response,
            owner: owner.into(),
            id: id.into(),
        }
    }

    fn reasoning(owner: &str, call_id: &str) -> Self {
        Self {
            kind: Kind::Reasoning,
            owner: owner.into(),
            id: call_id.into(),
        }
    }

    /// Whose it is, is in its identity.
    fn answer(digest: &[u8; 32]) -> Self {
        let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Self {
            kind: Kind::Answer,
            owner: "".into(),
            id: digits.into(),
        }
    }
}

/// The entries, behind a lock that is held for map operations alone.
#[derive(Debug)]
pub(super) struct Memory {
    max_bytes: usize,
    entries: Mutex<Entries>,
}

/// Each entry has a number, in the order in which they came; the sets hold numbers.
#[derive(Debug, Default)]
struct Entries {
    slots: BTreeMap<u64, Slot>,
    numbers: HashMap<Key, u64>,
    /// On the disk already, or never to be.
    written: BTreeSet<u64>,
    unwritten: BTreeSet<u64>,
    unwritten_answers: BTreeSet<u64>,
    by_expiry: BTreeSet<(i64, u64)>,
    bytes: usize,
    next_number: u64,
}

#[derive(Debug)]
struct Slot {
    key: Key,
    entry: Entry,
    bytes: usize,
    expires_at_unix_ms: i64,
}

impl Memory {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            entries: Mutex::default(),
        }
    }

    /// Takes an entry in, in place of one with the same key; says how many that waited to be written had to leave.
    pub(super) fn keep(&self, entry: Entry, lifetime: Lifetime) -> u64 {
        let mut entries = self.entries.lock();
        let replaced = entries.insert(entry, lifetime);
        let (evicted, dropped) = entries.evict_to(self.max_bytes);
        // Freed after the lock is released: what leaves can be large.
        drop(entries);
        drop((replaced, evicted));
        dropped
    }

    pub(super) fn response(
        &self,
        owner: &str,
        id: &str,
        now_unix_ms: i64,
    ) -> Option<Arc<StoredResponse>> {
        match self.get(&Key::response(owner, id), now_unix_ms)? {
            Entry::Response(response) => Some(response),
            Entry::Reasoning(_) | Entry::Answer(_) => None,
        }
    }

    pub(super) fn reasoning(&self, owner: &str, call_id: &str, now_unix_ms: i64) -> Option<Bytes> {
        match self.get(&Key::reasoning(owner, call_id), now_unix_ms)? {
            Entry::Reasoning(reasoning) => Some(reasoning.state.clone()),
            Entry::Response(_) | Entry::Answer(_) => None,
        }
    }

    fn get(&self, key: &Key, now_unix_ms: i64) -> Option<Entry> {
        let entries = self.entries.lock();
        let number = entries.numbers.get(key)?;
        let slot = entries.slots.get(number)?;
        (slot.expires_at_unix_ms > now_unix_ms).then(|| slot.entry.clone())
    }

    /// Whether there was such a response.
    pub(super) fn remove_response(&self, owner: &str, id: &str, now_unix_ms: i64) -> bool {
        let key = Key::response(owner, id);
        let mut entries = self.entries.lock();
        let number = entries.numbers.get(&key).copied();
        let removed = number.and_then(|number| entries.remove(number));
        drop(entries);
        removed.is_some_and(|slot| slot.expires_at_unix_ms > now_unix_ms)
    }

    /// Lets go of answers that wait to be written.
    pub(super) fn remove_answers(&self, answers: &AnswersOf) {
        let mut entries = self.entries.lock();
        let included = |number: &&u64| match entries.slots.get(number).map(|slot| &slot.entry) {
            Some(Entry::Answer(answer)) => answers.include(answer),
            _ => false,
        };
        let numbers: Vec<u64> = entries
            .unwritten_answers
            .iter()
            .filter(included)
            .copied()
            .collect();
        let gone: Vec<_> = numbers
            .into_iter()
            .map(|number| entries.remove(number))
            .collect();
        drop(entries);
        drop(gone);
    }

    /// The oldest entries that wait to be written, answers last, with their numbers: at most so many, and no more once
    /// they have `bytes_max`.
    pub(super) fn unwritten(&self, entries_max: usize, bytes_max: usize) -> Vec<(u64, Entry)> {
        let entries = self.entries.lock();
        let mut bytes = 0;
        entries
            .unwritten
            .iter()
            .chain(&entries.unwritten_answers)
            .take(entries_max)
            .filter_map(|number| Some((*number, entries.slots.get(number)?)))
            .take_while(|(_, slot)| {
                let fits = bytes < bytes_max;
                bytes += slot.bytes;
                fits
            })
            .map(|(number, slot)| (number, slot.entry.clone()))
            .collect()
    }

    /// Notes what is on the disk now. What was replaced or removed meanwhile is no longer here by its number.
    pub(super) fn wrote(&self, numbers: impl Iterator<Item = u64>) {
        let mut entries = self.entries.lock();
        let mut gone = Vec::new();
        for number in numbers {
            if entries.unwritten.remove(&number) {
                entries.written.insert(number);
            } else if entries.unwritten_answers.contains(&number) {
                gone.push(entries.remove(number));
            }
        }
        drop(entries);
        drop(gone);
    }

    pub(super) fn unwritten_count(&self) -> usize {
        let entries = self.entries.lock();
        entries.unwritten.len() + entries.unwritten_answers.len()
    }

    /// Lets go of what is past its retention, at most `entries_max`; says whether there may be more.
    pub(super) fn forget_expired(&self, now_unix_ms: i64, entries_max: usize) -> bool {
        let mut entries = self.entries.lock();
        let expired: Vec<u64> = entries
            .by_expiry
            .iter()
            .take_while(|(expires_at, _)| *expires_at <= now_unix_ms)
            .take(entries_max)
            .map(|(_, number)| *number)
            .collect();
        let more = expired.len() == entries_max;
        let gone: Vec<_> = expired
            .into_iter()
            .map(|number| entries.remove(number))
            .collect();
        drop(entries);
        drop(gone);
        more
    }

    pub(super) fn bytes(&self) -> usize {
        self.entries.lock().bytes
    }
}

impl Entries {
    /// Gives back what had to make way for the new one.
    fn insert(&mut self, entry: Entry, lifetime: Lifetime) -> Option<Slot> {
        let key = entry.key();
        let older = self.numbers.get(&key).copied();
        let replaced = older.and_then(|number| self.remove(number));
        let number = self.next_number;
        self.next_number += 1;
        let slot = Slot {
            bytes: entry.size_bytes() + OVERHEAD_BYTES,
            expires_at_unix_ms: lifetime.expires_at(entry.since_unix_ms()),
            key: key.clone(),
            entry,
        };
        self.bytes += slot.bytes;
        self.by_expiry.insert((slot.expires_at_unix_ms, number));
        let waiting = match slot.entry {
            _ if !lifetime.on_disk => &mut self.written,
            Entry::Answer(_) => &mut self.unwritten_answers,
            Entry::Response(_) | Entry::Reasoning(_) => &mut self.unwritten,
        };
        waiting.insert(number);
        self.slots.insert(number, slot);
        self.numbers.insert(key, number);
        replaced
    }

    /// Evicts until `max_bytes` hold the rest, but never the newest; says how many of them were not written.
    fn evict_to(&mut self, max_bytes: usize) -> (Vec<Slot>, u64) {
        let newest = self.next_number.saturating_sub(1);
        let mut evicted = Vec::new();
        let mut dropped = 0;
        while self.bytes > max_bytes {
            let answers = &self.unwritten_answers;
            let oldest_first = self.written.iter().chain(answers).chain(&self.unwritten);
            let Some(number) = oldest_first.copied().find(|number| *number != newest) else {
                break;
            };
            dropped += u64::from(!self.written.contains(&number));
            evicted.extend(self.remove(number));
        }
        (evicted, dropped)
    }

    fn remove(&mut self, number: u64) -> Option<Slot> {
        let slot = self.slots.remove(&number)?;
        self.numbers.remove(&slot.key);
        self.written.remove(&number);
        self.unwritten.remove(&number);
        self.unwritten_answers.remove(&number);
        self.by_expiry.remove(&(slot.expires_at_unix_ms, number));
        self.bytes = self.bytes.saturating_sub(slot.bytes);
        Some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::cached_answers::tests::answer;
    use super::*;

    const FOREVER: Lifetime = Lifetime {
        ms: i64::MAX,
        on_disk: true,
    };

    fn keep(memory: &Memory, call_id: &str, lifetime: Lifetime) -> u64 {
        let reasoning = StoredReasoning {
            owner: "a".into(),
            call_id: call_id.into(),
            kept_at_unix_ms: 1_000,
            state: Bytes::from_static(&[0; 100]),
        };
        memory.keep(Entry::Reasoning(Arc::new(reasoning)), lifetime)
    }

    fn numbers(memory: &Memory) -> Vec<u64> {
        let unwritten = memory.unwritten(usize::MAX, usize::MAX);
        unwritten.into_iter().map(|(number, _)| number).collect()
    }

    /// A memory that holds three of the entries that [`keep`] makes.
    fn of_three() -> Memory {
        let memory = Memory::new(usize::MAX);
        keep(&memory, "x", FOREVER);
        Memory::new(3 * memory.bytes())
    }

    #[test]
    fn what_is_written_makes_way_before_what_is_not() {
        let memory = of_three();
        for call_id in ["1", "2", "3"] {
            assert_eq!(keep(&memory, call_id, FOREVER), 0);
        }
        memory.wrote([1, 2].into_iter());
        assert_eq!(keep(&memory, "4", FOREVER), 0);
        assert_eq!(memory.reasoning("a", "2", 0), None);
        assert_eq!(keep(&memory, "5", FOREVER), 0);
        assert_eq!(numbers(&memory), [0, 3, 4]);
        assert_eq!(keep(&memory, "6", FOREVER), 1, "the oldest is dropped");
        assert_eq!(numbers(&memory), [3, 4, 5]);
    }

    #[test]
    fn the_newest_is_never_the_one_that_leaves() {
        let memory = of_three();
        for call_id in ["1", "2", "3"] {
            keep(&memory, call_id, FOREVER);
        }
        let in_memory_only = Lifetime {
            on_disk: false,
            ..FOREVER
        };
        assert_eq!(keep(&memory, "4", in_memory_only), 1);
        assert!(memory.reasoning("a", "4", 0).is_some());
        assert_eq!(numbers(&memory), [1, 2]);
    }

    #[test]
    fn a_late_report_of_what_was_written_does_not_touch_what_replaced_it() {
        let memory = of_three();
        keep(&memory, "1", FOREVER);
        let taken = numbers(&memory);
        keep(&memory, "1", FOREVER);
        memory.wrote(taken.into_iter());
        assert_eq!(memory.unwritten_count(), 1);
        memory.wrote(numbers(&memory).into_iter());
        assert_eq!(memory.unwritten_count(), 0);
    }

    #[test]
    fn a_slice_ends_by_count_and_by_size_and_is_never_empty() {
        let memory = Memory::new(usize::MAX);
        for call_id in ["1", "2", "3"] {
            keep(&memory, call_id, FOREVER);
        }
        let one = memory.bytes() / 3;
        let check = |entries, bytes, expected| {
            assert_eq!(memory.unwritten(entries, bytes).len(), expected);
        };
        check(2, usize::MAX, 2);
        check(usize::MAX, 1, 1);
        check(usize::MAX, one + 1, 2);
        check(usize::MAX, usize::MAX, 3);
    }

    #[test]
    fn what_expired_is_not_found_and_then_forgotten() {
        let memory = Memory::new(usize::MAX);
        let short = Lifetime {
            ms: 500,
            on_disk: true,
        };
        keep(&memory, "short", short);
        keep(&memory, "long", FOREVER);
        assert!(memory.reasoning("a", "short", 1_499).is_some());
        assert!(memory.reasoning("a", "short", 1_500).is_none());
        assert!(!memory.forget_expired(1_499, 10));
        let both = memory.bytes();
        assert!(memory.forget_expired(1_500, 1), "there may be more");
        assert!(!memory.forget_expired(1_500, 1));
        assert_eq!(memory.bytes() * 2 + 1, both, "the names differ by one byte");
        assert!(memory.reasoning("a", "long", 1_500).is_some());
    }

    fn keep_answer(memory: &Memory, digest: u8, key: &str) -> u64 {
        memory.keep(Entry::Answer(Arc::new(answer(digest, key, 2_000))), FOREVER)
    }

    #[test]
    fn answers_make_way_before_anything_else_that_waits() {
        let memory = Memory::new(usize::MAX);
        keep_answer(&memory, 1, "a");
        // A response is smaller than an answer here.
        let memory = Memory::new(2 * memory.bytes());
        keep(&memory, "1", FOREVER);
        assert_eq!(keep_answer(&memory, 1, "a"), 0);
        assert_eq!(keep_answer(&memory, 2, "a"), 1);
        assert_eq!(
            numbers(&memory),
            [0, 2],
            "the oldest answer, not the older thought"
        );
        assert!(memory.reasoning("a", "1", 0).is_some());
    }

    #[test]
    fn an_answer_leaves_when_it_is_written_or_purged() {
        let memory = Memory::new(usize::MAX);
        keep(&memory, "1", FOREVER);
        let thought = memory.bytes();
        for (digest, key) in [(1, "a"), (2, "b"), (3, "a")] {
            keep_answer(&memory, digest, key);
        }
        assert_eq!(memory.unwritten_count(), 4);
        memory.wrote([0, 1].into_iter());
        assert_eq!(numbers(&memory), [2, 3]);
        memory.remove_answers(&AnswersOf::Account("key:b".parse().unwrap()));
        assert_eq!(numbers(&memory), [3]);
        memory.remove_answers(&AnswersOf::Everyone);
        assert_eq!(memory.unwritten_count(), 0);
        assert_eq!(memory.bytes(), thought);
    }

    #[test]
    fn an_answer_takes_the_place_of_one_with_the_same_digest() {
        let memory = Memory::new(usize::MAX);
        keep_answer(&memory, 1, "a");
        keep_answer(&memory, 1, "b");
        keep_answer(&memory, 2, "b");
        assert_eq!(numbers(&memory), [1, 2]);
    }
}
