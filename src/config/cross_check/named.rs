//! What each kind of resource is called.

use std::borrow::Cow;

use super::super::{
    Alert, ApiKey, GatewayConfig, McpServer, Model, Policy, Provider, Route, Tenant, Upstream,
};

/// What is told apart by a name.
pub(super) trait Named {
    /// The section of the file.
    const SECTION: &'static str;
    /// The key that holds the name.
    const NAME_KEY: &'static str;

    fn name(&self) -> Cow<'_, str>;
}

impl Named for Tenant {
    const SECTION: &'static str = "tenants";
    const NAME_KEY: &'static str = "id";

    fn name(&self) -> Cow<'_, str> {
        self.reference().to_string().into()
    }
}

impl Named for ApiKey {
    const SECTION: &'static str = "api_keys";
    const NAME_KEY: &'static str = "id";

    fn name(&self) -> Cow<'_, str> {
        (&*self.id).into()
    }
}

impl Named for Policy {
    const SECTION: &'static str = "policies";
    const NAME_KEY: &'static str = "name";

    fn name(&self) -> Cow<'_, str> {
        (&*self.name).into()
    }
}

impl Named for GatewayConfig {
    const SECTION: &'static str = "gateway_configs";
    const NAME_KEY: &'static str = "id";

    fn name(&self) -> Cow<'_, str> {
        (&*self.id).into()
    }
}

impl Named for Provider {
    const SECTION: &'static str = "providers";
    const NAME_KEY: &'static str = "name";

    fn name(&self) -> Cow<'_, str> {
        (&*self.name).into()
    }
}

impl Named for Model {
    const SECTION: &'static str = "models";
    const NAME_KEY: &'static str = "name";

    fn name(&self) -> Cow<'_, str> {
        (&*self.name).into()
    }
}

impl Named for Upstream {
    const SECTION: &'static str = "upstreams";
    const NAME_KEY: &'static str = "name";

    fn name(&self) -> Cow<'_, str> {
        (&*self.name).into()
    }
}

impl Named for Route {
    const SECTION: &'static str = "routes";
    const NAME_KEY: &'static str = "name";

    fn name(&self) -> Cow<'_, str> {
        (&*self.name).into()
    }
}

impl Named for McpServer {
    const SECTION: &'static str = "mcp_servers";
    const NAME_KEY: &'static str = "name";

    fn name(&self) -> Cow<'_, str> {
        (&*self.name).into()
    }
}

impl Named for Alert {
    const SECTION: &'static str = "alerts";
    const NAME_KEY: &'static str = "name";

    fn name(&self) -> Cow<'_, str> {
        (&*self.name).into()
    }
}
