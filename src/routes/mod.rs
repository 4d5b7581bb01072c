//! Which request goes where: host, method, path and headers → [`Target`]. Knows nothing of Pingora.
//!
//! Built-in endpoints come first and cannot be shadowed; then the configured routes, in the order they were declared.
//! Paths are compared in the normal form of [`path`], prefixes by whole segments.

mod endpoint;
pub mod path;
mod pool;

pub use endpoint::{Endpoint, Surface};
pub use pool::{Pick, Pool, Server};

use std::{collections::HashMap, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::config;
use crate::error::{ErrorKind, RequestError};

/// Who answers a request.
#[derive(Debug, Clone)]
pub enum Target {
    Health,
    Ready,
    Models,
    /// One model, by its name.
    Model(String),
    Ai(Endpoint),
    /// Gemini's way: the model is in the path.
    AiModel(String, Endpoint),
    /// A response that was kept, by its id.
    StoredResponse(String),
    /// The admin router; it has paths and methods of its own.
    Admin,
    Route(Arc<Route>),
}

/// One `[[routes]]` entry, ready to use.
#[derive(Debug)]
pub struct Route {
    pub name: Arc<str>,
    pub pool: Arc<Pool>,
    /// Without a slash at the end; empty when nothing is stripped or added.
    pub strip_prefix: String,
    pub add_prefix: String,
    /// Set on the way, replacing what was there. Secret values are marked sensitive.
    pub request_headers: Vec<(HeaderName, HeaderValue)>,
    pub response_headers: Vec<(HeaderName, HeaderValue)>,
    hosts: Vec<String>,
    prefixes: Vec<String>,
    match_headers: Vec<(HeaderName, HeaderValue)>,
    public: bool,
    adds_secret: bool,
}

impl Route {
    /// Whether a request for this normal path needs a gateway key. Judged by the path asked for and not by the route's
    /// prefixes, so that a catch-all route does not open `/v1`.
    pub fn needs_key(&self, path: &str) -> bool {
        !self.public && (self.adds_secret || path::under_v1(path))
    }

    fn matches(&self, host: &str, path: &str, headers: &HeaderMap) -> bool {
        let any_host = self.hosts.is_empty();
        let any_path = self.prefixes.is_empty();
        (any_host || self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host)))
            && (any_path
                || self
                    .prefixes
                    .iter()
                    .any(|prefix| path::below(path, prefix).is_some()))
            && self
                .match_headers
                .iter()
                .all(|(name, value)| headers.get_all(name).iter().any(|given| given == value))
    }
}

/// The whole routing table; immutable.
#[derive(Debug)]
pub struct Table {
    routes: Vec<Arc<Route>>,
    admin_on_gateway: bool,
}

impl Table {
    /// Compiles the enabled routes. References were checked when the configuration was loaded.
    pub fn build(
        routes: &[config::Route],
        upstreams: &[config::Upstream],
        admin_on_gateway: bool,
    ) -> Self {
        let pools: HashMap<_, _> = upstreams
            .iter()
            .filter_map(|upstream| Some((&*upstream.name, Arc::new(Pool::new(upstream)?))))
            .collect();
        let mut compiled = Vec::with_capacity(routes.len());
        for route in routes.iter().filter(|route| route.enabled) {
            match compile(route, &pools) {
                Some(route) => compiled.push(Arc::new(route)),
                // Unreachable by a checked configuration; answering 404 is safer than a route without its secret.
                None => {
                    tracing::error!(route = %route.name, "a route could not be compiled and is left out");
                }
            }
        }
        Self {
            routes: compiled,
            admin_on_gateway,
        }
    }

    /// Who answers this request. `path` is in normal form, `host` as the client sent it.
    ///
    /// # Errors
    /// [`ErrorKind::MethodNotAllowed`] on a built-in path (see [`allow_for`]), [`ErrorKind::RouteNotFound`],
    /// [`ErrorKind::InvalidPath`] for a model's name that is no text.
    pub fn find(
        &self,
        method: &Method,
        host: &str,
        path: &str,
        headers: &HeaderMap,
    ) -> Result<Target, RequestError> {
        if let Some(target) = self.built_in(path)? {
            return match allow_for(path) {
                Some(allow) if !allow.split(", ").any(|name| name == method.as_str()) => {
                    Err(method_not_allowed(method, allow))
                }
                _ => Ok(target),
            };
        }
        let name = host_name(host);
        self.routes
            .iter()
            .find(|route| route.matches(name, path, headers))
            .map(|route| Target::Route(Arc::clone(route)))
            .ok_or_else(|| not_found(method, name, path))
    }

    /// The pools behind the routes, each once.
    pub fn pools(&self) -> impl Iterator<Item = &Arc<Pool>> {
        self.routes.iter().enumerate().filter_map(|(at, route)| {
            let seen = self.routes[..at]
                .iter()
                .any(|earlier| Arc::ptr_eq(&earlier.pool, &route.pool));
            (!seen).then_some(&route.pool)
        })
    }

