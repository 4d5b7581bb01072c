//! Every endpoint of the admin API, one line each: what it answers to, the scope it needs, whose it is, and what answers.

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    handler::Handler,
    middleware,
    routing::{MethodRouter, delete, get, patch, post, put},
};

use super::{
    alerts::{self, Alerts},
    api_keys::{self, ApiKeys},
    audit_events, audit_verify,
    auth::{self, Guard, Layers, Seat},
    backups, budgets, cache, config, config_revisions, dashboard, drain, events,
    gateway_configs::GatewayConfigs,
    in_flight, key_secrets, ledger,
    mcp_servers::McpServers,
    metering_events, metrics,
    models::Models,
    not_yet, openapi,
    policies::Policies,
    policies_dry_run, provider_health, provider_models,
    providers::Providers,
    request_log_facets, request_logs, resources,
    respond::{self, Failure},
    retention,
    routes::Routes,
    routes_explain, status,
    tenants::Tenants,
    timeseries,
    upstreams::Upstreams,
    usage_aggregates,
};
use crate::config::Scope;
use crate::error::{ErrorKind, RequestError};
use crate::gateway::Gateway;

const READ: Scope = Scope::AdminRead;
const WRITE: Scope = Scope::AdminWrite;
const OPERATOR: Seat = Seat::Operator;
const TENANT: Seat = Seat::Tenant;

/// The admin API of one gateway. Requests bring their [`crate::peer::PeerIdentity`] as an extension; one that does
/// not is a stranger.
pub fn router(gateway: Arc<Gateway>) -> Router {
    let layers = Layers::of(Arc::clone(&gateway));
    endpoints(Arc::clone(&layers))
        .fallback(no_such_endpoint)
        .method_not_allowed_fallback(no_such_method)
        .layer(middleware::from_fn_with_state(layers, auth::authenticate))
        // Before the layer that asks who is there: the page holds no data, and asks for the key itself.
        .merge(dashboard::routes())
        .layer(middleware::from_fn_with_state(
            Arc::clone(&gateway),
            respond::finish,
        ))
        .with_state(gateway)
}

