//! What managed resources name among models, providers and upstreams.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use super::{
    super::{
        Alert, ApiKey, GatewayConfig, Model, Policy, Provider, Route, RoutingStrategy, fallbacks,
        mcp_targets, models::Candidate, names,
    },
    Problem, ResourceSet, Resources,
    report::Report,
};

/// Everything that can be named.
pub(super) struct Targets<'r> {
    models: HashSet<&'r str>,
    providers: HashMap<&'r str, &'r Provider>,
    upstreams: HashSet<&'r str>,
}

impl<'r> Targets<'r> {
    pub(super) fn of(resources: &Resources<'r>) -> Self {
        let Resources { file, managed } = resources;
        let made = managed.models.iter().map(|model| &**model);
        let models = file.models.iter().chain(made);
        let made = managed.providers.iter().map(|provider| &**provider);
        let providers = file.providers.iter().chain(made);
        let made = managed.upstreams.iter().map(|upstream| &**upstream);
        let upstreams = file.upstreams.iter().chain(made);
        Self {
            models: models.map(|model| &*model.name).collect(),
            providers: providers
                .map(|provider| (&*provider.name, provider))
                .collect(),
            upstreams: upstreams.map(|upstream| &*upstream.name).collect(),
        }
    }

    pub(super) fn check(&self, managed: &ResourceSet<'_>, report: &mut Report) {
        for model in managed.models {
            self.model_problems(model, &mut report.problems);
            report.collect(&**model);
        }
        for route in managed.routes {
            self.route_problems(route, &mut report.problems);
            report.collect(&**route);
        }
        for key in managed.api_keys {
            self.key_problems(key, &mut report.problems);
            report.collect(&**key);
        }
        for policy in managed.policies {
            self.policy_problems(policy, &mut report.problems);
            report.collect(&**policy);
        }
        for profile in managed.gateway_configs {
            self.profile_problems(profile, &mut report.problems);
            report.collect(&**profile);
        }
        for alert in managed.alerts {
            self.alert_problems(alert, &mut report.problems);
            report.collect(&**alert);
        }
    }

    fn model_problems(&self, model: &Model, problems: &mut Vec<Problem>) {
        for candidate in model.candidates() {
            let Some(provider) = self.providers.get(&**candidate.provider) else {
                let message = self.no_provider(candidate.provider);
                problems.push(Problem::new(path(&candidate, "provider"), message));
                continue;
            };
            let in_use = candidate.enabled && provider.enabled;
            let ordered_by_price = model.routing_strategy == RoutingStrategy::LowestCost;
            if !in_use || !ordered_by_price || candidate.has_own_price {
                continue;
            }
            if fallbacks::catalog_price(provider, candidate.provider_model).is_none() {
                let lack = fallbacks::lack_of_price(&model.name, &provider.name);
                let message = fallbacks::needed_price(&lack);
                problems.push(Problem::new(path(&candidate, "provider_model"), message));
            }
        }
    }

    fn route_problems(&self, route: &Route, problems: &mut Vec<Problem>) {
        if !self.upstreams.contains(&*route.upstream) {
            let known = self.upstreams.iter().copied();
            let message = names::dangling("upstream", &route.upstream, known);
            problems.push(Problem::new("upstream", message));
        }
    }

    fn key_problems(&self, key: &ApiKey, problems: &mut Vec<Problem>) {
        self.no_models("allowed_models", &key.allowed_models, problems);
        self.no_models("denied_models", &key.denied_models, problems);
        self.no_providers("allowed_providers", &key.allowed_providers, problems);
        self.no_providers("denied_providers", &key.denied_providers, problems);
    }

    fn policy_problems(&self, policy: &Policy, problems: &mut Vec<Problem>) {
        self.no_models("models", &policy.models, problems);
        self.no_providers("providers", &policy.providers, problems);
    }

    fn profile_problems(&self, profile: &GatewayConfig, problems: &mut Vec<Problem>) {
        if let Some(model) = &profile.model
            && !self.models.contains(&**model)
        {
            problems.push(Problem::new("model", self.no_model(model)));
        }
    }

    fn alert_problems(&self, alert: &Alert, problems: &mut Vec<Problem>) {
        let scope = &alert.scope;
        if let Some(model) = &scope.model
            && !self.models.contains(&**model)
        {
            problems.push(Problem::new("model", self.no_model(model)));
        }
        if let Some(provider) = &scope.provider
            && !self.providers.contains_key(&**provider)
        {
            problems.push(Problem::new("provider", self.no_provider(provider)));
        }
    }

    fn no_models(&self, key: &'static str, names: &[Arc<str>], problems: &mut Vec<Problem>) {
        for (item, name) in names.iter().enumerate() {
            if !self.models.contains(&**name) && mcp_targets::tool(name).is_none() {
                problems.push(Problem::of_item(key, item, self.no_model(name)));
            }
        }
    }

    fn no_providers(&self, key: &'static str, names: &[Arc<str>], problems: &mut Vec<Problem>) {
        for (item, name) in names.iter().enumerate() {
            if !self.providers.contains_key(&**name) && mcp_targets::server(name).is_none() {
                problems.push(Problem::of_item(key, item, self.no_provider(name)));
            }
        }
    }

    fn no_model(&self, name: &str) -> String {
        names::dangling("model", name, self.models.iter().copied())
    }

    fn no_provider(&self, name: &str) -> String {
        names::dangling("provider", name, self.providers.keys().copied())
    }
}

fn path(candidate: &Candidate<'_>, key: &str) -> String {
    match candidate.fallback {
        Some(index) => format!("fallbacks[{index}].{key}"),
        None => key.to_owned(),
    }
}
