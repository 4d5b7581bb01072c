//! `/admin/v1/policies` and `/{name}`: the rules that deny, in the order they are asked in. A name may hold spaces,
//! which stand percent-encoded in the path.

use std::sync::Arc;

use axum::{Json, extract::State};
use ferrogate_api::{Deleted, Page, Policy, PolicyWhen, decimal_of_nanos};
use http::{StatusCode, Uri};
use jiff::civil::Weekday;
use serde_json::{Map, Value};

use super::{
    body::Document,
    caller::Caller,
    path::Named,
    query::Parameters,
    resources::{Declared, Paging, name_in, set_name},
    respond::{Failure, not_found},
};
use crate::config::{self, HourRange, PolicyCondition};
use crate::gateway::{Gateway, PutMode, PutResource, Snapshot};
use crate::store::ResourceKind;

const KIND: ResourceKind = ResourceKind::Policy;
const OBJECT: &str = "policy";

/// The first of them that matches a request decides, so they are listed in that order.
pub(super) async fn list(
    State(gateway): State<Arc<Gateway>>,
    uri: Uri,
) -> Result<Json<Page<Policy>>, Failure> {
    let snapshot = gateway.snapshot();
    let mut parameters = Parameters::of(&uri)?;
    let paging = Paging::take(&mut parameters, &snapshot.config.admin)?;
    parameters.finish()?;
    let policies = all(&snapshot).map(|(policy, declared)| (&policy.name, (policy, declared)));
    let (page, next_cursor) = paging.in_order(policies.collect())?;
    let page = page.into_iter();
    let data = page.map(|(policy, declared)| view(policy, declared));
    Ok(Json(Page::new(data.collect(), next_cursor)))
}

pub(super) async fn show(
    State(gateway): State<Arc<Gateway>>,
    Named(name): Named<String>,
    uri: Uri,
) -> Result<Json<Policy>, Failure> {
    Parameters::none(&uri)?;
    shown(&gateway.snapshot(), &name)
}

pub(super) async fn create(
    State(gateway): State<Arc<Gateway>>,
    caller: Caller,
    uri: Uri,
    Document(document): Document,
) -> Result<(StatusCode, Json<Policy>), Failure> {
    Parameters::none(&uri)?;
    let name = name_in(&document, "name")?;
    let made = put(&gateway, &caller, name, document, PutMode::Create).await?;
    Ok((StatusCode::CREATED, made))
}

/// What the body leaves out gets its default.
pub(super) async fn replace(
    State(gateway): State<Arc<Gateway>>,
    caller: Caller,
    Named(name): Named<String>,
    uri: Uri,
    Document(document): Document,
) -> Result<Json<Policy>, Failure> {
    Parameters::none(&uri)?;
    put(&gateway, &caller, name, document, PutMode::Replace).await
}

/// What the body leaves out stays, and what is null there goes (RFC 7396, one level deep).
pub(super) async fn merge(
    State(gateway): State<Arc<Gateway>>,
    caller: Caller,
    Named(name): Named<String>,
    uri: Uri,
    Document(document): Document,
) -> Result<Json<Policy>, Failure> {
    Parameters::none(&uri)?;
    put(&gateway, &caller, name, document, PutMode::Merge).await
}

pub(super) async fn remove(
    State(gateway): State<Arc<Gateway>>,
    caller: Caller,
    Named(name): Named<String>,
    uri: Uri,
) -> Result<Json<Deleted>, Failure> {
    Parameters::none(&uri)?;
    gateway
        .delete_resource(KIND, &name, &caller.actor())
        .await?;
    Ok(Json(Deleted::of(OBJECT, name)))
}

async fn put(
    gateway: &Gateway,
    caller: &Caller,
    name: String,
    mut document: Map<String, Value>,
    mode: PutMode,
) -> Result<Json<Policy>, Failure> {
    set_name(&mut document, "name", &name)?;
    let put = PutResource {
        kind: KIND,
        id: name.clone(),
        document: Value::Object(document),
        mode,
        actor: caller.actor(),
    };
    gateway.put_resource(put).await?;
    shown(&gateway.snapshot(), &name)
}

/// Those of the file, then those of the database.
fn all(snapshot: &Snapshot) -> impl Iterator<Item = (&config::Policy, Declared)> {
    let file = snapshot.config.policies.iter();
    let file = file.map(|policy| (&**policy, Declared::of(None)));
    let managed = snapshot.managed.policies.iter();
    file.chain(managed.map(|policy| (&*policy.value, Declared::of(Some(&policy.resource)))))
}

fn shown(snapshot: &Snapshot, name: &str) -> Result<Json<Policy>, Failure> {
    let found = all(snapshot).find(|(policy, _)| *policy.name == *name);
    found
        .map(|(policy, declared)| Json(view(policy, declared)))
        .ok_or_else(|| not_found("policy", name))
}

fn view(policy: &config::Policy, declared: Declared) -> Policy {
    Policy {
        object: OBJECT.into(),
        name: policy.name.clone(),
        effect: "deny".into(),
        enabled: policy.enabled,
        organization_ids: policy.organization_ids.clone(),
        team_ids: policy.team_ids.clone(),
        project_ids: policy.project_ids.clone(),
        user_ids: policy.user_ids.clone(),
        api_key_ids: policy.api_key_ids.clone(),
        models: policy.models.clone(),
        providers: policy.providers.clone(),
        code: policy.code.clone(),
        message: policy.message.clone(),
        when: policy.when.as_ref().map(when),
        origin: declared.origin,
        revision: declared.revision,
        created_at_unix_ms: declared.created_at_unix_ms,
        updated_at_unix_ms: declared.updated_at_unix_ms,
    }
}

fn when(condition: &PolicyCondition) -> PolicyWhen {
    PolicyWhen {
        hours: condition.hours.map(hours),
        days: condition
            .days
            .iter()
            .map(|day| word(*day).to_owned())
            .collect(),
        time_zone: condition.time_zone.iana_name().map(ToOwned::to_owned),
        estimated_tokens_above: condition.estimated_tokens_above,
        estimated_cost_above: condition.estimated_cost_above_nanos.map(decimal_of_nanos),
        streaming: condition.streaming,
    }
}

fn hours(range: HourRange) -> String {
    let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    format!("{}-{}", clock(range.from_minute), clock(range.to_minute))
}

fn word(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "mon",
        Weekday::Tuesday => "tue",
        Weekday::Wednesday => "wed",
        Weekday::Thursday => "thu",
        Weekday::Friday => "fri",
        Weekday::Saturday => "sat",
        Weekday::Sunday => "sun",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_written_as_the_configuration_reads_them() {
        let check = |from_minute, to_minute, expected| {
            let range = HourRange {
                from_minute,
                to_minute,
            };
            assert_eq!(hours(range), expected);
        };
        check(22 * 60, 6 * 60 + 30, "22:00-06:30");
        check(0, 24 * 60, "00:00-24:00");
    }
}
