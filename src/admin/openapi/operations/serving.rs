//! Who answers AI requests: providers, models and the cache.

use ferrogate_api::{
    CachePurge, CachePurged, CacheStats, ExplainRequest, Explanation, Model, ModelDocument,
    ModelFilter, Provider, ProviderCatalogue, ProviderDocument, ProviderFilter, ProviderHealth,
    ResourceQuery,
};

use utoipa::openapi::path::Parameter;

use super::super::{
    endpoint::Endpoint,
    information::{CACHE, MODELS, PROVIDERS},
    parameters,
    resource::{Resource, sort},
};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let mut all = providers();
    all.extend(models());
    all.extend(cache());
    all
}

fn providers() -> Vec<Endpoint> {
    let name = parameters::name("name", "The provider's name.", "elsewhere");
    let mut all = Resource {
        path: "/admin/v1/providers",
        tag: PROVIDERS,
        ids: ("Provider", "Providers"),
        nouns: ("a provider", "providers"),
        name: ("{name}", vec![name], &["name"]),
        sorts: &["name", "kind", "created_at", "updated_at"],
        about: (
            "Without their secrets.",
            "The body may bring the secret itself as `api_key`: it is sealed before it goes anywhere, and no answer, log \
             or export has it in clear again. Or it says where the gateway finds it.",
        ),
        operators: (true, true),
    }
    .endpoints::<Provider, ProviderDocument, ProviderFilter, Provider>();
    all.push(
        Endpoint::get(
            "/admin/v1/provider-health",
            "listProviderHealth",
            "List how providers do",
        )
        .tag(PROVIDERS)
        .operators()
        .about("What the requests of late have shown of each: its circuit breaker, its models and its credentials. Nothing is probed for it.")
        .query::<ResourceQuery>()
        .with(sort(&["name"], "name"))
        .with(provider())
        .lists::<ProviderHealth>("A page of them.")
        .may_fail(&[404]),
    );
    all.push(
        Endpoint::get(
            "/admin/v1/provider-models",
            "listProviderModels",
            "List what providers offer",
        )
        .tag(PROVIDERS)
        .operators()
        .about("Each provider's own list of models, asked for now. What cannot be read says why in its entry.")
        .with(provider())
        .lists::<ProviderCatalogue>("One entry for each provider.")
        .may_fail(&[404]),
    );
    all
}

fn provider() -> Parameter {
    parameters::text_in_query("provider", "The name of the provider that is asked for.")
}

fn models() -> Vec<Endpoint> {
    let name = parameters::name("name", "The model's name. A slash is `%2F`.", "drafts");
    let mut all = Resource {
        path: "/admin/v1/models",
        tag: MODELS,
        ids: ("Model", "Models"),
        nouns: ("a model", "models"),
        name: ("{name}", vec![name], &["name"]),
        sorts: &["name", "provider", "created_at", "updated_at"],
        about: (
            "The names that clients ask for, and who answers for each. A key that belongs to a tenant is shown those that \
             the tenant's keys may use.",
            "Its providers have to be there.",
        ),
        operators: (false, true),
    }
    .endpoints::<Model, ModelDocument, ModelFilter, Model>();
    all.push(
        Endpoint::post(
            "/admin/v1/routes:explain",
            "explainRoute",
            "Say what would become of a request",
        )
        .tag(MODELS)
        .operators()
        .about(
            "Who would be asked now, in which order, who is passed over and why; or the error that it would be answered \
             with before anybody was asked. It is not made.",
        )
        .body::<ExplainRequest>("The request.")
        .answers::<Explanation>("What would become of it.")
        .may_fail(&[404]),
    );
    all
}

fn cache() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/admin/v1/cache", "getCache", "Show how full the cache is")
            .tag(CACHE)
            .operators()
            .answers::<CacheStats>("What it holds, and what it has done since the start."),
        Endpoint::post(
            "/admin/v1/cache:purge",
            "purgeCache",
            "Take answers out of the cache",
        )
        .tag(CACHE)
        .operators()
        .writes()
        .about("Exactly one of `model`, `account` and `all`.")
        .body::<CachePurge>("Which ones.")
        .answers::<CachePurged>("They are gone."),
    ]
}
