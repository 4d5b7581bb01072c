//! The entries themselves: bounded by number and by bytes, the least recently used leaving first.
//!
//! Entries stand in a list by their last use, linked by index, so that using, adding and evicting one takes the same
//! time however many there are.

use std::{collections::HashMap, mem, sync::Arc};

use super::answer::{Answer, Purge};
use super::identity::{Digest, Identity};

/// What an entry costs beside what can be counted: its place here and its allocations.
const OVERHEAD_BYTES: usize = 512;
/// With each entry that comes, so many at the end of the list leave if their time is over. More than come, so that what
/// nobody asks for again does not stay until room is needed.
const EXPIRED_LOOKED_AT: usize = 2;

#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) entries: usize,
    pub(super) bytes: usize,
    pub(super) entry_bytes: usize,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) identity: Identity,
    pub(super) answer: Arc<Answer>,
    pub(super) expires_at_unix_ms: i64,
}

impl Entry {
    fn size_bytes(&self) -> usize {
        self.identity.size_bytes() + self.answer.size_bytes() + OVERHEAD_BYTES
    }
}

/// What had to leave; dropped by the caller when it no longer holds the lock, for it can be large.
pub(super) type Left = Vec<Entry>;

#[derive(Debug)]
pub(super) struct Entries {
    bounds: Bounds,
    places: HashMap<Digest, usize>,
    slots: Vec<Slot>,
    /// Slots that hold nothing.
    free: Vec<usize>,
    newest: Option<usize>,
    oldest: Option<usize>,
    bytes: usize,
    evictions: u64,
}

#[derive(Debug, Default)]
struct Slot {
    entry: Option<Entry>,
    newer: Option<usize>,
    older: Option<usize>,
}

impl Entries {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            places: HashMap::new(),
            slots: Vec::new(),
            free: Vec::new(),
            newest: None,
            oldest: None,
            bytes: 0,
            evictions: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn evictions(&self) -> u64 {
        self.evictions
    }

    /// Finds an answer that is not past its time and younger than `age_max_ms`. One that is past it leaves.
    pub(super) fn get(
        &mut self,
        identity: &Identity,
        (now_unix_ms, age_max_ms): (i64, i64),
        left: &mut Left,
    ) -> Option<Arc<Answer>> {
        let place = *self.places.get(&identity.digest)?;
        let entry = self.slots.get(place)?.entry.as_ref()?;
        if !entry.identity.is(identity) {
            return None;
        }
        if entry.expires_at_unix_ms <= now_unix_ms {
            left.extend(self.remove(place));
            return None;
        }
        let age_ms = now_unix_ms.saturating_sub(entry.answer.created_at_unix_ms);
        if age_ms >= age_max_ms {
            return None;
        }
        let answer = Arc::clone(&entry.answer);
        self.unlink(place);
        self.link(place);
        Some(answer)
    }

