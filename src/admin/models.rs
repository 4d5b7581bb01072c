//! `/admin/v1/models` and `/{name}`: the names that clients ask for, and who answers for each. The admin of a tenant
//! sees those that the tenant's keys may use.

use std::{borrow::Cow, sync::Arc};

use ferrogate_api::{
    LongContextPrice, Model, ModelFallback, ModelFilter, ModelPrice, decimal_of_nanos,
};

use super::{
    listing::SortKey,
    query::Parameters,
    realm::Realm,
    resources::{
        AdminResource, ByName, Entry, Viewing, as_in_force, entries, is, take_enabled, take_origin,
    },
};
use crate::config::{self, Capability, TenantKind};
use crate::error::RequestError;
use crate::gateway::Snapshot;
use crate::store::ResourceKind;

/// `[[models]]`.
pub(super) struct Models;

type Found<'s> = Entry<'s, &'s config::Model>;

impl AdminResource for Models {
    const KIND: ResourceKind = ResourceKind::Model;
    const NOUN: &'static str = "model";
    const SORTS: &'static [&'static str] = &["name", "provider", "created_at", "updated_at"];

    type Name = ByName;
    type Value<'s> = &'s config::Model;
    type View = Model;
    type Filter = ModelFilter;

    fn all(snapshot: &Snapshot) -> Vec<Found<'_>> {
        let managed = &snapshot.managed.models;
        let all = entries(&snapshot.file.models, managed, |model| {
            Cow::Borrowed(&*model.name)
        });
        as_in_force(all, &snapshot.config.models, |model| &model.name)
    }

    fn view(entry: &Found<'_>, viewing: &Viewing<'_>) -> Model {
        let mut view = view(entry);
        let realm = viewing.caller.realm();
        if !realm.is_everything() {
            hide_others(&mut view, &realm, viewing.snapshot);
        }
        view
    }

    fn filter(parameters: &mut Parameters) -> Result<ModelFilter, RequestError> {
        Ok(ModelFilter {
            provider: parameters.take("provider")?,
            capability: parameters.take_with("capability", |word| {
                match Capability::WORDS.iter().any(|(known, _)| *known == word) {
                    true => Ok(word.to_owned()),
                    false => Err("must be a word of `capabilities`".to_owned()),
                }
            })?,
            enabled: take_enabled(parameters)?,
            origin: take_origin(parameters)?,
        })
    }

    fn fits(filter: &ModelFilter, entry: &Found<'_>) -> bool {
        let model = entry.value;
        let serves = |provider: &str| {
            let mut fallbacks = model.fallbacks.iter();
            *model.provider == *provider || fallbacks.any(|one| *one.provider == *provider)
        };
        let has = |word: &str| model.capabilities.iter().any(|one| one.as_str() == word);
        filter.provider.as_deref().is_none_or(serves)
            && filter.capability.as_deref().is_none_or(has)
            && is(filter.enabled, model.enabled)
            && is(filter.origin, entry.origin)
    }

    fn texts<'s>(entry: &Found<'s>) -> Vec<&'s str> {
        let model = entry.value;
        let own = [&*model.provider, &*model.provider_model];
        let fallbacks = model
            .fallbacks
            .iter()
            .flat_map(|one| [&*one.provider, &*one.provider_model]);
        own.into_iter().chain(fallbacks).collect()
    }

    fn sort_key(entry: &Found<'_>, field: &str, _: &Viewing<'_>) -> SortKey {
        match field {
            "provider" => SortKey::from(&*entry.value.provider),
            _ => SortKey::Nothing,
        }
    }

    fn is_visible(entry: &Found<'_>, viewing: &Viewing<'_>) -> bool {
        let realm = viewing.caller.realm();
        if realm.is_everything() {
            return true;
        }
        let model = entry.value;
        let lists = |ids: &[Arc<str>], own: Option<&Arc<str>>| {
            ids.is_empty() || own.is_some_and(|own| ids.contains(own))
        };
        let mut keys = viewing.snapshot.rules.keys.all().iter();
        keys.any(|key| {
            let tenant = key.tenant();
            realm.covers(tenant)
                && key.allows_model(&model.name)
                && lists(
                    &model.visible_organization_ids,
                    tenant.organization_id.as_ref(),
                )
                && lists(&model.visible_project_ids, tenant.project_id.as_ref())
        })
    }
}

