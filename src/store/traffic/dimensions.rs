//! What requests are told apart by in charts.

use std::sync::Arc;

use ferrogate_api::{RequestLog, TenantContext, TimeseriesBy};

use crate::live::{Facts, Selection};

/// The columns of `traffic_series`, in the order of [`Dimensions`].
pub(super) const COLUMNS: [&str; 8] = [
    "endpoint",
    "api_key_id",
    "organization_id",
    "team_id",
    "project_id",
    "user_id",
    "model",
    "provider",
];

/// One combination; empty where a request has none.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Dimensions(pub(super) [Arc<str>; 8]);

/// The same of a request, borrowed.
pub(super) type Borrowed<'l> = [&'l str; 8];

/// What a request counts for. A model that was never found may be any text that a client thought of; it is not told
/// apart from others.
pub(super) fn of(log: &RequestLog) -> Borrowed<'_> {
    let tenant = |id: fn(&TenantContext) -> &Option<Arc<str>>| {
        log.tenant
            .as_deref()
            .and_then(|tenant| id(tenant).as_deref())
            .unwrap_or_default()
    };
    let provider = log.provider.as_deref().unwrap_or_default();
    let model = log.model.as_deref().filter(|_| !provider.is_empty());
    [
        &log.endpoint,
        log.api_key_id.as_deref().unwrap_or_default(),
        tenant(|tenant| &tenant.organization_id),
        tenant(|tenant| &tenant.team_id),
        tenant(|tenant| &tenant.project_id),
        tenant(|tenant| &tenant.user_id),
        model.unwrap_or_default(),
        provider,
    ]
}

impl Dimensions {
    pub(super) fn owned(borrowed: Borrowed<'_>) -> Self {
        Self(borrowed.map(Arc::from))
    }

    /// For what came after there were too many combinations. Every request has an endpoint.
    pub(super) fn is_rest(&self) -> bool {
        self.0[0].is_empty()
    }

    pub(super) fn is(&self, borrowed: Borrowed<'_>) -> bool {
        self.0.iter().zip(borrowed).all(|(own, its)| **own == *its)
    }

    /// What it is called in a chart whose lines are told apart by this.
    pub(super) fn name(&self, by: TimeseriesBy) -> Option<Arc<str>> {
        let [
            endpoint,
            key,
            organization,
            team,
            project,
            user,
            model,
            provider,
        ] = &self.0;
        let name = match by {
            TimeseriesBy::None => return None,
            TimeseriesBy::Endpoint => endpoint,
            TimeseriesBy::Key => key,
            TimeseriesBy::Organization => organization,
            TimeseriesBy::Team => team,
            TimeseriesBy::Project => project,
            TimeseriesBy::User => user,
            TimeseriesBy::Model => model,
            TimeseriesBy::Provider => provider,
        };
        (!name.is_empty()).then(|| Arc::clone(name))
    }

    pub(super) fn is_in(&self, selection: &Selection) -> bool {
        let [
            endpoint,
            key,
            organization,
            team,
            project,
            user,
            model,
            provider,
        ] = &self.0;
        let given = |id: &Arc<str>| (!id.is_empty()).then(|| Arc::clone(id));
        let tenant = TenantContext {
            organization_id: given(organization),
            team_id: given(team),
            project_id: given(project),
            user_id: given(user),
        };
        let text = |id: &'_ str| !id.is_empty();
        selection.takes(Facts {
            key: Some(&**key).filter(|id| text(id)),
            model: Some(&**model).filter(|id| text(id)),
            provider: Some(&**provider).filter(|id| text(id)),
            endpoint,
            tenant: Some(&tenant),
        })
    }
}
