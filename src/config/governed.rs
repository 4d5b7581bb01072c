//! Who may use the models, and on which terms: tenants, keys, policies and profiles, in the order in which they refer to
//! each other; and the alerts, which refer to all of them.

use std::sync::Arc;

use super::{
    AiResources, Alert, Alerting, ApiKey, GatewayConfig, Limits, Policy, Tenant,
    api_keys::SecretsInUse,
    cross_check::{self, Declared, Governing},
    names::Names,
    reader::Section,
    references::References,
    tenants::TenantLines,
};

/// What the file says about them.
pub(super) struct Governed {
    pub(super) tenants: Vec<Arc<Tenant>>,
    pub(super) api_keys: Vec<Arc<ApiKey>>,
    pub(super) policies: Vec<Arc<Policy>>,
    pub(super) gateway_configs: Vec<Arc<GatewayConfig>>,
    pub(super) alerts: Vec<Arc<Alert>>,
}

impl Governed {
    pub(super) fn read(
        root: &mut Section<'_, '_>,
        ai: &AiResources,
        (limits, alerting): (&Limits, &Alerting),
    ) -> Self {
        let mut tenant_lines = TenantLines::default();
        let tenants = Declared::read(root, "tenants", Tenant::LATER, |section| {
            Tenant::read(section, &mut tenant_lines)
        });
        let references = References {
            models: &ai.model_names,
            providers: &ai.provider_names,
            api_keys: None,
            request_headers: &limits.gateway_config_request_headers,
        };
        let (mut key_names, mut secrets) = (Names::new("key"), SecretsInUse::default());
        let api_keys = Declared::read(root, "api_keys", ApiKey::LATER, |section| {
            ApiKey::read(section, &mut key_names, &mut secrets, references)
        });
        let references = References {
            api_keys: Some(&key_names),
            ..references
        };
        let mut policy_names = Names::new("policy");
        let policies = Declared::read(root, "policies", Policy::LATER, |section| {
            Policy::read(section, &mut policy_names, references)
        });
        let mut profile_names = Names::new("profile");
        let profiles = Declared::read(root, "gateway_configs", GatewayConfig::LATER, |section| {
            GatewayConfig::read(section, &mut profile_names, references)
        });
        let mut alert_names = Names::new("alert");
        let alerts = Declared::read(root, "alerts", Alert::LATER, |section| {
            Alert::read(section, &mut alert_names, references)
        });
        if let Some(message) = Alerting::too_many(alerts.len(), alerting.alerts_max) {
            let place = root.place_of("alerts");
            root.error(&place, message);
        }
        cross_check::check_file(
            root,
            &Governing {
                tenants: &tenants,
                api_keys: &api_keys,
                policies: &policies,
                alerts: &alerts,
            },
        );
        Self {
            tenants: tenants.into_resources(),
            api_keys: api_keys.into_resources(),
            policies: policies.into_resources(),
            gateway_configs: profiles.into_resources(),
            alerts: alerts.into_resources(),
        }
    }
}
