//! What is known of the providers, as the admin API tells it.

use ferrogate_api::{
    BreakerHealth, BreakerState, CredentialHealth, CredentialState, ModelHealth, ProviderHealth,
    ProviderStatus,
};

use super::{Health, HealthOptions, State, breaker::Phase};
use crate::ai::models::Catalog;
use crate::ai::providers::Provider;

impl Health {
    /// What is known of every provider of `catalog`, in the order of the file.
    pub fn view(&self, catalog: &Catalog, now_unix_ms: i64) -> Vec<ProviderHealth> {
        let unknown = State::default();
        catalog
            .providers()
            .iter()
            .map(|provider| match self.known(&provider.name) {
                Some(tracked) => tracked.0.lock().view(provider, self.options(), now_unix_ms),
                None => unknown.view(provider, self.options(), now_unix_ms),
            })
            .collect()
    }
}

impl State {
    fn view(&self, provider: &Provider, options: HealthOptions, now: i64) -> ProviderHealth {
        ProviderHealth {
            provider: provider.name.clone(),
            kind: provider.kind.as_str().into(),
            enabled: provider.enabled,
            status: self.status(provider, now),
            breaker: self.breaker_view(options),
            models: self.models_view(now),
            credentials: self.credentials_view(provider, now),
        }
    }

    fn status(&self, provider: &Provider, now: i64) -> ProviderStatus {
        match self.breaker.phase() {
            Phase::Open { .. } => return ProviderStatus::Open,
            Phase::HalfOpen { .. } => return ProviderStatus::HalfOpen,
            Phase::Closed => (),
        }
        let ails = self.breaker.consecutive_failures() > 0
            || self.models.values().any(|model| model.is_failing(now))
            || !provider.missing_keys().is_empty()
            || provider
                .credentials()
                .iter()
                .any(|credential| self.credentials.aside(credential, now).is_some());
        match (ails, self.models.is_empty()) {
            (true, _) => ProviderStatus::Degraded,
            (false, true) => ProviderStatus::Unknown,
            (false, false) => ProviderStatus::Healthy,
        }
    }

    fn breaker_view(&self, options: HealthOptions) -> BreakerHealth {
        let (state, opened_at) = match self.breaker.phase() {
            Phase::Closed if options.failure_threshold == 0 => (BreakerState::Off, None),
            Phase::Closed => (BreakerState::Closed, None),
            Phase::Open { at_unix_ms } => (BreakerState::Open, Some(at_unix_ms)),
            Phase::HalfOpen {
                opened_at_unix_ms, ..
            } => (BreakerState::HalfOpen, Some(opened_at_unix_ms)),
        };
        BreakerHealth {
            state,
            consecutive_failures: self.breaker.consecutive_failures(),
            opened_at_unix_ms: opened_at,
            retry_at_unix_ms: opened_at.map(|at| at.saturating_add(options.cooldown_ms)),
        }
    }

    fn models_view(&self, now: i64) -> Vec<ModelHealth> {
        let mut models: Vec<ModelHealth> = self
            .models
            .iter()
            .map(|(name, model)| ModelHealth {
                provider_model: name.clone(),
                requests: model.requests,
                failures: model.failures,
                failure_permille: model.failure_permille(now),
                latency_us: model.last_latency_us(),
                last_error_code: model.last_error.map(|(code, _)| code.into()),
                last_error_at_unix_ms: model.last_error.map(|(_, at)| at),
                last_success_at_unix_ms: model.last_success_at_unix_ms,
            })
            .collect();
        models.sort_by(|a, b| a.provider_model.cmp(&b.provider_model));
        models
    }

    fn credentials_view(&self, provider: &Provider, now: i64) -> Vec<CredentialHealth> {
        let set = provider.credentials().iter().map(|credential| {
            let aside = self.credentials.aside(credential, now);
            CredentialHealth {
                index: credential.index,
                state: match aside {
                    None => CredentialState::Live,
                    Some(aside) if aside.refused => CredentialState::Refused,
                    Some(_) => CredentialState::Resting,
                },
                until_unix_ms: aside.map(|aside| aside.until_unix_ms),
            }
        });
        let unset = provider
            .missing_keys()
            .iter()
            .map(|missing| CredentialHealth {
                index: missing.index,
                state: CredentialState::Unset,
                until_unix_ms: None,
            });
        let mut credentials: Vec<CredentialHealth> = set.chain(unset).collect();
        credentials.sort_by_key(|credential| credential.index);
        credentials
    }
}
