//! What a lane holds in Redis, as it knows from the answers it got; what of it Redis may not know.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::{BalanceKey, hold::Held, inbox::Returned, names::Expiry};

/// Requests in flight are forgotten that long after they were last written, which every heartbeat does.
pub(super) const IN_FLIGHT_HEARTBEATS: u32 = 60;

/// A lane's shares.
#[derive(Debug, Default)]
pub(super) struct Mirror {
    shares: HashMap<Arc<str>, Share>,
    /// Shares that were released, or whose value in Redis is in doubt.
    unwritten: HashSet<Arc<str>>,
    /// Balances of which something was settled.
    unsettled: HashSet<BalanceKey>,
    corrections: Vec<Correction>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    pub(super) kind: Kind,
    pub(super) value: i64,
    pub(super) expiry: Expiry,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Held,
    InFlight,
}

/// Tokens that were counted in a minute and not used, or the other way round.
#[derive(Debug)]
pub(super) struct Correction {
    pub(super) window: Arc<str>,
    pub(super) span: i64,
    pub(super) difference: i64,
}

/// What one step writes.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) shares: Vec<(Arc<str>, Share)>,
    pub(super) settled: Vec<BalanceKey>,
    pub(super) corrections: Vec<Correction>,
}

impl Kind {
    /// The letter that the script knows it by.
    pub(super) fn letter(self) -> &'static str {
        match self {
            Self::Held => "h",
            Self::InFlight => "f",
        }
    }
}

impl Mirror {
    /// Redis has counted these.
    pub(super) fn granted(&mut self, held: &Held, in_flight: Expiry) {
        for balance in &held.balances {
            self.add(&balance.name, Kind::Held, balance.amount, balance.expiry);
        }
        for name in &held.in_flight {
            self.add(name, Kind::InFlight, 1, in_flight);
        }
    }

    /// A request has ended.
    pub(super) fn returned(&mut self, returned: Returned) {
        let Returned {
            held,
            used_tokens,
            charged,
        } = returned;
        for balance in held.balances {
            self.release(&balance.name, balance.amount);
            self.unsettled.insert(balance.balance);
        }
        for name in &held.in_flight {
            self.release(name, 1);
        }
        self.unsettled.extend(charged);
        let difference = signed(used_tokens).saturating_sub(signed(held.tokens));
        if difference != 0 {
            let corrections = held.windows.into_iter().map(|window| Correction {
                window,
                span: held.span,
                difference,
            });
            self.corrections.extend(corrections);
        }
    }

    /// Nobody knows what Redis has of these.
    pub(super) fn doubt(&mut self, held: &Held, in_flight: Expiry) {
        for balance in &held.balances {
            self.add(&balance.name, Kind::Held, 0, balance.expiry);
            self.unwritten.insert(Arc::clone(&balance.name));
        }
        for name in &held.in_flight {
            self.add(name, Kind::InFlight, 0, in_flight);
            self.unwritten.insert(Arc::clone(name));
        }
    }

    /// Everything is to be written anew.
    pub(super) fn doubt_all(&mut self) {
        self.unwritten.extend(self.shares.keys().cloned());
    }

    pub(super) fn holds_nothing(&self) -> bool {
        self.shares.values().all(|share| share.value == 0)
    }

    pub(super) fn is_written(&self) -> bool {
        self.unwritten.is_empty() && self.unsettled.is_empty() && self.corrections.is_empty()
    }

    /// Takes at most `max` changes; the rest is for the steps that follow.
    pub(super) fn take_changes(&mut self, max: usize) -> Changes {
        let settled: Vec<_> = self.unsettled.iter().take(max).cloned().collect();
        for key in &settled {
            self.unsettled.remove(key);
        }
        // A share is released together with what it was settled as, or later.
        let room = if self.unsettled.is_empty() { max } else { 0 };
        let names: Vec<_> = self.unwritten.iter().take(room).cloned().collect();
        let mut shares = Vec::with_capacity(names.len());
        for name in names {
            self.unwritten.remove(&name);
            if let Some(share) = self.shares.get(&name) {
                shares.push((name, *share));
            }
        }
        let corrections = self.corrections.len().min(max);
        Changes {
            shares,
            settled,
            corrections: self.corrections.drain(..corrections).collect(),
        }
    }

    /// Redis has them.
    pub(super) fn written(&mut self, changes: &Changes) {
        for (name, _) in &changes.shares {
            let idle = |share: &Share| share.value == 0;
            if self.shares.get(name).is_some_and(idle) && !self.unwritten.contains(name) {
                self.shares.remove(name);
            }
        }
    }

    /// Redis may have them or not. Corrections are not repeated: a minute forgets by itself.
    pub(super) fn not_written(&mut self, changes: Changes) {
        let names = changes.shares.into_iter().map(|(name, _)| name);
        self.unwritten.extend(names);
        self.unsettled.extend(changes.settled);
    }

    fn add(&mut self, name: &Arc<str>, kind: Kind, amount: i64, expiry: Expiry) {
        let share = self.shares.entry(Arc::clone(name)).or_insert(Share {
            kind,
            value: 0,
            expiry,
        });
        share.value = share.value.saturating_add(amount);
    }

    fn release(&mut self, name: &Arc<str>, amount: i64) {
        if let Some(share) = self.shares.get_mut(name) {
            share.value = share.value.saturating_sub(amount);
            self.unwritten.insert(Arc::clone(name));
        }
    }
}

fn signed(tokens: u64) -> i64 {
    i64::try_from(tokens).unwrap_or(i64::MAX)
}
