//! What happens, in the accounts and in the model's lists.

use super::*;

/// A permit in flight, and what the model knows of it.
pub(super) struct Flight {
    pub(super) number: usize,
    pub(super) permit: Permit,
    pub(super) path: Path,
    pub(super) ask: Ask,
    pub(super) holds: bool,
}

/// Something that was counted in a window.
#[derive(Debug, Clone)]
pub(super) struct Counted {
    pub(super) flight: usize,
    pub(super) account: AccountRef,
    pub(super) is_tokens: bool,
    pub(super) second: i64,
    pub(super) count: u64,
}

/// A row of the ledger.
pub(super) struct Row {
    pub(super) at_unix_ms: i64,
    pub(super) path: Path,
    pub(super) used: Used,
}

pub(super) struct Model {
    pub(super) world: World,
    pub(super) now: i64,
    pub(super) admitted: usize,
    pub(super) flights: Vec<Flight>,
    pub(super) counted: Vec<Counted>,
    pub(super) rows: Vec<Row>,
}

impl Model {
    pub(super) fn new() -> Self {
        Self {
            world: World::new(&variant(0), NOW_MS),
            now: NOW_MS,
            admitted: 0,
            flights: Vec::new(),
            counted: Vec::new(),
            rows: Vec::new(),
        }
    }

    pub(super) fn take(&mut self, step: Step) {
        match step {
            Step::Admit { key, ask } => self.admit(["a", "b"][key], ask),
            Step::Settle { permit, used } => self.settle(permit, used),
            Step::Renew { permit } => self.renew(permit),
            Step::End { permit, cancel } => self.end(permit, cancel),
            Step::Wait { ms } => self.now += ms,
            Step::Reload { variant, settle } => self.reload(variant, settle),
        }
        self.compare();
    }

    pub(super) fn admit(&mut self, key: &str, ask: Ask) {
        let path = Arc::clone(self.world.tree.path(key).unwrap());
        let expected = self.refusal(&path, ask);
        let found = self.world.accounts.admit(&path, ask, self.now, |_| ());
        let found_kind = found.as_ref().err().map(|refusal| refusal.error.kind);
        assert_eq!(found_kind, expected, "{ask:?}");
        let Ok(permit) = found else { return };
        self.admitted += 1;
        let number = self.admitted;
        for account in path.iter() {
            if account.limits.requests_per_minute.is_some() {
                self.count(number, account, (false, 1));
            }
            if account.limits.tokens_per_minute.is_some() && ask.charges {
                self.count(number, account, (true, ask.tokens));
            }
        }
        self.flights.push(Flight {
            number,
            permit,
            path: Arc::clone(&path),
            ask,
            holds: ask.charges,
        });
        self.nothing_is_over(&path, ask);
    }

    pub(super) fn nothing_is_over(&self, path: &Path, ask: Ask) {
        for account in path.iter().filter(|_| ask.charges) {
            for budget in &account.limits.budgets {
                let spent = self.used(account, budget) + self.held(account, budget.unit);
                assert!(spent <= budget.amount, "{} {}", account.id, budget.id);
            }
        }
    }

    pub(super) fn count(
        &mut self,
        flight: usize,
        account: &Account,
        (is_tokens, count): (bool, u64),
    ) {
        self.counted.push(Counted {
            flight,
            account: account.id.clone(),
            is_tokens,
            second: self.now / 1000,
            count,
        });
    }

    pub(super) fn settle(&mut self, permit: usize, used: Used) {
        let count = self.flights.len();
        let Some(flight) = self.flights.get_mut(permit % count.max(1)) else {
            return;
        };
        let (row, mut handed_over) = (Arc::clone(&flight.path), false);
        flight.permit.settle(used, self.now, |_| handed_over = true);
        assert!(handed_over);
        let estimate = if flight.holds { flight.ask.tokens } else { 0 };
        flight.holds = false;
        let number = flight.number;
        self.correct_estimate(number, estimate.min(used.tokens), estimate);
        for account in row.iter() {
            if account.limits.tokens_per_minute.is_some() {
                self.count(0, account, (true, used.tokens.saturating_sub(estimate)));
            }
        }
        self.rows.push(Row {
            at_unix_ms: self.now,
            path: row,
            used,
        });
    }

    /// The tokens that a flight's estimate counted become `tokens`, and are its estimate no more.
    pub(super) fn correct_estimate(&mut self, flight: usize, tokens: u64, estimate: u64) {
        for counted in &mut self.counted {
            if counted.flight == flight && counted.is_tokens {
                assert_eq!(counted.count, estimate);
                counted.count = tokens;
                counted.flight = 0;
            }
        }
    }

    pub(super) fn renew(&mut self, permit: usize) {
        let count = self.flights.len();
        let Some(index) = (count > 0).then(|| permit % count) else {
            return;
        };
        let flight = &self.flights[index];
        let (path, ask, number) = (Arc::clone(&flight.path), flight.ask, flight.number);
        if flight.holds || !ask.charges {
            assert!(self.flights[index].permit.renew(self.now).is_ok());
            return;
        }
        let expected = self.over_a_budget(&path, ask);
        let found = self.flights[index].permit.renew(self.now);
        let found = found.err().map(|refusal| refusal.error.kind);
        assert_eq!(found, expected);
        if found.is_none() {
            self.flights[index].holds = true;
            for account in path.iter() {
                if account.limits.tokens_per_minute.is_some() {
                    self.count(number, account, (true, ask.tokens));
                }
            }
            self.nothing_is_over(&path, ask);
        }
    }

    pub(super) fn end(&mut self, permit: usize, cancel: bool) {
        let count = self.flights.len();
        if count == 0 {
            return;
        }
        let flight = self.flights.remove(permit % count);
        if cancel {
            flight.permit.cancel();
        } else {
            drop(flight.permit);
        }
        let is_undone = |counted: &Counted| cancel || counted.is_tokens;
        self.counted
            .retain(|counted| counted.flight != flight.number || !is_undone(counted));
    }

    pub(super) fn reload(&mut self, number: usize, settle: Option<Used>) {
        self.world.tree = compile(&self.world.accounts, &variant(number));
        let answer = self
            .world
            .accounts
            .open(&self.world.tree, self.now, |keys| {
                keys.into_iter()
                    .map(|key| {
                        let sum = self.sum(&key);
                        (key, sum)
                    })
                    .collect::<Vec<_>>()
            });
        if let Some(used) = settle {
            self.settle(0, used);
        }
        if let Some(balances) = answer {
            self.world.accounts.opened(&balances);
        }
    }
}
