//! `/admin/v1/alerts` and `/{name}`: rules about the gateway itself, and how they stand on this node. Taking one on, and
//! trying its webhook.

use std::{borrow::Cow, sync::Arc, time::Duration};

use axum::{Json, extract::State};
use ferrogate_api::{AcknowledgeAlert, Alert, AlertDelivery, AlertFilter, AlertMetric, AlertState};
use http::Uri;

use super::{
    body::{Command, Nothing},
    listing::SortKey,
    path::Named,
    preconditions::By,
    query::Parameters,
    resources::{
        AdminResource, ByName, Entry, ResourceName, Shown, Viewing, entries, is, shown,
        take_enabled, take_origin,
    },
    respond::{Failure, invalid},
};
use crate::config::{self, AlertBound, WebhookAddress};
use crate::error::RequestError;
use crate::gateway::{Gateway, Snapshot};
use crate::store::ResourceKind;

/// Whoever is silent for longer has forgotten it.
const SILENCE_SECS_MAX: u64 = 31_536_000;

/// `[[alerts]]`.
pub(super) struct Alerts;

type Found<'s> = Entry<'s, &'s config::Alert>;

impl AdminResource for Alerts {
    const KIND: ResourceKind = ResourceKind::Alert;
    const NOUN: &'static str = "alert";
    const SORTS: &'static [&'static str] = &[
        "name",
        "state",
        "severity",
        "metric",
        "created_at",
        "updated_at",
    ];

    type Name = ByName;
    type Value<'s> = &'s config::Alert;
    type View = Alert;
    type Filter = AlertFilter;

    fn all(snapshot: &Snapshot) -> Vec<Found<'_>> {
        let file = snapshot.file.alerts.iter().map(|alert| &**alert);
        let managed = &snapshot.managed.alerts;
        entries(file, managed, |alert| Cow::Borrowed(&*alert.name))
    }

    fn view(entry: &Found<'_>, viewing: &Viewing<'_>) -> Alert {
        view(entry, viewing)
    }

    fn filter(parameters: &mut Parameters) -> Result<AlertFilter, RequestError> {
        Ok(AlertFilter {
            metric: parameters
                .take_with("metric", str::parse::<AlertMetric>)?
                .map(|metric| metric.as_str().to_owned()),
            severity: parameters.take_with("severity", str::parse)?,
            enabled: take_enabled(parameters)?,
            origin: take_origin(parameters)?,
        })
    }

    fn fits(filter: &AlertFilter, entry: &Found<'_>) -> bool {
        let alert = entry.value;
        is(filter.metric.as_deref(), alert.metric.as_str())
            && is(filter.severity, alert.severity)
            && is(filter.enabled, alert.enabled)
            && is(filter.origin, entry.origin)
    }

    fn texts<'s>(entry: &Found<'s>) -> Vec<&'s str> {
        let message = entry.value.message.as_deref();
        let texts = [Some(entry.value.metric.as_str()), message];
        texts.into_iter().flatten().collect()
    }

    fn sort_key(entry: &Found<'_>, field: &str, viewing: &Viewing<'_>) -> SortKey {
        let alert = entry.value;
        match field {
            "metric" => SortKey::from(alert.metric.as_str()),
            "severity" => SortKey::from(alert.severity.as_str()),
            "state" => {
                let status = viewing.alerts.get(&alert.name);
                // From well to ill.
                SortKey::Number(
                    match status.map(|status| status.state).unwrap_or_default() {
                        AlertState::Ok => 0,
                        AlertState::Pending => 1,
                        AlertState::Firing => 2,
                    },
                )
            }
            _ => SortKey::Nothing,
        }
    }
}

fn view(entry: &Found<'_>, viewing: &Viewing<'_>) -> Alert {
    let alert = entry.value;
    let declared = entry.declared();
    let (above, below) = match alert.bound {
        AlertBound::Above(threshold) => (Some(threshold.number()), None),
        AlertBound::Below(threshold) => (None, Some(threshold.number())),
    };
    let (url, url_env) = match alert.webhook.as_ref().map(|webhook| &webhook.address) {
        Some(WebhookAddress::Url(url)) => (Some(url.to_string()), None),
        Some(WebhookAddress::Env { variable, .. }) => (None, Some(variable.clone())),
        None => (None, None),
    };
    let secret = alert
        .webhook
        .as_ref()
        .and_then(|webhook| webhook.secret.as_ref());
    let status = viewing.alerts.get(&alert.name);
    let status = status.cloned().unwrap_or_default();
    Alert {
        object: Alerts::KIND.as_str().into(),
        name: alert.name.clone(),
        enabled: alert.enabled,
        metric: alert.metric.as_str().into(),
        above,
        below,
        window_secs: alert.metric.has_window().then_some(alert.window.as_secs()),
        for_secs: alert.lasting.as_secs(),
        model: alert.scope.model.clone(),
        provider: alert.scope.provider.clone(),
        api_key: alert.scope.api_key.clone(),
        account: alert.scope.account.clone(),
        severity: alert.severity,
        webhook_url: url,
        webhook_url_env: url_env,
        webhook_secret_env: secret.map(|secret| secret.variable.clone()),
        message: alert.message.clone(),
        state: status.state,
        since_unix_ms: status.since_unix_ms,
        value: status.value,
        evaluated_at_unix_ms: status.evaluated_at_unix_ms,
        acknowledged: status.acknowledged,
        last_delivery: status.last_delivery,
        origin: declared.origin,
        revision: declared.revision,
        created_at_unix_ms: declared.created_at_unix_ms,
        updated_at_unix_ms: declared.updated_at_unix_ms,
    }
}

pub(super) async fn acknowledge(
    State(gateway): State<Arc<Gateway>>,
    by: By,
    Named(name): Named<ByName>,
    uri: Uri,
    Command(request): Command<AcknowledgeAlert>,
) -> Result<Shown<Alert>, Failure> {
    Parameters::none(&uri)?;
    let by = by.unconditional()?.because(request.reason)?;
    if request
        .silence_secs
        .is_some_and(|secs| !(1..=SILENCE_SECS_MAX).contains(&secs))
    {
        let must = format!("must be from 1 to {SILENCE_SECS_MAX}");
        return Err(Failure(invalid("silence_secs", &must)));
    }
    let name = name.id()?;
    let silence = request.silence_secs.map(Duration::from_secs);
    gateway
        .acknowledge_alert(&name, silence, &by.change)
        .await?;
    shown::<Alerts>(&gateway, &by.caller, &name).await
}

/// What the webhook makes of it is the answer, and no error.
pub(super) async fn test(
    State(gateway): State<Arc<Gateway>>,
    by: By,
    Named(name): Named<ByName>,
    uri: Uri,
    Command(Nothing {}): Command<Nothing>,
) -> Result<Json<AlertDelivery>, Failure> {
    Parameters::none(&uri)?;
    let by = by.unconditional()?;
    let name = name.id()?;
    Ok(Json(gateway.test_alert(&name, &by.change).await?))
}
