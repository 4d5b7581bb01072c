//! What else is passed on: upstreams, routes and MCP servers.

use ferrogate_api::{
    McpServer, McpServerDocument, McpServerFilter, Route, RouteDocument, RouteFilter, Upstream,
    UpstreamDocument, UpstreamFilter,
};

use super::super::{
    endpoint::Endpoint,
    information::{MCP_SERVERS, ROUTES, UPSTREAMS},
    parameters,
    resource::Resource,
};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let mut all = upstreams();
    all.extend(routes());
    all.extend(mcp_servers());
    all
}

fn upstreams() -> Vec<Endpoint> {
    let name = parameters::name("name", "The upstream's name.", "web");
    Resource {
        path: "/admin/v1/upstreams",
        tag: UPSTREAMS,
        ids: ("Upstream", "Upstreams"),
        nouns: ("an upstream", "upstreams"),
        name: ("{name}", vec![name], &["name"]),
        sorts: &["name", "created_at", "updated_at"],
        about: ("Pools of servers for plain reverse proxying.", ""),
        operators: (true, true),
    }
    .endpoints::<Upstream, UpstreamDocument, UpstreamFilter, Upstream>()
}

fn routes() -> Vec<Endpoint> {
    let name = parameters::name("name", "The route's name.", "static");
    Resource {
        path: "/admin/v1/routes",
        tag: ROUTES,
        ids: ("Route", "Routes"),
        nouns: ("a route", "routes"),
        name: ("{name}", vec![name], &["name"]),
        sorts: &["order", "name", "upstream", "created_at", "updated_at"],
        about: (
            "In the order in which they are asked: those of the file, then the others from the oldest on. The first that \
             matches takes a request.",
            "It stands behind all that are there. Its upstream has to be there.",
        ),
        operators: (true, true),
    }
    .endpoints::<Route, RouteDocument, RouteFilter, Route>()
}

fn mcp_servers() -> Vec<Endpoint> {
    let name = parameters::name("name", "The server's name.", "tickets");
    Resource {
        path: "/admin/v1/mcp-servers",
        tag: MCP_SERVERS,
        ids: ("McpServer", "McpServers"),
        nouns: ("an MCP server", "MCP servers"),
        name: ("{name}", vec![name], &["name"]),
        sorts: &["name", "transport", "created_at", "updated_at"],
        about: (
            "Without their secrets. They are kept and checked; this version does not connect to them yet.",
            "The `value` of a header or a variable whose name is one of a credential is sealed, as a provider's key is.",
        ),
        operators: (true, true),
    }
    .endpoints::<McpServer, McpServerDocument, McpServerFilter, McpServer>()
}
