//! What becomes of a claim: its estimate is exchanged for what was used, taken anew for another attempt, or given back.

use std::sync::Arc;

use super::{
    admission::{Claim, Denied, amounts, window_in},
    amounts::{Amounts, Ask, Used},
    state::{SlotState, State, slot_in},
    thresholds::ThresholdCrossed,
    tree::Account,
    window::second_of,
};

impl State {
    /// Charges what was used to all balances that the accounts of the path have now, and ends the hold.
    pub(super) fn settle(
        &mut self,
        path: &[Arc<Account>],
        (claim, used): (&mut Claim, Used),
        now_unix_ms: i64,
    ) -> Vec<ThresholdCrossed> {
        let at_ms = self.timeline.at(now_unix_ms);
        let mut crossed = Vec::new();
        for account in path {
            let slot = slot_in(&mut self.slots, account);
            slot.let_go(account, claim, used.tokens);
            if account.limits.tokens_per_minute.is_some() && used.tokens > claim.tokens {
                window_in(&mut slot.tokens, at_ms).add(used.tokens - claim.tokens);
            }
            slot.roll(now_unix_ms, &mut self.begun);
            let charge = Amounts::new(used.tokens, used.cost_nanos);
            let watch = (now_unix_ms, self.thresholds_percent.as_slice());
            slot.charge(account, charge, watch, &mut crossed);
        }
        claim.held = Amounts::default();
        claim.tokens = 0;
        claim.is_settled = true;
        crossed
    }

    /// Takes the whole hold again, where a settlement has ended it.
    pub(super) fn renew(
        &mut self,
        path: &[Arc<Account>],
        (claim, ask): (&mut Claim, Ask),
        now_unix_ms: i64,
    ) -> Result<(), Box<Denied>> {
        let at_ms = self.advance(path, now_unix_ms);
        if let Some((level, reason)) = self.over_a_budget(path, amounts(ask), now_unix_ms) {
            return Err(Box::new(Denied {
                level,
                reason,
                standing: self.standing(path, at_ms),
            }));
        }
        claim.is_settled = false;
        claim.held = amounts(ask);
        claim.tokens = ask.tokens;
        claim.tokens_second = second_of(at_ms);
        for account in path {
            slot_in(&mut self.slots, account).hold(account, claim, at_ms);
        }
        Ok(())
    }

    /// Gives back what is held, and the place among those in flight; what was charged stays charged.
    pub(super) fn release(&mut self, path: &[Arc<Account>], claim: &Claim) {
        for account in path {
            let slot = slot_in(&mut self.slots, account);
            slot.let_go(account, claim, 0);
            slot.in_flight -= u64::from(claim.in_flight);
        }
    }

    /// Takes the request out of the windows it was counted in.
    pub(super) fn uncount(&mut self, path: &[Arc<Account>], claim: &Claim) {
        for account in path {
            let slot = slot_in(&mut self.slots, account);
            if account.limits.requests_per_minute.is_some()
                && let Some(window) = &mut slot.requests
            {
                window.take_back(1, claim.request_second);
            }
        }
    }
}

impl SlotState {
    /// Ends the claim's hold, and takes out of the window what it counted beyond `used_tokens`.
    fn let_go(&mut self, account: &Account, claim: &Claim, used_tokens: u64) {
        self.held.take(claim.held);
        let surplus = claim.tokens.saturating_sub(used_tokens);
        if account.limits.tokens_per_minute.is_some()
            && let Some(window) = &mut self.tokens
        {
            window.take_back(surplus, claim.tokens_second);
        }
    }

    fn charge(
        &mut self,
        account: &Account,
        charge: Amounts,
        (now_unix_ms, percents): (i64, &[u8]),
        crossed: &mut Vec<ThresholdCrossed>,
    ) {
        for balance in self.balances.iter_mut().flatten() {
            let mut declared = account.budgets.iter().enumerate();
            let declared = declared.find(|(_, place)| Arc::ptr_eq(&place.slot, &balance.slot));
            // One that only another configuration declares has no limit here.
            let Some((index, place)) = declared else {
                balance.charge(charge);
                continue;
            };
            let limit = balance.limit(place.amount, now_unix_ms);
            for percent in balance.charge_watched(charge, limit, percents) {
                crossed.push(ThresholdCrossed {
                    account: account.id.clone(),
                    budget_id: Arc::clone(&account.limits.budgets[index].id),
                    unit: place.unit,
                    percent,
                    used: balance.used(),
                    limit,
                    period_end_unix_ms: balance.span().end_if_any(),
                });
            }
        }
    }
}