/// The table. A POST that changes nothing needs no more than a GET.
#[rustfmt::skip]
fn endpoints(layers: Arc<Layers>) -> Router<Arc<Gateway>> {
    Endpoints::of(layers)
        .get   ("/metrics",                                       READ,  OPERATOR, metrics::show)
        .get   ("/admin/v1/status",                               READ,  OPERATOR, status::show)
        .get   ("/admin/v1/openapi.json",                         READ,  TENANT,   openapi::show)
        .get   ("/admin/v1/events",                               READ,  TENANT,   events::stream)
        .get   ("/admin/v1/timeseries",                           READ,  TENANT,   timeseries::show)
        .get   ("/admin/v1/requests/in-flight",                   READ,  TENANT,   in_flight::list)
        .delete("/admin/v1/requests/in-flight/{id}",              WRITE, TENANT,   in_flight::kill)
        .get   ("/admin/v1/request-logs",                         READ,  TENANT,   request_logs::list)
        .get   ("/admin/v1/request-logs:facets",                  READ,  OPERATOR, request_log_facets::show)
        .get   ("/admin/v1/request-logs/{id}",                    READ,  TENANT,   request_logs::show)
        .get   ("/admin/v1/metering-events",                      READ,  TENANT,   metering_events::list)
        .get   ("/admin/v1/billing-events",                       READ,  TENANT,   metering_events::list)
        .get   ("/admin/v1/usage-aggregates",                     READ,  TENANT,   usage_aggregates::list)
        .post  ("/admin/v1/ledger:reprice",                       WRITE, OPERATOR, ledger::reprice)
        .get   ("/admin/v1/budgets",                              READ,  TENANT,   budgets::list)
        .get   ("/admin/v1/budgets/adjustments",                  READ,  TENANT,   budgets::adjustments)
        .post  ("/admin/v1/budgets/adjustments",                  WRITE, TENANT,   budgets::adjust)
        .get   ("/admin/v1/audit-events",                         READ,  TENANT,   audit_events::list)
        .post  ("/admin/v1/audit:verify",                         READ,  OPERATOR, audit_verify::verify)
        .get   ("/admin/v1/provider-health",                      READ,  OPERATOR, provider_health::list)
        .get   ("/admin/v1/provider-models",                      READ,  OPERATOR, provider_models::list)
        .post  ("/admin/v1/routes:explain",                       READ,  OPERATOR, routes_explain::explain)
        .post  ("/admin/v1/policies:dry-run",                     READ,  OPERATOR, policies_dry_run::run)
        .get   ("/admin/v1/tenants",                              READ,  TENANT,   resources::list::<Tenants>)
        .post  ("/admin/v1/tenants",                              WRITE, TENANT,   resources::create::<Tenants>)
        .get   ("/admin/v1/tenants/{kind}/{id}",                  READ,  TENANT,   resources::show::<Tenants>)
        .put   ("/admin/v1/tenants/{kind}/{id}",                  WRITE, TENANT,   resources::replace::<Tenants>)
        .patch ("/admin/v1/tenants/{kind}/{id}",                  WRITE, TENANT,   resources::merge::<Tenants>)
        .delete("/admin/v1/tenants/{kind}/{id}",                  WRITE, TENANT,   resources::remove::<Tenants>)
        .get   ("/admin/v1/api-keys",                             READ,  TENANT,   resources::list::<ApiKeys>)
        .post  ("/admin/v1/api-keys",                             WRITE, TENANT,   api_keys::create)
        .get   ("/admin/v1/api-keys/{id}",                        READ,  TENANT,   resources::show::<ApiKeys>)
        .put   ("/admin/v1/api-keys/{id}",                        WRITE, TENANT,   resources::replace::<ApiKeys>)
        .patch ("/admin/v1/api-keys/{id}",                        WRITE, TENANT,   resources::merge::<ApiKeys>)
        .delete("/admin/v1/api-keys/{id}",                        WRITE, TENANT,   resources::remove::<ApiKeys>)
        .post  ("/admin/v1/api-keys/{id}/rotate",                 WRITE, TENANT,   key_secrets::rotate)
        .post  ("/admin/v1/api-keys/{id}/disable",                WRITE, TENANT,   api_keys::disable)
        .post  ("/admin/v1/api-keys/{id}/enable",                 WRITE, TENANT,   api_keys::enable)
        .get   ("/admin/v1/policies",                             READ,  TENANT,   resources::list::<Policies>)
        .post  ("/admin/v1/policies",                             WRITE, TENANT,   resources::create::<Policies>)
        .get   ("/admin/v1/policies/{name}",                      READ,  TENANT,   resources::show::<Policies>)
        .put   ("/admin/v1/policies/{name}",                      WRITE, TENANT,   resources::replace::<Policies>)
        .patch ("/admin/v1/policies/{name}",                      WRITE, TENANT,   resources::merge::<Policies>)
        .delete("/admin/v1/policies/{name}",                      WRITE, TENANT,   resources::remove::<Policies>)
        .get   ("/admin/v1/gateway-configs",                      READ,  TENANT,   resources::list::<GatewayConfigs>)
        .post  ("/admin/v1/gateway-configs",                      WRITE, OPERATOR, resources::create::<GatewayConfigs>)
        .get   ("/admin/v1/gateway-configs/{id}",                 READ,  TENANT,   resources::show::<GatewayConfigs>)
        .put   ("/admin/v1/gateway-configs/{id}",                 WRITE, OPERATOR, resources::replace::<GatewayConfigs>)
        .patch ("/admin/v1/gateway-configs/{id}",                 WRITE, OPERATOR, resources::merge::<GatewayConfigs>)
        .delete("/admin/v1/gateway-configs/{id}",                 WRITE, OPERATOR, resources::remove::<GatewayConfigs>)
        .get   ("/admin/v1/providers",                            READ,  OPERATOR, resources::list::<Providers>)
        .post  ("/admin/v1/providers",                            WRITE, OPERATOR, resources::create::<Providers>)
        .get   ("/admin/v1/providers/{name}",                     READ,  OPERATOR, resources::show::<Providers>)
        .put   ("/admin/v1/providers/{name}",                     WRITE, OPERATOR, resources::replace::<Providers>)
        .patch ("/admin/v1/providers/{name}",                     WRITE, OPERATOR, resources::merge::<Providers>)
        .delete("/admin/v1/providers/{name}",                     WRITE, OPERATOR, resources::remove::<Providers>)
        .get   ("/admin/v1/models",                               READ,  TENANT,   resources::list::<Models>)
        .post  ("/admin/v1/models",                               WRITE, OPERATOR, resources::create::<Models>)
        .get   ("/admin/v1/models/{name}",                        READ,  TENANT,   resources::show::<Models>)
        .put   ("/admin/v1/models/{name}",                        WRITE, OPERATOR, resources::replace::<Models>)
        .patch ("/admin/v1/models/{name}",                        WRITE, OPERATOR, resources::merge::<Models>)
        .delete("/admin/v1/models/{name}",                        WRITE, OPERATOR, resources::remove::<Models>)
        .get   ("/admin/v1/upstreams",                            READ,  OPERATOR, resources::list::<Upstreams>)
        .post  ("/admin/v1/upstreams",                            WRITE, OPERATOR, resources::create::<Upstreams>)
        .get   ("/admin/v1/upstreams/{name}",                     READ,  OPERATOR, resources::show::<Upstreams>)
        .put   ("/admin/v1/upstreams/{name}",                     WRITE, OPERATOR, resources::replace::<Upstreams>)
        .patch ("/admin/v1/upstreams/{name}",                     WRITE, OPERATOR, resources::merge::<Upstreams>)
        .delete("/admin/v1/upstreams/{name}",                     WRITE, OPERATOR, resources::remove::<Upstreams>)
        .get   ("/admin/v1/routes",                               READ,  OPERATOR, resources::list::<Routes>)
        .post  ("/admin/v1/routes",                               WRITE, OPERATOR, resources::create::<Routes>)
        .get   ("/admin/v1/routes/{name}",                        READ,  OPERATOR, resources::show::<Routes>)
        .put   ("/admin/v1/routes/{name}",                        WRITE, OPERATOR, resources::replace::<Routes>)
        .patch ("/admin/v1/routes/{name}",                        WRITE, OPERATOR, resources::merge::<Routes>)
        .delete("/admin/v1/routes/{name}",                        WRITE, OPERATOR, resources::remove::<Routes>)
        .get   ("/admin/v1/mcp-servers",                          READ,  OPERATOR, resources::list::<McpServers>)
        .post  ("/admin/v1/mcp-servers",                          WRITE, OPERATOR, resources::create::<McpServers>)
        .get   ("/admin/v1/mcp-servers/{name}",                   READ,  OPERATOR, resources::show::<McpServers>)
        .put   ("/admin/v1/mcp-servers/{name}",                   WRITE, OPERATOR, resources::replace::<McpServers>)
        .patch ("/admin/v1/mcp-servers/{name}",                   WRITE, OPERATOR, resources::merge::<McpServers>)
        .delete("/admin/v1/mcp-servers/{name}",                   WRITE, OPERATOR, resources::remove::<McpServers>)
        .get   ("/admin/v1/alerts",                               READ,  OPERATOR, resources::list::<Alerts>)
        .post  ("/admin/v1/alerts",                               WRITE, OPERATOR, resources::create::<Alerts>)
        .get   ("/admin/v1/alerts/{name}",                        READ,  OPERATOR, resources::show::<Alerts>)
        .put   ("/admin/v1/alerts/{name}",                        WRITE, OPERATOR, resources::replace::<Alerts>)
        .patch ("/admin/v1/alerts/{name}",                        WRITE, OPERATOR, resources::merge::<Alerts>)
        .delete("/admin/v1/alerts/{name}",                        WRITE, OPERATOR, resources::remove::<Alerts>)
        .post  ("/admin/v1/alerts/{name}/acknowledge",            WRITE, OPERATOR, alerts::acknowledge)
        .post  ("/admin/v1/alerts/{name}/test",                   WRITE, OPERATOR, alerts::test)
        .get   ("/admin/v1/cache",                                READ,  OPERATOR, cache::show)
        .post  ("/admin/v1/cache:purge",                          WRITE, OPERATOR, cache::purge)
        .get   ("/admin/v1/config",                               READ,  OPERATOR, config::show)
        .post  ("/admin/v1/config:diff",                          READ,  OPERATOR, config::diff)
        .post  ("/admin/v1/config/validate",                      READ,  OPERATOR, config::validate)
        .post  ("/admin/v1/config/reload",                        WRITE, OPERATOR, config::reload)
        .get   ("/admin/v1/config/export",                        WRITE, OPERATOR, config::export)
        .post  ("/admin/v1/config/import",                        WRITE, OPERATOR, config::import)
        .get   ("/admin/v1/config/revisions",                     READ,  OPERATOR, config_revisions::list)
        .get   ("/admin/v1/config/revisions/{revision}",          READ,  OPERATOR, config_revisions::show)
        .post  ("/admin/v1/config/revisions/{revision}/rollback", WRITE, OPERATOR, config_revisions::rollback)
        .get   ("/admin/v1/drain",                                READ,  OPERATOR, drain::show)
        .post  ("/admin/v1/drain",                                WRITE, OPERATOR, drain::set)
        .delete("/admin/v1/drain",                                WRITE, OPERATOR, drain::end)
        .get   ("/admin/v1/backups",                              READ,  OPERATOR, backups::list)
        .post  ("/admin/v1/backups",                              WRITE, OPERATOR, backups::create)
        .post  ("/admin/v1/backups:prune",                        WRITE, OPERATOR, backups::prune)
        .get   ("/admin/v1/backups/{name}",                       READ,  OPERATOR, backups::show)
        .delete("/admin/v1/backups/{name}",                       WRITE, OPERATOR, backups::remove)
        .post  ("/admin/v1/backups/{name}/verify",                WRITE, OPERATOR, backups::verify)
        .get   ("/admin/v1/retention",                            READ,  OPERATOR, retention::list)
        .get   ("/admin/v1/extensions",                           READ,  OPERATOR, not_yet::answer)
        .get   ("/admin/v1/tools",                                READ,  OPERATOR, not_yet::answer)
        .get   ("/admin/v1/tool-sessions/{id}",                   READ,  OPERATOR, not_yet::answer)
        .get   ("/admin/v1/mcp-sessions",                         READ,  OPERATOR, not_yet::answer)
        .get   ("/admin/v1/metering-export-status",               READ,  OPERATOR, not_yet::answer)
        .router
}

