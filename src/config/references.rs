//! What keys, policies, profiles and alerts may refer to: models, providers, and each other.

use std::sync::Arc;

use http::HeaderName;

use super::{
    mcp_targets,
    names::{self, Names},
    reader::Section,
};

/// What may be referred to, while keys, policies, profiles and alerts are read.
#[derive(Clone, Copy)]
pub(super) struct References<'n> {
    pub(super) models: &'n Names,
    pub(super) providers: &'n Names,
    /// `None`: any key, because a later check of everything together sees to it.
    pub(super) api_keys: Option<&'n Names>,
    /// `[limits] gateway_config_request_headers`.
    pub(super) request_headers: &'n [HeaderName],
}

impl References<'_> {
    /// Reads a list of models and tools of MCP servers.
    pub(super) fn models(self, section: &mut Section<'_, '_>, key: &'static str) -> Vec<Arc<str>> {
        self.models.refer_all(section, key, mcp_targets::tool)
    }

    /// Reads a list of providers and MCP servers.
    pub(super) fn providers(
        self,
        section: &mut Section<'_, '_>,
        key: &'static str,
    ) -> Vec<Arc<str>> {
        self.providers.refer_all(section, key, mcp_targets::server)
    }

    /// Reads one model, which need not be there.
    pub(super) fn model(
        self,
        section: &mut Section<'_, '_>,
        key: &'static str,
    ) -> Option<Arc<str>> {
        self.models.refer_if_set(section, key)
    }

    /// Reads one provider, which need not be there.
    pub(super) fn provider(
        self,
        section: &mut Section<'_, '_>,
        key: &'static str,
    ) -> Option<Arc<str>> {
        self.providers.refer_if_set(section, key)
    }

    /// Reads one key, which need not be there.
    pub(super) fn api_key(
        self,
        section: &mut Section<'_, '_>,
        key: &'static str,
    ) -> Option<Arc<str>> {
        match self.api_keys {
            Some(names) => names.refer_if_set(section, key),
            None => section.parsed(key, names::id),
        }
    }

    /// Reads a list of keys.
    pub(super) fn api_keys(
        self,
        section: &mut Section<'_, '_>,
        key: &'static str,
    ) -> Vec<Arc<str>> {
        match self.api_keys {
            Some(names) => names.refer_all(section, key, |_| None),
            None => section.all_parsed(key, names::id),
        }
    }
}
