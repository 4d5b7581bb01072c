//! What was sent of late, for readers that come back: each event has a number, and a reader says which it saw last.
//!
//! Rare events (audit, health, alerts, configuration) have a ring of their own, so that a flood of requests does not
//! wash them out. What tells how things stand (`second`, `in_flight`) is not kept: the next one says it anew. Events
//! are numbered one by one, whichever ring they are in, so that what is neither there nor here can be counted.

use std::collections::VecDeque;

use ferrogate_api::Event;

use super::selection::Topics;

/// An event with its number. One that is not kept has the number of the last that is.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) number: u64,
    pub(super) event: Event,
}

#[derive(Debug)]
pub(super) struct Rings {
    last: u64,
    rare: Ring,
    busy: Ring,
}

#[derive(Debug)]
struct Ring {
    max: usize,
    kept: VecDeque<Sent>,
    /// The last number that was here and left; 0 before the first.
    lost_to: u64,
}

/// What came after the event that a reader saw last.
#[derive(Debug)]
pub(super) struct Since {
    pub(super) kept: Vec<Sent>,
    /// The number of the last event, kept or not.
    pub(super) last: u64,
    /// What is kept no longer; at most so many, for some may be of topics that the reader does not want.
    pub(super) lost: u64,
}

impl Rings {
    pub(super) fn new(max: usize) -> Self {
        let ring = || Ring {
            max,
            kept: VecDeque::new(),
            lost_to: 0,
        };
        Self {
            last: 0,
            rare: ring(),
            busy: ring(),
        }
    }

    /// The number of the last event.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Numbers an event and keeps it.
    pub(super) fn keep(&mut self, event: Event) -> Sent {
        self.last += 1;
        let is_rare = event
            .topic()
            .is_some_and(|topic| Topics::RARE.contains(topic));
        let sent = Sent {
            number: self.last,
            event,
        };
        let ring = if is_rare {
            &mut self.rare
        } else {
            &mut self.busy
        };
        ring.keep(sent.clone());
        sent
    }

    /// Lets go of what is only kept while somebody listens.
    pub(super) fn forget_busy(&mut self) {
        self.busy.forget();
    }

    /// What came after `number` in these topics, oldest first.
    pub(super) fn since(&self, number: u64, topics: Topics) -> Since {
        let asked = [
            (&self.rare, Topics::RARE.meets(topics)),
            (&self.busy, !topics.without(Topics::RARE).is_empty()),
        ];
        let after = |ring: &Ring| ring.kept.iter().filter(|sent| sent.number > number).count();
        let kept = after(&self.rare) + after(&self.busy);
        let has_lost = asked
            .iter()
            .any(|(ring, asked)| *asked && ring.lost_to > number);
        let gone = self
            .last
            .saturating_sub(number)
            .saturating_sub(u64::try_from(kept).unwrap_or(u64::MAX));
        let mut found: Vec<Sent> = asked
            .iter()
            .filter(|(_, asked)| *asked)
            .flat_map(|(ring, _)| &ring.kept)
            .filter(|sent| sent.number > number)
            .cloned()
            .collect();
        found.sort_unstable_by_key(|sent| sent.number);
        Since {
            kept: found,
            last: self.last,
            lost: if has_lost { gone } else { 0 },
        }
    }
}

impl Ring {
    fn keep(&mut self, sent: Sent) {
        self.kept.push_back(sent);
        while self.kept.len() > self.max {
            if let Some(oldest) = self.kept.pop_front() {
                self.lost_to = oldest.number;
            }
        }
    }

    fn forget(&mut self) {
        if let Some(newest) = self.kept.back() {
            self.lost_to = newest.number;
        }
        self.kept = VecDeque::new();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ferrogate_api::{AuditEvent, RequestLog, Topic};
    use proptest::prelude::*;

    use super::*;

    fn event(is_rare: bool) -> Event {
        if is_rare {
            Event::Audit(Arc::new(AuditEvent {
                id: String::new(),
                occurred_at_unix_ms: 0,
                actor: "a".into(),
                action: "b".into(),
                target: String::new(),
                outcome: "ok".into(),
                message: String::new(),
                detail: None,
            }))
        } else {
            Event::Finished(Arc::new(RequestLog::default()))
        }
    }

    fn numbers(since: &Since) -> Vec<u64> {
        since.kept.iter().map(|sent| sent.number).collect()
    }

    #[test]
    fn a_flood_of_requests_does_not_wash_out_what_is_rare() {
        let mut rings = Rings::new(2);
        rings.keep(event(true));
        for _ in 0..5 {
            rings.keep(event(false));
        }
        let check = |topics: &[Topic], number, expected: &[u64], lost| {
            let since = rings.since(number, Topics::of(topics));
            assert_eq!(numbers(&since), expected, "{topics:?} after {number}");
            assert_eq!(since.lost, lost, "{topics:?} after {number}");
        };
        check(&[Topic::Audit], 0, &[1], 0);
        check(&[Topic::Requests], 0, &[5, 6], 3);
        check(&[Topic::Requests, Topic::Audit], 0, &[1, 5, 6], 3);
        check(&[Topic::Requests], 3, &[5, 6], 1);
        check(&[Topic::Requests], 4, &[5, 6], 0);
        check(&[Topic::Requests], 6, &[], 0);
        // A number of the future is of no use, and does no harm.
        check(&[Topic::Requests], 99, &[], 0);
    }

    #[test]
    fn what_is_let_go_is_counted_as_lost() {
        let mut rings = Rings::new(8);
        rings.keep(event(false));
        rings.keep(event(false));
        rings.forget_busy();
        rings.keep(event(false));
        let since = rings.since(1, Topics::USUAL);
        assert_eq!((numbers(&since), since.lost), (vec![3], 1));
    }

    proptest! {
        #[test]
        fn every_event_after_a_number_is_kept_or_counted(
            events in prop::collection::vec(any::<bool>(), 0..40),
            max in 0usize..8,
            seen in 0u64..40,
        ) {
            let mut rings = Rings::new(max);
            for is_rare in &events {
                rings.keep(event(*is_rare));
            }
            let seen = seen.min(rings.last());
            let everything = Topics::of(&Topic::ALL);
            let since = rings.since(seen, everything);
            let kept = u64::try_from(since.kept.len()).unwrap();
            prop_assert_eq!(kept + since.lost, rings.last() - seen);
            prop_assert!(since.kept.windows(2).all(|two| two[0].number < two[1].number));
        }
    }
}
