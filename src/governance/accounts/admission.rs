//! May this request run? All levels are checked before any is counted, in one step under the lock.
//!
//! The order, over the whole path each time: limits per minute, concurrency, budgets. Of several refusals of one stage
//! the tightest is given, which is the one that lasts longest; among equals the narrowest account's.

use std::{cmp::Reverse, sync::Arc, time::Duration};

use ferrogate_api::BudgetUnit;

use super::{
    amounts::{Amounts, Ask},
    rates::{RateDenial, Rated, rate_denial, status},
    standing::Standing,
    state::{SlotState, State, slot_in},
    tree::{Account, BudgetPlace},
    window::{Window, second_of},
};

/// Why a request may not run, and which account of its path says so.
#[derive(Debug)]
pub(super) struct Denied {
    pub(super) level: usize,
    pub(super) reason: Reason,
    pub(super) standing: Standing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    Rate(RateDenial),
    Concurrency {
        limit: u64,
    },
    Budget(Overdraft),
    /// The budget counts money, and what the request costs is not known. `index` is into the account's budgets.
    Unpriced {
        index: usize,
    },
}

/// A budget that has too little left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Overdraft {
    /// Into the account's budgets.
    pub(super) index: usize,
    pub(super) ask: i64,
    pub(super) limit: i64,
    pub(super) used: i64,
    pub(super) held: i128,
    pub(super) period_end_unix_ms: i64,
}

impl Overdraft {
    /// However long it waits, it never fits.
    pub(super) fn is_for_good(&self) -> bool {
        self.period_end_unix_ms == i64::MAX || self.ask > self.limit
    }
}

/// What a permit has in the tree, and gives back.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Claim {
    pub(super) in_flight: bool,
    /// Counted in the windows of requests: one, in this second.
    pub(super) request_second: i64,
    /// Counted in the windows of tokens, in this second.
    pub(super) tokens: u64,
    pub(super) tokens_second: i64,
    /// Held in the budgets.
    pub(super) held: Amounts,
    /// Tokens and amounts were exchanged for what was used; there may be another attempt.
    pub(super) is_settled: bool,
}

type Refused = (usize, Reason);

impl State {
    pub(super) fn admit(
        &mut self,
        path: &[Arc<Account>],
        ask: Ask,
        now_unix_ms: i64,
    ) -> Result<(Claim, Standing), Box<Denied>> {
        let at_ms = self.advance(path, now_unix_ms);
        let mut refused = self.over_a_rate(path, ask, at_ms);
        if ask.charges {
            refused = refused
                .or_else(|| self.over_concurrency(path))
                .or_else(|| self.unpriced(path, ask))
                .or_else(|| self.over_a_budget(path, amounts(ask), now_unix_ms));
        }
        match refused {
            Some((level, reason)) => Err(Box::new(Denied {
                level,
                reason,
                standing: self.standing(path, at_ms).facing(reason),
            })),
            None => {
                let claim = self.count(path, ask, at_ms);
                Ok((claim, self.standing(path, at_ms)))
            }
        }
    }

    /// Lets the windows and the periods of the path go on to now.
    pub(super) fn advance(&mut self, path: &[Arc<Account>], now_unix_ms: i64) -> i64 {
        let at_ms = self.timeline.at(now_unix_ms);
        for account in path {
            let slot = slot_in(&mut self.slots, account);
            slot.advance_windows(at_ms);
            slot.roll(now_unix_ms, &mut self.begun);
        }
        at_ms
    }

    /// Whether there is room in the budgets for `held`, beside what is used and held already.
    pub(super) fn over_a_budget(
        &mut self,
        path: &[Arc<Account>],
        held: Amounts,
        now_unix_ms: i64,
    ) -> Option<Refused> {
        let mut tightest: Option<(usize, Overdraft)> = None;
        for (level, account) in path.iter().enumerate() {
            let slot = slot_in(&mut self.slots, account);
            for (index, place) in account.budgets.iter().enumerate() {
                let Some(found) = overdraft(slot, (index, place), held, now_unix_ms) else {
                    continue;
                };
                if tightest.is_none_or(|(_, other)| lasts(&found) > lasts(&other)) {
                    tightest = Some((level, found));
                }
            }
        }
        tightest.map(|(level, overdraft)| (level, Reason::Budget(overdraft)))
    }