    fn built_in(&self, path: &str) -> Result<Option<Target>, RequestError> {
        if let Some(endpoint) = Endpoint::at(path) {
            return Ok(Some(Target::Ai(endpoint)));
        }
        if let Some((model, endpoint)) = Endpoint::of_model(path) {
            return Ok(Some(Target::AiModel(path::decode(model)?, endpoint)));
        }
        Ok(Some(match path {
            "/v1/models" | "/v1beta/models" => Target::Models,
            "/healthz" => Target::Health,
            "/readyz" => Target::Ready,
            "/metrics" if self.admin_on_gateway => Target::Admin,
            _ => {
                if let Some(model) = endpoint::model_path(path) {
                    return Ok(Some(Target::Model(path::decode(model)?)));
                }
                if let Some(id) = response_id(path) {
                    return Ok(Some(Target::StoredResponse(path::decode(id)?)));
                }
                if self.admin_on_gateway && path::below(path, "/admin").is_some() {
                    return Ok(Some(Target::Admin));
                }
                return Ok(None);
            }
        }))
    }
}

/// The methods of a built-in endpoint, as the `allow` header lists them; `None` for everything else.
pub fn allow_for(path: &str) -> Option<&'static str> {
    if Endpoint::at(path).is_some() || Endpoint::of_model(path).is_some() {
        return Some("POST");
    }
    match path {
        "/v1/models" | "/v1beta/models" | "/healthz" | "/readyz" => Some("GET, HEAD"),
        _ if response_id(path).is_some() => Some("GET, HEAD, DELETE"),
        _ => endpoint::model_path(path).map(|_| "GET, HEAD"),
    }
}

/// A host without port, brackets kept, without the dot of a fully qualified name.
pub fn host_name(host: &str) -> &str {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    };
    name.strip_suffix('.').unwrap_or(name)
}

/// `GET /v1/responses/{id}`; what lies below an id is no endpoint of ours.
fn response_id(path: &str) -> Option<&str> {
    path.strip_prefix("/v1/responses/")
        .filter(|id| !id.is_empty() && !id.contains('/'))
}

fn compile(route: &config::Route, pools: &HashMap<&str, Arc<Pool>>) -> Option<Route> {
    Some(Route {
        name: Arc::clone(&route.name),
        pool: Arc::clone(pools.get(&*route.upstream)?),
        strip_prefix: route
            .strip_prefix
            .as_deref()
            .map(prefix)
            .unwrap_or_default(),
        add_prefix: route.add_prefix.as_deref().map(prefix).unwrap_or_default(),
        request_headers: headers(&route.request_headers)?,
        response_headers: headers(&route.response_headers)?,
        hosts: route
            .hosts
            .iter()
            .map(|host| host_name(host).to_owned())
            .collect(),
        prefixes: route
            .path_prefixes
            .iter()
            .map(|path| prefix(path))
            .collect(),
        match_headers: route.match_headers.clone(),
        public: route.public,
        adds_secret: route
            .request_headers
            .iter()
            .any(|header| matches!(header.value, config::HeaderValue::Secret(_))),
    })
}

/// In normal form, so that it meets the paths it is compared with, and without a slash at the end.
fn prefix(text: &str) -> String {
    let normal = path::normalise(text).map_or_else(|_| text.to_owned(), |path| path.into_owned());
    normal.trim_end_matches('/').to_owned()
}

fn headers(list: &[config::Header]) -> Option<Vec<(HeaderName, HeaderValue)>> {
    list.iter()
        .map(|header| {
            let value = match &header.value {
                config::HeaderValue::Plain(value) => value.clone(),
                config::HeaderValue::Secret(secret) => {
                    let mut value = HeaderValue::from_str(secret.expose()).ok()?;
                    value.set_sensitive(true);
                    value
                }
            };
            Some((header.name.clone(), value))
        })
        .collect()
}

fn method_not_allowed(method: &Method, allow: &str) -> RequestError {
    let message = format!(
        "This endpoint does not take {}; send {allow}.",
        shown(method.as_str())
    );
    RequestError::new(ErrorKind::MethodNotAllowed, message)
}

fn not_found(method: &Method, host: &str, path: &str) -> RequestError {
    let (method, host, path) = (shown(method.as_str()), shown(host), shown(path));
    RequestError::new(
        ErrorKind::RouteNotFound,
        format!(
            "Nothing answers {method} {path} on host `{host}`: it is no built-in endpoint, and no [[routes]] entry matches. \
             Check the path, or add a route for it."
        ),
    )
}

/// What a client sent, cut to a length fit for a message.
fn shown(text: &str) -> &str {
    const SHOWN_MAX: usize = 120;
    text.get(..text.floor_char_boundary(SHOWN_MAX))
        .unwrap_or(text)
}

#[cfg(test)]
mod tests;