/// Who else may use a model is not for a tenant to know.
fn hide_others(view: &mut Model, realm: &Realm, snapshot: &Snapshot) {
    let own =
        |kind, id: &str| realm.names_tenant(kind, id) || realm.sees_tenant(snapshot, kind, id);
    view.visible_organization_ids
        .retain(|id| own(TenantKind::Organization, id));
    view.visible_project_ids
        .retain(|id| own(TenantKind::Project, id));
}

fn view(entry: &Found<'_>) -> Model {
    let model = entry.value;
    let declared = entry.declared();
    Model {
        object: Models::KIND.as_str().into(),
        name: model.name.clone(),
        provider: model.provider.clone(),
        provider_model: model.provider_model.clone(),
        enabled: model.enabled,
        capabilities: words(&model.capabilities),
        price: price(model.price, model.has_own_price),
        default_max_output_tokens: model.default_max_output_tokens,
        priority: model.priority,
        weight: model.weight,
        context_window: model.context_window,
        routing_strategy: model.routing_strategy.as_str().to_owned(),
        visible_organization_ids: model.visible_organization_ids.clone(),
        visible_project_ids: model.visible_project_ids.clone(),
        fallbacks: model.fallbacks.iter().map(fallback).collect(),
        cache_enabled: model.cache_enabled,
        origin: declared.origin,
        revision: declared.revision,
        created_at_unix_ms: declared.created_at_unix_ms,
        updated_at_unix_ms: declared.updated_at_unix_ms,
    }
}

fn fallback(fallback: &config::Fallback) -> ModelFallback {
    ModelFallback {
        provider: fallback.provider.clone(),
        provider_model: fallback.provider_model.clone(),
        enabled: fallback.enabled,
        price: price(fallback.price, fallback.has_own_price),
        priority: fallback.priority,
        weight: fallback.weight,
        context_window: fallback.context_window,
        capabilities: fallback.capabilities.as_deref().map(words),
        default_max_output_tokens: fallback.default_max_output_tokens,
    }
}

fn words(capabilities: &[Capability]) -> Vec<String> {
    let words = capabilities.iter().map(|capability| capability.as_str());
    words.map(ToOwned::to_owned).collect()
}

fn price(price: Option<config::Price>, is_own: bool) -> ModelPrice {
    let Some(price) = price else {
        return ModelPrice::default();
    };
    ModelPrice {
        input_price_per_1m: Some(decimal(price.input_micros_per_million)),
        output_price_per_1m: Some(decimal(price.output_micros_per_million)),
        cache_read_price_per_1m: price.cache_read_micros_per_million.map(decimal),
        cache_write_price_per_1m: price.cache_write_micros_per_million.map(decimal),
        price_from_catalog: !is_own,
        long_context: price.long_context.map(|long| LongContextPrice {
            above_input_tokens: long.above_input_tokens,
            input_price_per_1m: decimal(long.input_micros_per_million),
            output_price_per_1m: decimal(long.output_micros_per_million),
            cache_read_price_per_1m: long.cache_read_micros_per_million.map(decimal),
            cache_write_price_per_1m: long.cache_write_micros_per_million.map(decimal),
        }),
    }
}

/// The configuration takes at most a thousand million units, of which there are enough nano-units.
fn decimal(micros: u64) -> String {
    let nanos = i64::try_from(micros)
        .unwrap_or(i64::MAX)
        .saturating_mul(1000);
    decimal_of_nanos(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_told_as_it_was_declared() {
        let check = |micros, expected: &str| assert_eq!(decimal(micros), expected);
        check(150_000, "0.15");
        check(3_000_000, "3");
        check(0, "0");
        check(1, "0.000001");
        check(1_000_000_000_000_000, "1000000000");
        assert_eq!(price(None, false), ModelPrice::default());
    }
}
