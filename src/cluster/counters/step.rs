//! One call of `step.lua`: writing its arguments and reading its rows.

use std::{collections::HashMap, sync::Arc, time::Duration};

use redis::{RedisResult, aio::MultiplexedConnection};

use super::{
    Limited, LimitedBy, SharedRate, SharedStanding,
    ask::{PreparedAccount, PreparedAsk},
    hold::{Held, HeldBalance},
    mirror::{Correction, Share},
    names::Expiry,
    shared::Shared,
};

/// A call that is being put together.
#[derive(Debug)]
pub(super) struct Step {
    keys: Vec<Arc<str>>,
    positions: HashMap<Arc<str>, String>,
    arguments: Vec<String>,
}

/// A value of the node's own ledger, and when it was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settled {
    pub(super) value: i64,
    pub(super) version: u64,
}

/// What the script gave back.
#[derive(Debug)]
pub(super) enum StepReply {
    /// The node must join again; nothing was done.
    Lost,
    /// One row for each ask.
    Done(Vec<Row>),
}

#[derive(Debug)]
pub(super) enum Row {
    Granted {
        span: i64,
        standing: SharedStanding,
    },
    Limited(Limited),
    /// The epoch is not open.
    Closed,
}

impl Step {
    pub(super) fn new(shared: &Shared, lane: &str, generation: u64, epoch: &str) -> Self {
        let names = &shared.names;
        let node = &shared.node;
        Self {
            keys: vec![
                Arc::clone(&names.epoch),
                names.record(node),
                names.index(node),
            ],
            positions: HashMap::new(),
            arguments: vec![
                node.clone(),
                shared.incarnation.clone(),
                lane.to_owned(),
                generation.to_string(),
                epoch.to_owned(),
            ],
        }
    }

    pub(super) fn settled(&mut self, name: &Arc<str>, settled: Settled, expiry: Expiry) {
        let key = self.position(name);
        self.push("S");
        self.push(key);
        self.push(settled.value.to_string());
        self.push(settled.version.to_string());
        self.push(expiry.text());
        self.push("1");
    }

    pub(super) fn share(&mut self, name: &Arc<str>, share: Share) {
        let key = self.position(name);
        self.push("H");
        self.push(key);
        self.push(share.kind.letter());
        self.push(share.value.to_string());
        self.push(share.expiry.text());
    }

    pub(super) fn correct(&mut self, correction: &Correction) {
        let key = self.position(&correction.window);
        self.push("T");
        self.push(key);
        self.push(correction.span.to_string());
        self.push(correction.difference.to_string());
    }

    /// `own` has what is settled of the ask's budgets, in their order.
    pub(super) fn ask(&mut self, ask: &PreparedAsk, own: &[Settled], in_flight: Expiry) {
        self.push("A");
        self.push(ask.tokens.to_string());
        self.push(ask.accounts.len().to_string());
        let mut own = own.iter();
        for account in &ask.accounts {
            self.limits(account, in_flight);
            self.push(account.budgets.len().to_string());
            for (budget, settled) in account.budgets.iter().zip(&mut own) {
                let key = self.position(&budget.name);
                self.push(key);
                self.push(budget.limit.to_string());
                self.push(budget.amount.to_string());
                self.push(settled.value.to_string());
                self.push(settled.version.to_string());
                self.push(budget.expiry.text());
            }
        }
    }

    fn limits(&mut self, account: &PreparedAccount, in_flight: Expiry) {
        let limit = |limit: Option<u64>| limit.map_or_else(|| "-".to_owned(), |n| n.to_string());
        let window = account.window.as_ref();
        let window = window.map_or_else(|| "0".to_owned(), |name| self.position(name));
        self.push(window);
        self.push(limit(account.requests));
        self.push(limit(account.tokens));
        let flights = account.in_flight.as_ref();
        let flights_key = flights.map_or_else(|| "0".to_owned(), |(name, _)| self.position(name));
        self.push(flights_key);
        self.push(limit(flights.map(|(_, limit)| *limit)));
        self.push(in_flight.text());
    }

    /// Where a key stands among the call's keys, counted from 1.
    fn position(&mut self, name: &Arc<str>) -> String {
        if let Some(position) = self.positions.get(name) {
            return position.clone();
        }
        self.keys.push(Arc::clone(name));
        let position = self.keys.len().to_string();
        self.positions.insert(Arc::clone(name), position.clone());
        position
    }

    fn push(&mut self, argument: impl Into<String>) {
        self.arguments.push(argument.into());
    }

    pub(super) async fn send(
        &self,
        shared: &Shared,
        connection: &mut MultiplexedConnection,
    ) -> RedisResult<StepReply> {
        let mut call = shared.scripts.step.prepare_invoke();
        for key in &self.keys {
            call.key(&**key);
        }
        for argument in &self.arguments {
            call.arg(argument);
        }
        let rows: Vec<Vec<i64>> = call.invoke_async(connection).await?;
        let Some((status, rows)) = rows.split_first() else {
            return Ok(StepReply::Lost);
        };
        if *status == [0] {
            return Ok(StepReply::Lost);
        }
        Ok(StepReply::Done(rows.iter().map(|row| read(row)).collect()))
    }
}

/// A row that says neither yes nor no is no leave to go on.
fn read(row: &[i64]) -> Row {
    match *row {
        [
            1,
            span,
            reset,
            r_account,
            r_limit,
            r_left,
            t_account,
            t_limit,
            t_left,
        ] => {
            let rate = |account: i64, limit: i64, left: i64| {
                Some(SharedRate {
                    account: usize::try_from(account).ok()?,
                    limit: u64::try_from(limit).unwrap_or_default(),
                    remaining: u64::try_from(left).unwrap_or_default(),
                    reset: millis(reset),
                })
            };
            let standing = SharedStanding {
                requests: rate(r_account, r_limit, r_left),
                tokens: rate(t_account, t_limit, t_left),
            };
            Row::Granted { span, standing }
        }
        [0, account, what, remaining, wait, budget] => {
            let (Ok(account), Ok(budget)) = (usize::try_from(account), usize::try_from(budget))
            else {
                return Row::Closed;
            };
            let (what, wait) = match what {
                1 => (LimitedBy::Requests, Some(millis(wait))),
                2 => (LimitedBy::Tokens, Some(millis(wait))),
                3 => (LimitedBy::Concurrency, None),
                _ => (LimitedBy::Budget(budget), None),
            };
            Row::Limited(Limited {
                account,
                what,
                remaining,
                wait,
            })
        }
        _ => Row::Closed,
    }
}

fn millis(wait: i64) -> Duration {
    Duration::from_millis(u64::try_from(wait).unwrap_or_default())
}

impl PreparedAsk {
    /// What it holds once it is granted. Two budgets on one balance hold it once.
    pub(super) fn held(&self, lane: usize) -> Held {
        let mut held = Held {
            lane,
            tokens: self.tokens,
            ..Held::default()
        };
        for account in &self.accounts {
            if account.tokens.is_some() {
                held.windows.extend(account.window.clone());
            }
            let in_flight = account.in_flight.as_ref();
            held.in_flight
                .extend(in_flight.map(|(name, _)| Arc::clone(name)));
            for budget in &account.budgets {
                let known = |balance: &HeldBalance| balance.name == budget.name;
                if !held.balances.iter().any(known) {
                    held.balances.push(HeldBalance {
                        name: Arc::clone(&budget.name),
                        expiry: budget.expiry,
                        balance: budget.balance.clone(),
                        amount: budget.amount,
                    });
                }
            }
        }
        held
    }
}