    fn over_a_rate(&self, path: &[Arc<Account>], ask: Ask, at_ms: i64) -> Option<Refused> {
        let mut tightest: Option<(usize, RateDenial)> = None;
        for (level, account) in path.iter().enumerate() {
            let slot = self.slot(account);
            let requests = rate_denial(slot, account, (Rated::Requests, 1), at_ms);
            let tokens = ask
                .charges
                .then(|| rate_denial(slot, account, (Rated::Tokens, ask.tokens), at_ms))
                .flatten();
            for found in [requests, tokens].into_iter().flatten() {
                let wait = |denial: &RateDenial| denial.wait.unwrap_or(Duration::MAX);
                if tightest.is_none_or(|(_, other)| wait(&found) > wait(&other)) {
                    tightest = Some((level, found));
                }
            }
        }
        tightest.map(|(level, denial)| (level, Reason::Rate(denial)))
    }

    fn over_concurrency(&self, path: &[Arc<Account>]) -> Option<Refused> {
        path.iter().enumerate().find_map(|(level, account)| {
            let limit = account.limits.concurrency?;
            let is_full = self.slot(account).in_flight >= limit;
            is_full.then_some((level, Reason::Concurrency { limit }))
        })
    }

    fn unpriced(&self, path: &[Arc<Account>], ask: Ask) -> Option<Refused> {
        if ask.cost_nanos.is_some() {
            return None;
        }
        path.iter().enumerate().find_map(|(level, account)| {
            let mut budgets = account.budgets.iter();
            let index = budgets.position(|budget| budget.unit == BudgetUnit::Money)?;
            Some((level, Reason::Unpriced { index }))
        })
    }

    fn count(&mut self, path: &[Arc<Account>], ask: Ask, at_ms: i64) -> Claim {
        let second = second_of(at_ms);
        let mut claim = Claim {
            request_second: second,
            tokens_second: second,
            ..Claim::default()
        };
        if ask.charges {
            claim.in_flight = true;
            claim.tokens = ask.tokens;
            claim.held = amounts(ask);
        }
        for account in path {
            let slot = slot_in(&mut self.slots, account);
            if account.limits.requests_per_minute.is_some() {
                window_in(&mut slot.requests, at_ms).add(1);
            }
            slot.in_flight += u64::from(claim.in_flight);
            slot.hold(account, &claim, at_ms);
        }
        claim
    }

    /// The tightest limits of the path: those with the fewest left.
    pub(super) fn standing(&self, path: &[Arc<Account>], at_ms: i64) -> Standing {
        let tightest = |rated| {
            path.iter()
                .filter_map(|account| status(self.slot(account), account, rated, at_ms))
                .min_by_key(|status| (status.remaining, Reverse(status.reset)))
        };
        Standing {
            requests: tightest(Rated::Requests),
            tokens: tightest(Rated::Tokens),
        }
    }
}

impl SlotState {
    /// Holds the claim's amounts in the budgets, and counts its tokens in the window.
    pub(super) fn hold(&mut self, account: &Account, claim: &Claim, at_ms: i64) {
        self.held.add(claim.held);
        if account.limits.tokens_per_minute.is_some() && claim.tokens > 0 {
            window_in(&mut self.tokens, at_ms).add(claim.tokens);
        }
    }
}

impl Standing {
    /// As a refusal shows it: the limit that refused comes before others that have fewer left.
    fn facing(mut self, reason: Reason) -> Self {
        if let Reason::Rate(denial) = reason {
            match denial.rated {
                Rated::Requests => self.requests = Some(denial.status),
                Rated::Tokens => self.tokens = Some(denial.status),
            }
        }
        self
    }
}

pub(super) fn amounts(ask: Ask) -> Amounts {
    Amounts::new(ask.tokens, ask.cost_nanos)
}

/// The window to count in, which is advanced to `at_ms`.
pub(super) fn window_in(place: &mut Option<Box<Window>>, at_ms: i64) -> &mut Window {
    let window = place.get_or_insert_with(|| Box::new(Window::new(at_ms)));
    window.advance_to(at_ms);
    window
}

fn lasts(overdraft: &Overdraft) -> i64 {
    if overdraft.is_for_good() {
        i64::MAX
    } else {
        overdraft.period_end_unix_ms
    }
}

fn overdraft(
    slot: &mut SlotState,
    (index, place): (usize, &BudgetPlace),
    held: Amounts,
    now_unix_ms: i64,
) -> Option<Overdraft> {
    let held_by_others = slot.held.get(place.unit);
    let balance = slot.balance(place);
    let limit = balance.limit(place.amount, now_unix_ms);
    let (ask, used) = (held.get(place.unit), balance.used());
    let fits = i128::from(used) + held_by_others + i128::from(ask) <= i128::from(limit);
    (balance.is_open() && !fits).then(|| Overdraft {
        index,
        ask,
        limit,
        used,
        held: held_by_others,
        period_end_unix_ms: balance.span().end_unix_ms,
    })
}
