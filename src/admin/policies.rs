//! `/admin/v1/policies` and `/{name}`: the rules that deny, in the order they are asked in. A name may hold spaces,
//! which stand percent-encoded in the path.

use std::borrow::Cow;

use ferrogate_api::{Policy, PolicyFilter, PolicyWhen, decimal_of_nanos};
use serde_json::{Map, Value};

use super::{
    listing::SortKey,
    may_write::Draft,
    policy_selectors::PolicySelectors,
    query::Parameters,
    resources::{
        AdminResource, ByName, Entry, Viewing, Write, entries, is, take_enabled, take_origin,
    },
};
use crate::config::{self, HourRange, PolicyCondition};
use crate::error::RequestError;
use crate::gateway::Snapshot;
use crate::store::ResourceKind;

/// `[[policies]]`.
pub(super) struct Policies;

type Found<'s> = Entry<'s, &'s config::Policy>;

impl AdminResource for Policies {
    const KIND: ResourceKind = ResourceKind::Policy;
    const NOUN: &'static str = "policy";
    /// The first of them that matches a request decides, so they are listed in that order.
    const SORTS: &'static [&'static str] = &["order", "name", "created_at", "updated_at"];

    type Name = ByName;
    type Value<'s> = &'s config::Policy;
    type View = Policy;
    type Filter = PolicyFilter;

    fn all(snapshot: &Snapshot) -> Vec<Found<'_>> {
        let file = snapshot.file.policies.iter().map(|policy| &**policy);
        let managed = &snapshot.managed.policies;
        entries(file, managed, |policy| Cow::Borrowed(&*policy.name))
    }

    fn view(entry: &Found<'_>, _: &Viewing<'_>) -> Policy {
        view(entry)
    }

    fn filter(parameters: &mut Parameters) -> Result<PolicyFilter, RequestError> {
        Ok(PolicyFilter {
            enabled: take_enabled(parameters)?,
            origin: take_origin(parameters)?,
        })
    }

    fn fits(filter: &PolicyFilter, entry: &Found<'_>) -> bool {
        is(filter.enabled, entry.value.enabled) && is(filter.origin, entry.origin)
    }

    fn texts<'s>(entry: &Found<'s>) -> Vec<&'s str> {
        let policy = entry.value;
        let lists = [
            &policy.organization_ids,
            &policy.team_ids,
            &policy.project_ids,
            &policy.user_ids,
            &policy.api_key_ids,
            &policy.models,
            &policy.providers,
        ];
        let named = lists.into_iter().flatten().map(|name| &**name);
        named.chain([&*policy.message]).collect()
    }

    fn sort_key(entry: &Found<'_>, field: &str, _: &Viewing<'_>) -> SortKey {
        match field {
            "order" => SortKey::Number(entry.place),
            _ => SortKey::Nothing,
        }
    }

    fn is_visible(entry: &Found<'_>, viewing: &Viewing<'_>) -> bool {
        let realm = viewing.caller.realm();
        realm.is_everything()
            || realm.covers_policy(viewing.snapshot, &PolicySelectors::of(entry.value))
    }

    fn prepare(
        document: &mut Map<String, Value>,
        before: Option<&Found<'_>>,
        write: &Write<'_>,
    ) -> Result<(), RequestError> {
        let draft = Draft {
            document,
            mode: write.mode,
        };
        let before = before.map(|entry| entry.value);
        write
            .caller
            .may_write_policy(write.snapshot, before, Some(&draft))
    }

    fn may_remove(entry: &Found<'_>, write: &Write<'_>) -> Result<(), RequestError> {
        write
            .caller
            .may_write_policy(write.snapshot, Some(entry.value), None)
    }
}

fn view(entry: &Found<'_>) -> Policy {
    let policy = entry.value;
    let declared = entry.declared();
    Policy {
        object: Policies::KIND.as_str().into(),
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
            .map(|day| config::day_word(*day).to_owned())
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
