//! Clients and operators at work, all at once.

use std::sync::{Arc, atomic::Ordering};

use tokio::{
    sync::Semaphore,
    task::{JoinHandle, JoinSet},
};

use super::{
    CLIENTS,
    operators::keep_writing,
    requests::{Asked, Random, Seen},
};
use crate::support::{Rig, eventually};

/// All clients and the operator, at work.
pub(super) struct Traffic {
    pub(super) rig: Arc<Rig>,
    seen: Arc<Seen>,
    clients: JoinSet<()>,
    writer: JoinHandle<u64>,
    turns: Arc<Semaphore>,
}

impl Traffic {
    pub(super) fn start(
        rig: Rig,
        seen: &Arc<Seen>,
        plan: (&Random, &[String]),
        first_write: u64,
    ) -> Self {
        let rig = Arc::new(rig);
        let turns = Arc::new(Semaphore::new(0));
        let writer = keep_writing(Arc::clone(&rig), Arc::clone(&turns), first_write);
        let writer = tokio::spawn(writer);
        let (random, secrets) = plan;
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            let mut random = Random(random.0 ^ client.wrapping_mul(0xd6e8_feb8_6659_fd93));
            let (rig, seen, turns) = (Arc::clone(&rig), Arc::clone(seen), Arc::clone(&turns));
            let secrets = secrets.to_vec();
            clients.spawn(async move {
                while !seen.stop.load(Ordering::Relaxed) {
                    let asked = Asked::random(&mut random, &secrets);
                    if !asked.send(&rig.gateway, &seen).await {
                        break;
                    }
                    turns.add_permits(1);
                }
            });
        }
        Self {
            rig,
            seen: Arc::clone(seen),
            clients,
            writer,
            turns,
        }
    }

    /// Waits until so many requests have finished since the start of the test.
    pub(super) async fn reaches(&self, requests: u64) {
        eventually("enough requests have finished", || {
            let finished = self.seen.finished.load(Ordering::Relaxed);
            std::future::ready((finished >= requests).then_some(()))
        })
        .await;
    }

    /// Waits for clients and operator; gives the number of the next write.
    pub(super) async fn end(self) -> (Rig, u64) {
        self.clients.join_all().await;
        self.turns.close();
        let writes = self.writer.await.unwrap();
        (Arc::into_inner(self.rig).unwrap(), writes)
    }
}
