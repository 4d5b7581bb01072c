//! Who this node is among the others.

use std::sync::Arc;

use crate::config::Cluster;

/// A node's identity, as it is written into records and shown in the status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub cluster_id: Arc<str>,
    pub node_id: Arc<str>,
    pub region: Option<Arc<str>>,
    pub zone: Option<Arc<str>>,
}

impl Node {
    pub fn new(options: &Cluster) -> Self {
        Self {
            cluster_id: options.cluster_id.as_str().into(),
            node_id: options.node_id.as_str().into(),
            region: options.node_region.as_deref().map(Into::into),
            zone: options.node_zone.as_deref().map(Into::into),
        }
    }
}
