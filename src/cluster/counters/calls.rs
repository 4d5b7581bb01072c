//! The keeper's calls to Redis, one function for each.

use std::{sync::Arc, time::Duration};

use redis::{FromRedisValue, RedisError, ScriptInvocation, aio::MultiplexedConnection};
use tokio::time::timeout;

use super::{
    BalanceKey,
    names::{Expiry, IDLE_MAX},
    shared::{Closed, Shared, random_id},
    step::{Settled, Step, StepReply},
};

/// Nothing waits for the keeper, so it may wait longer than a request.
const PATIENCE_MIN: Duration = Duration::from_millis(500);
/// Balances in one call, keys in one page.
const BATCH: usize = 200;
/// The lane of the keeper's own writes. They carry versions and need no other order.
const LANE: &str = "keeper";

/// Why a round of the keeper did not end as it should.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("Redis failed: {0}")]
    Redis(#[from] RedisError),
    #[error("Redis did not answer in time")]
    Slow,
    #[error("what this node holds could not be written")]
    Lanes,
    #[error("this node's ledger is still being read")]
    Ledger,
    #[error("another process goes by this node_id; every node of a cluster needs its own")]
    Taken,
    #[error("the shared counters were lost while they were being written")]
    Lost,
}

impl Trouble {
    pub(super) fn closes(&self) -> Closed {
        match self {
            Self::Redis(_) | Self::Slow => Closed::Unreachable,
            Self::Lanes | Self::Lost => Closed::Joining,
            Self::Ledger => Closed::LedgerOpening,
            Self::Taken => Closed::Taken,
        }
    }
}

/// What a heartbeat heard.
pub(super) struct Heard {
    pub(super) open: bool,
    pub(super) alive: Vec<String>,
    pub(super) silent: Vec<String>,
}

/// Over which shares `inherit.lua` goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inherit {
    /// A silent node's.
    Bury,
    /// The same, at the end.
    Forget,
    /// This node's own from before.
    Reclaim,
}

impl Inherit {
    fn as_str(self) -> &'static str {
        match self {
            Self::Bury => "bury",
            Self::Forget => "forget",
            Self::Reclaim => "reclaim",
        }
    }
}

/// The calls.
#[derive(Debug)]
pub(super) struct Calls(pub(super) Arc<Shared>);

impl Calls {
    /// Takes this node's place; gives the epoch.
    pub(super) async fn join(
        &self,
        before: Option<&str>,
        connection: &mut MultiplexedConnection,
    ) -> Result<Arc<str>, Trouble> {
        let shared = &self.0;
        let mut call = shared.scripts.join.prepare_invoke();
        // A process that was a member once and finds another one in its place has a double, not a predecessor.
        let may_take_over = u8::from(before.is_none());
        call.key(&*shared.names.epoch)
            .key(&*shared.names.record(&shared.node))
            .key(&*shared.names.nodes)
            .arg(&shared.node)
            .arg(&shared.incarnation)
            .arg(may_take_over)
            .arg(random_id())
            .arg(millis(shared.silence()))
            .arg(millis(IDLE_MAX))
            .arg(before.unwrap_or_default());
        let known = shared.membership.live();
        for node in known.iter().filter(|node| **node != shared.node) {
            call.arg(node);
        }
        match self.call(&call, connection).await? {
            (1_i64, Some::<String>(epoch)) => Ok(epoch.into()),
            _ => Err(Trouble::Taken),
        }
    }

    /// One heartbeat; `None` when this node must join again.
    pub(super) async fn beat(
        &self,
        epoch: &str,
        seeded: bool,
        connection: &mut MultiplexedConnection,
    ) -> Result<Option<Heard>, Trouble> {
        let shared = &self.0;
        let mut call = shared.scripts.pulse.prepare_invoke();
        call.key(&*shared.names.epoch)
            .key(&*shared.names.record(&shared.node))
            .key(&*shared.names.nodes)
            .key(&*shared.names.index(&shared.node))
            .arg(&shared.node)
            .arg(&shared.incarnation)
            .arg(epoch)
            .arg(u8::from(seeded))
            .arg(millis(shared.silence()))
            // Two pulses: whoever is alive has noticed the new epoch by then.
            .arg(millis(shared.pulse() * 2))
            .arg(millis(IDLE_MAX));
        let heard: (i64, i64, Vec<String>, Vec<String>) = self.call(&call, connection).await?;
        let (1, open, alive, silent) = heard else {
            return Ok(None);
        };
        Ok(Some(Heard {
            open: open == 1,
            alive,
            silent,
        }))
    }

