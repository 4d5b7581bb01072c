//! Many threads at once: nothing is lost, nothing is counted twice, and nobody gets more than there is.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::RwLock;

use super::*;

const LIMIT: i64 = 20_000;
const THREADS: u64 = 6;
const REQUESTS: u64 = 400;

/// The rows in the order in which they were handed over.
#[derive(Default)]
struct Ledger(Mutex<Vec<(Vec<AccountRef>, i64, u64)>>);

impl Ledger {
    fn sum(&self, key: &BalanceKey) -> i64 {
        let rows = self.0.lock();
        let rows = rows.iter().filter(|(accounts, at, _)| {
            accounts.contains(&key.account) && (key.start_unix_ms..key.end_unix_ms).contains(at)
        });
        rows.map(|(.., tokens)| i64::try_from(*tokens).unwrap())
            .sum()
    }
}

/// A small generator of numbers, so that each thread does something else.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

fn declared(with_key_budget: bool) -> [(&'static str, AccountLimits); 3] {
    let of_key = if with_key_budget {
        budgets(&[token_budget(LIMIT, BudgetPeriod::Hour)])
    } else {
        no_limits()
    };
    [
        ("key:a", of_key),
        ("key:b", no_limits()),
        (
            "organization:acme",
            budgets(&[token_budget(LIMIT, BudgetPeriod::Hour)]),
        ),
    ]
}

fn request(world: &RwLock<World>, ledger: &Ledger, dice: &mut Dice, now: i64) -> bool {
    let (accounts, path) = {
        let world = world.read();
        let key = if dice.roll(2) == 0 { "a" } else { "b" };
        (
            world.accounts.clone(),
            Arc::clone(world.tree.path(key).unwrap()),
        )
    };
    let tokens = dice.roll(100);
    let Ok(mut permit) = accounts.admit(&path, ask(tokens), now, |_| ()) else {
        return false;
    };
    let settle = |permit: &mut Permit, tokens| {
        permit.settle(used(tokens), now, |_| {
            let ids = path.iter().map(|account| account.id.clone()).collect();
            ledger.0.lock().push((ids, now, tokens));
        });
    };
    match dice.roll(8) {
        0 => drop(permit),
        1 => permit.cancel(),
        2 => {
            settle(&mut permit, tokens / 2);
            if permit.renew(now).is_ok() {
                settle(&mut permit, tokens);
            }
        }
        _ => settle(&mut permit, dice.roll(tokens + 1)),
    }
    true
}

/// Reloads with and without a budget, with settlements going on between the question and its answer.
fn reload(world: &RwLock<World>, ledger: &Ledger, with_key_budget: bool, now: i64) {
    let accounts = world.read().accounts.clone();
    let tree = compile(&accounts, &declared(with_key_budget));
    let answer = accounts.open(&tree, now, |keys| {
        let answer = |key: BalanceKey| {
            let sum = ledger.sum(&key);
            (key, sum)
        };
        keys.into_iter().map(answer).collect::<Vec<_>>()
    });
    std::thread::yield_now();
    accounts.opened(&answer.unwrap_or_default());
    world.write().tree = tree;
}

#[test]
fn many_threads_never_spend_more_than_the_budget_and_memory_is_what_the_ledger_says() {
    let world = RwLock::new(World::new(&declared(true), NOW_MS));
    let ledger = Ledger::default();
    let (admitted, refused) = (AtomicU64::new(0), AtomicU64::new(0));
    for round in 0..4 {
        let now = NOW_MS + i64::try_from(round).unwrap() * HOUR_MS;
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let (world, ledger, done) = (&world, &ledger, &done);
            let (admitted, refused) = (&admitted, &refused);
            let requests: Vec<_> = (0..THREADS)
                .map(|thread| {
                    scope.spawn(move || {
                        let mut dice = Dice(round * 1000 + thread + 1);
                        for _ in 0..REQUESTS {
                            let count = if request(world, ledger, &mut dice, now) {
                                admitted
                            } else {
                                refused
                            };
                            count.fetch_add(1, Ordering::Relaxed);
                        }
                    })
                })
                .collect();
            scope.spawn(move || {
                let mut with_key_budget = false;
                while !done.load(Ordering::Relaxed) {
                    reload(world, ledger, with_key_budget, now);
                    with_key_budget = !with_key_budget;
                }
            });
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    let budget = world
                        .read()
                        .view("organization:acme", now)
                        .budgets
                        .remove(0);
                    assert!(budget.status.remaining >= 0, "{budget:?}");
                }
            });
            for thread in requests {
                thread.join().unwrap();
            }
            done.store(true, Ordering::Relaxed);
        });
        let world = world.read();
        for view in world.everything(now) {
            assert_eq!(view.in_flight, 0);
            assert!(view.budgets.iter().all(|budget| budget.status.held == 0));
        }
        for (key, used, held) in world.accounts.balances() {
            assert_eq!((used, held), (ledger.sum(&key), 0), "{key:?}");
        }
        let spent = world.budget("organization:acme", now).0;
        assert!(spent <= LIMIT && spent > LIMIT / 2, "{spent}");
    }
    assert!(admitted.into_inner() > 0 && refused.into_inner() > 0);
}