    /// Adds an entry as the one used last, in place of one with the same digest; false where it is too large.
    pub(super) fn insert(&mut self, entry: Entry, now_unix_ms: i64, left: &mut Left) -> bool {
        let bytes = entry.size_bytes();
        if bytes > self.bounds.entry_bytes.min(self.bounds.bytes) || self.bounds.entries == 0 {
            return false;
        }
        if let Some(place) = self.places.get(&entry.identity.digest).copied() {
            left.extend(self.remove(place));
        }
        self.drop_expired(now_unix_ms, left);
        while self.places.len() >= self.bounds.entries || self.bytes + bytes > self.bounds.bytes {
            let Some(evicted) = self.oldest.and_then(|place| self.remove(place)) else {
                break;
            };
            self.evictions += 1;
            left.push(evicted);
        }
        self.bytes += bytes;
        let digest = entry.identity.digest;
        let place = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            self.slots.len() - 1
        });
        if let Some(slot) = self.slots.get_mut(place) {
            slot.entry = Some(entry);
        }
        self.places.insert(digest, place);
        self.link(place);
        true
    }

    pub(super) fn purge(&mut self, purge: &Purge, left: &mut Left) -> usize {
        let before = left.len();
        for place in 0..self.slots.len() {
            let entry = self.slots.get(place).and_then(|slot| slot.entry.as_ref());
            if entry.is_some_and(|entry| purge.takes(&entry.answer.filled_by)) {
                left.extend(self.remove(place));
            }
        }
        left.len() - before
    }

    fn drop_expired(&mut self, now_unix_ms: i64, left: &mut Left) {
        for _ in 0..EXPIRED_LOOKED_AT {
            let Some(place) = self.oldest else { break };
            let entry = self.slots.get(place).and_then(|slot| slot.entry.as_ref());
            if entry.is_none_or(|entry| entry.expires_at_unix_ms > now_unix_ms) {
                break;
            }
            left.extend(self.remove(place));
        }
    }

    fn remove(&mut self, place: usize) -> Option<Entry> {
        self.unlink(place);
        let entry = self.slots.get_mut(place)?.entry.take()?;
        self.free.push(place);
        self.places.remove(&entry.identity.digest);
        self.bytes = self.bytes.saturating_sub(entry.size_bytes());
        Some(entry)
    }

    /// Makes it the newest; it must be in no list.
    fn link(&mut self, place: usize) {
        let before = self.newest.replace(place);
        if let Some(slot) = self.slots.get_mut(place) {
            slot.older = before;
            slot.newer = None;
        }
        match before.and_then(|before| self.slots.get_mut(before)) {
            Some(before) => before.newer = Some(place),
            None => self.oldest = Some(place),
        }
    }

    fn unlink(&mut self, place: usize) {
        let Some(slot) = self.slots.get_mut(place) else {
            return;
        };
        let (newer, older) = (mem::take(&mut slot.newer), mem::take(&mut slot.older));
        match newer.and_then(|newer| self.slots.get_mut(newer)) {
            Some(newer) => newer.older = older,
            None => self.newest = older,
        }
        match older.and_then(|older| self.slots.get_mut(older)) {
            Some(older) => older.newer = newer,
            None => self.oldest = newer,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::identity::{IdentityWriter, sha256};
    use super::super::tests::{answer, filled_by};
    use super::*;

    fn identity(name: u8) -> Identity {
        let mut writer = IdentityWriter::new(0);
        writer.field(&[name]);
        Identity::new(&writer.finish(sha256), ("p", "m"), sha256)
    }

    fn entry(name: u8, body_bytes: usize, expires_at_unix_ms: i64) -> Entry {
        let model = if name.is_multiple_of(2) {
            "even"
        } else {
            "odd"
        };
        Entry {
            identity: identity(name),
            answer: Arc::new(answer(&vec![name; body_bytes], &filled_by(model, "k"))),
            expires_at_unix_ms,
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Insert(u8, usize, i64),
        Get(u8),
        Purge(&'static str),
        Wait(i64),
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0u8..12, 0usize..3_000, 1i64..40)
                .prop_map(|(name, bytes, ttl)| Step::Insert(name, bytes, ttl)),
            4 => (0u8..12).prop_map(Step::Get),
            1 => prop_oneof![Just("even"), Just("odd"), Just("all")].prop_map(Step::Purge),
            1 => (1i64..10).prop_map(Step::Wait),
        ]
    }

    /// What the entries must be, kept in the simplest way: oldest use first.
    #[derive(Default)]
    struct Expected {
        entries: Vec<(u8, usize, i64)>,
        evictions: u64,
    }

    impl Expected {
        fn remove(&mut self, name: u8) -> Option<(u8, usize, i64)> {
            let at = self.entries.iter().position(|entry| entry.0 == name)?;
            Some(self.entries.remove(at))
        }

        fn bytes(&self) -> usize {
            self.entries.iter().map(|entry| entry.1).sum()
        }

        fn insert(&mut self, new: (u8, usize, i64), now: i64, bounds: Bounds) -> bool {
            if new.1 > bounds.entry_bytes {
                return false;
            }
            self.remove(new.0);
            for _ in 0..EXPIRED_LOOKED_AT {
                if self.entries.first().is_some_and(|entry| entry.2 <= now) {
                    self.entries.remove(0);
                }
            }
            while self.entries.len() >= bounds.entries || self.bytes() + new.1 > bounds.bytes {
                self.entries.remove(0);
                self.evictions += 1;
            }
            self.entries.push(new);
            true
        }

        fn get(&mut self, name: u8, now: i64) -> bool {
            match self.remove(name) {
                Some(entry) if entry.2 > now => {
                    self.entries.push(entry);
                    true
                }
                _ => false,
            }
        }
    }

    proptest! {
        #[test]
        fn memory_is_bounded_and_the_least_recently_used_leaves_first(
            steps in prop::collection::vec(any_step(), 1..200)
        ) {
            let bounds = Bounds { entries: 6, bytes: 12_000, entry_bytes: 3_000 };
            let mut entries = Entries::new(bounds);
            let mut expected = Expected::default();
            let mut now = 0;
            for step in steps {
                let mut left = Left::new();
                match step {
                    Step::Insert(name, body_bytes, ttl) => {
                        let entry = entry(name, body_bytes, now + ttl);
                        let new = (name, entry.size_bytes(), now + ttl);
                        let inserted = entries.insert(entry, now, &mut left);
                        prop_assert_eq!(inserted, expected.insert(new, now, bounds));
                    }
                    Step::Get(name) => {
                        let found = entries.get(&identity(name), (now, i64::MAX), &mut left);
                        prop_assert_eq!(found.is_some(), expected.get(name, now));
                        if let Some(found) = found {
                            prop_assert!(found.body.iter().all(|byte| *byte == name));
                        }
                    }
                    Step::Purge(which) => {
                        let purge = match which {
                            "all" => Purge::All,
                            model => Purge::Model(model.into()),
                        };
                        let before = expected.entries.len();
                        expected.entries.retain(|entry| match which {
                            "all" => false,
                            "even" => entry.0 % 2 == 1,
                            _ => entry.0 % 2 == 0,
                        });
                        let purged = entries.purge(&purge, &mut left);
                        prop_assert_eq!(purged, before - expected.entries.len());
                    }
                    Step::Wait(ms) => now += ms,
                }
                prop_assert_eq!(entries.len(), expected.entries.len());
                prop_assert_eq!(entries.bytes(), expected.bytes());
                prop_assert_eq!(entries.evictions(), expected.evictions);
                prop_assert!(entries.len() <= bounds.entries && entries.bytes() <= bounds.bytes);
                prop_assert!(entries.slots.len() <= bounds.entries);
            }
        }
    }

    #[test]
    fn what_is_past_its_time_or_older_than_asked_for_is_not_given() {
        let mut entries = Entries::new(Bounds {
            entries: 9,
            bytes: usize::MAX,
            entry_bytes: usize::MAX,
        });
        let mut left = Left::new();
        assert!(entries.insert(entry(1, 10, 1_000), 0, &mut left));
        let mut check = |now, age_max, expected: bool, entries_left| {
            let found = entries.get(&identity(1), (now, age_max), &mut left);
            assert_eq!(found.is_some(), expected, "{now} {age_max}");
            assert_eq!(entries.len(), entries_left, "{now} {age_max}");
        };
        check(999, i64::MAX, true, 1);
        check(500, 500, false, 1);
        check(500, 501, true, 1);
        check(1_000, i64::MAX, false, 0);
        check(0, i64::MAX, false, 0);
    }

    #[test]
    fn one_entry_that_is_larger_than_everything_may_be_is_not_taken() {
        let mut entries = Entries::new(Bounds {
            entries: 2,
            bytes: 2_000,
            entry_bytes: 1 << 20,
        });
        let mut left = Left::new();
        assert!(entries.insert(entry(1, 100, 10), 0, &mut left));
        assert!(!entries.insert(entry(2, 2_000, 10), 0, &mut left));
        assert_eq!((entries.len(), left.len()), (1, 0));
    }
}
