//! Every endpoint of the admin API, one line each: what it answers to, the scope it needs, and what answers.

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    handler::Handler,
    middleware,
    routing::{MethodRouter, delete, get, patch, post, put},
};

use super::{
    api_keys, audit_events,
    auth::{self, Guard},
    budgets, cache, events, gateway_configs, key_secrets, ledger, metering_events, metrics,
    policies, policies_dry_run, provider_health, provider_models, request_logs,
    respond::{self, Failure},
    routes_explain, status, tenants, usage_aggregates,
};
use crate::config::Scope;
use crate::error::{ErrorKind, RequestError};
use crate::gateway::Gateway;

const READ: Scope = Scope::AdminRead;
const WRITE: Scope = Scope::AdminWrite;

/// The admin API of one gateway. Requests bring their [`crate::peer::PeerIdentity`] as an extension; one that does
/// not is a stranger.
pub fn router(gateway: Arc<Gateway>) -> Router {
    endpoints(Arc::clone(&gateway))
        .fallback(no_such_endpoint)
        .method_not_allowed_fallback(no_such_method)
        .layer(middleware::from_fn_with_state(
            Arc::clone(&gateway),
            auth::authenticate,
        ))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&gateway),
            respond::finish,
        ))
        .with_state(gateway)
}

/// The table. A POST that changes nothing needs no more than a GET.
#[rustfmt::skip]
fn endpoints(gateway: Arc<Gateway>) -> Router<Arc<Gateway>> {
    Endpoints::of(gateway)
        .get   ("/metrics",                           READ,  metrics::show)
        .get   ("/admin/v1/status",                   READ,  status::show)
        .get   ("/admin/v1/events",                   READ,  events::stream)
        .get   ("/admin/v1/request-logs",             READ,  request_logs::list)
        .get   ("/admin/v1/request-logs/{id}",        READ,  request_logs::show)
        .get   ("/admin/v1/metering-events",          READ,  metering_events::list)
        .get   ("/admin/v1/usage-aggregates",         READ,  usage_aggregates::list)
        .post  ("/admin/v1/ledger:reprice",           WRITE, ledger::reprice)
        .get   ("/admin/v1/audit-events",             READ,  audit_events::list)
        .get   ("/admin/v1/provider-health",          READ,  provider_health::list)
        .get   ("/admin/v1/provider-models",          READ,  provider_models::list)
        .post  ("/admin/v1/routes:explain",           READ,  routes_explain::explain)
        .get   ("/admin/v1/api-keys",                 READ,  api_keys::list)
        .post  ("/admin/v1/api-keys",                 WRITE, api_keys::create)
        .get   ("/admin/v1/api-keys/{id}",            READ,  api_keys::show)
        .put   ("/admin/v1/api-keys/{id}",            WRITE, api_keys::replace)
        .patch ("/admin/v1/api-keys/{id}",            WRITE, api_keys::merge)
        .delete("/admin/v1/api-keys/{id}",            WRITE, api_keys::remove)
        .post  ("/admin/v1/api-keys/{id}/rotate",     WRITE, key_secrets::rotate)
        .post  ("/admin/v1/api-keys/{id}/disable",    WRITE, api_keys::disable)
        .post  ("/admin/v1/api-keys/{id}/enable",     WRITE, api_keys::enable)
        .get   ("/admin/v1/tenants",                  READ,  tenants::list)
        .post  ("/admin/v1/tenants",                  WRITE, tenants::create)
        .get   ("/admin/v1/tenants/{kind}/{id}",      READ,  tenants::show)
        .put   ("/admin/v1/tenants/{kind}/{id}",      WRITE, tenants::replace)
        .patch ("/admin/v1/tenants/{kind}/{id}",      WRITE, tenants::merge)
        .delete("/admin/v1/tenants/{kind}/{id}",      WRITE, tenants::remove)
        .get   ("/admin/v1/policies",                 READ,  policies::list)
        .post  ("/admin/v1/policies",                 WRITE, policies::create)
        .post  ("/admin/v1/policies:dry-run",         READ,  policies_dry_run::run)
        .get   ("/admin/v1/policies/{name}",          READ,  policies::show)
        .put   ("/admin/v1/policies/{name}",          WRITE, policies::replace)
        .patch ("/admin/v1/policies/{name}",          WRITE, policies::merge)
        .delete("/admin/v1/policies/{name}",          WRITE, policies::remove)
        .get   ("/admin/v1/gateway-configs",          READ,  gateway_configs::list)
        .post  ("/admin/v1/gateway-configs",          WRITE, gateway_configs::create)
        .get   ("/admin/v1/gateway-configs/{id}",     READ,  gateway_configs::show)
        .put   ("/admin/v1/gateway-configs/{id}",     WRITE, gateway_configs::replace)
        .patch ("/admin/v1/gateway-configs/{id}",     WRITE, gateway_configs::merge)
        .delete("/admin/v1/gateway-configs/{id}",     WRITE, gateway_configs::remove)
        .get   ("/admin/v1/budgets",                  READ,  budgets::list)
        .get   ("/admin/v1/budgets/adjustments",      READ,  budgets::adjustments)
        .post  ("/admin/v1/budgets/adjustments",      WRITE, budgets::adjust)
        .get   ("/admin/v1/cache",                    READ,  cache::show)
        .post  ("/admin/v1/cache:purge",              WRITE, cache::purge)
        .router
}

/// Endpoints that are being put together, each behind the check of its scope.
struct Endpoints {
    gateway: Arc<Gateway>,
    router: Router<Arc<Gateway>>,
}

macro_rules! methods {
    ($($method:ident)*) => {$(
        fn $method<H, T>(self, path: &str, scope: Scope, handler: H) -> Self
        where
            H: Handler<T, Arc<Gateway>>,
            T: 'static,
        {
            self.add(path, scope, $method(handler))
        }
    )*};
}

impl Endpoints {
    fn of(gateway: Arc<Gateway>) -> Self {
        Self {
            gateway,
            router: Router::new(),
        }
    }

    methods! { get post put patch delete }

    fn add(self, path: &str, scope: Scope, endpoint: MethodRouter<Arc<Gateway>>) -> Self {
        let guard = Guard {
            gateway: Arc::clone(&self.gateway),
            scope,
        };
        let guarded = endpoint.route_layer(middleware::from_fn_with_state(guard, auth::authorize));
        Self {
            router: self.router.route(path, guarded),
            gateway: self.gateway,
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
