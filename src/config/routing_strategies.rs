//! `routing_strategy`: how the candidates of a model are put in order.

/// How the candidates of a model are put in order: what comes first is tried first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum RoutingStrategy {
    /// By `priority`, the smallest number first.
    #[default]
    Priority,
    /// By `priority`, and drawn by `weight` among equals.
    Weighted,
    LowestCost,
    LowestLatency,
    /// Cost, latency and recent failures together.
    Balanced,
}

impl RoutingStrategy {
    pub const ALL: [Self; 5] = [
        Self::Priority,
        Self::Weighted,
        Self::LowestCost,
        Self::LowestLatency,
        Self::Balanced,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Priority => "priority",
            Self::Weighted => "weighted",
            Self::LowestCost => "lowest_cost",
            Self::LowestLatency => "lowest_latency",
            Self::Balanced => "balanced",
        }
    }

    /// The `priority` of a fallback that names none: behind its model, but for weights, which are to spread over all.
    pub(super) fn fallback_priority(self) -> u32 {
        match self {
            Self::Weighted => 0,
            Self::Priority | Self::LowestCost | Self::LowestLatency | Self::Balanced => 100,
        }
    }
}