/// Endpoints that are being put together, each behind the check of its scope and seat.
struct Endpoints {
    layers: Arc<Layers>,
    router: Router<Arc<Gateway>>,
}

macro_rules! methods {
    ($($method:ident)*) => {$(
        fn $method<H, T>(self, path: &str, scope: Scope, seat: Seat, handler: H) -> Self
        where
            H: Handler<T, Arc<Gateway>>,
            T: 'static,
        {
            self.add(path, (scope, seat), $method(handler))
        }
    )*};
}

impl Endpoints {
    fn of(layers: Arc<Layers>) -> Self {
        Self {
            layers,
            router: Router::new(),
        }
    }

    methods! { get post put patch delete }

    fn add(
        self,
        path: &str,
        (scope, seat): (Scope, Seat),
        endpoint: MethodRouter<Arc<Gateway>>,
    ) -> Self {
        let guard = Guard {
            layers: Arc::clone(&self.layers),
            scope,
            seat,
        };
        let guarded = endpoint.route_layer(middleware::from_fn_with_state(guard, auth::authorize));
        Self {
            router: self.router.route(path, guarded),
            layers: self.layers,
        }
    }
}

async fn no_such_endpoint(request: Request) -> Failure {
    Failure(RequestError::new(
        ErrorKind::RouteNotFound,
        format!("The admin API has no endpoint `{}`.", request.uri().path()),
    ))
}

async fn no_such_method(request: Request) -> Failure {
    Failure(RequestError::new(
        ErrorKind::MethodNotAllowed,
        format!(
            "`{}` does not take {}.",
            request.uri().path(),
            request.method()
        ),
    ))
}
