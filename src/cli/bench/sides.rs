//! Both ways to an answer: straight to the provider, and through the gateway right after it.

use anyhow::Context;

use super::{
    gateway::{CpuTime, Gateway},
    load::{Load, Round, Target, run_round},
};
use crate::tasks::Tasks;

/// The same question on both ways.
#[derive(Debug, Clone)]
pub(super) struct Sides {
    pub(super) direct: Target,
    pub(super) gateway: Target,
}

/// A direct round and the gateway's right after it.
#[derive(Debug)]
pub(super) struct Rounds {
    pub(super) direct: Round,
    pub(super) gateway: Round,
    /// The gateway's CPU time over its round.
    pub(super) cpu: CpuTime,
}

impl Rounds {
    /// Microseconds that the gateway's round took longer.
    pub(super) fn added_us(&self, quantile: f64) -> f64 {
        self.gateway.latency_us(quantile) - self.direct.latency_us(quantile)
    }
}

/// The gateway under load, and the provider without it.
pub(super) struct Bench<'g> {
    tasks: Tasks,
    gateway: &'g Gateway,
    answered: u64,
}

impl<'g> Bench<'g> {
    pub(super) fn new(gateway: &'g Gateway) -> Self {
        Self {
            tasks: Tasks::default(),
            gateway,
            answered: 0,
        }
    }

    /// Requests the gateway has answered so far: what its ledger must hold.
    pub(super) fn answered(&self) -> u64 {
        self.answered
    }

    /// One round each way.
    ///
    /// # Errors
    /// When a request fails.
    pub(super) async fn compare(&mut self, sides: &Sides, load: Load) -> anyhow::Result<Rounds> {
        let direct = run_round(&self.tasks, &sides.direct, load)
            .await
            .context("straight to the provider")?;
        let cpu_before = self.gateway.cpu()?;
        let gateway = self.through_gateway(&sides.gateway, load).await?;
        let cpu = self.gateway.cpu()?.since(cpu_before);
        Ok(Rounds {
            direct,
            gateway,
            cpu,
        })
    }

    /// One round through the gateway alone.
    ///
    /// # Errors
    /// When a request fails.
    pub(super) async fn through_gateway(
        &mut self,
        target: &Target,
        load: Load,
    ) -> anyhow::Result<Round> {
        let round = run_round(&self.tasks, target, load)
            .await
            .context("through the gateway")?;
        self.answered += round.answered;
        Ok(round)
    }
}