    /// Writes everything that this node's ledger has settled.
    pub(super) async fn write_settled(
        &self,
        epoch: &Arc<str>,
        connection: &mut MultiplexedConnection,
    ) -> Result<(), Trouble> {
        let shared = &self.0;
        let (balances, version) = shared.own.all().ok_or(Trouble::Ledger)?;
        for batch in balances.chunks(BATCH) {
            let step = settled_step(shared, epoch, batch, version);
            let sending = step.send(shared, connection);
            let reply = timeout(self.patience(), sending).await;
            if let StepReply::Lost = reply.map_err(|_| Trouble::Slow)?? {
                return Err(Trouble::Lost);
            }
        }
        Ok(())
    }

    /// Goes through all keys in which `node` has shares; false when it may not (any more).
    pub(super) async fn inherit(
        &self,
        how: Inherit,
        node: &str,
        connection: &mut MultiplexedConnection,
    ) -> Result<bool, Trouble> {
        let index = self.0.names.index(node);
        let mut cursor = 0_u64;
        loop {
            let mut page = redis::cmd("ZSCAN");
            page.arg(&*index).arg(cursor).arg("COUNT").arg(BATCH);
            let scanned = timeout(self.patience(), page.query_async(connection)).await;
            let (next, members): (u64, Vec<(String, String)>) =
                scanned.map_err(|_| Trouble::Slow)??;
            let keys: Vec<_> = members.into_iter().map(|(key, _)| key).collect();
            if !self.inherit_keys((how, node), &keys, connection).await? {
                return Ok(false);
            }
            cursor = next;
            if cursor == 0 {
                return Ok(true);
            }
        }
    }

    /// The same for some keys, or for none.
    pub(super) async fn inherit_keys(
        &self,
        (how, node): (Inherit, &str),
        keys: &[String],
        connection: &mut MultiplexedConnection,
    ) -> Result<bool, Trouble> {
        let shared = &self.0;
        let mut call = shared.scripts.inherit.prepare_invoke();
        call.key(&*shared.names.nodes)
            .key(&*shared.names.record(node));
        for key in keys {
            call.key(key);
        }
        // What another node's ledger will charge at its next start is not known here.
        let charged = how == Inherit::Reclaim && shared.orphans_charged;
        call.arg(how.as_str())
            .arg(node)
            .arg(&shared.incarnation)
            .arg(millis(shared.silence()))
            .arg(u8::from(charged));
        let done: i64 = self.call(&call, connection).await?;
        Ok(done == 1)
    }

    pub(super) async fn leave(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<(), Trouble> {
        let shared = &self.0;
        let mut call = shared.scripts.leave.prepare_invoke();
        call.key(&*shared.names.epoch)
            .key(&*shared.names.record(&shared.node))
            .key(&*shared.names.nodes)
            .arg(&shared.node)
            .arg(&shared.incarnation);
        self.call::<i64>(&call, connection).await.map(drop)
    }

    /// The policy by which Redis throws keys away when its memory is full, if it does.
    pub(super) async fn evicts(&self, connection: &mut MultiplexedConnection) -> Option<String> {
        let mut ask = redis::cmd("INFO");
        ask.arg("memory");
        // Not everybody may ask; then nothing is said.
        let asking = timeout(self.patience(), ask.query_async::<String>(connection));
        let memory = asking.await.ok()?.ok()?;
        let value_of = |name: &str| {
            let mut lines = memory.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        };
        let policy = value_of("maxmemory_policy")?;
        let bounded = value_of("maxmemory")? != "0";
        (bounded && policy != "noeviction").then(|| policy.to_owned())
    }

    async fn call<T: FromRedisValue>(
        &self,
        call: &ScriptInvocation<'_>,
        connection: &mut MultiplexedConnection,
    ) -> Result<T, Trouble> {
        let answer = timeout(self.patience(), call.invoke_async(connection)).await;
        Ok(answer.map_err(|_| Trouble::Slow)??)
    }

    pub(super) fn patience(&self) -> Duration {
        self.0.timeout.max(PATIENCE_MIN)
    }
}

fn settled_step(
    shared: &Shared,
    epoch: &str,
    balances: &[(BalanceKey, i64)],
    version: u64,
) -> Step {
    let mut step = Step::new(shared, LANE, 0, epoch);
    for (key, value) in balances {
        let settled = Settled {
            value: *value,
            version,
        };
        step.settled(&shared.names.balance(key), settled, Expiry::of(key));
    }
    step
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
