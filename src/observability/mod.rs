//! What the process tells about itself: metrics, logs, and the trace it belongs to.

mod access_log;
mod alert_metrics;
mod cache_metrics;
mod logs;
mod metrics;
mod registrar;
mod series;
mod trace_context;

pub use access_log::AccessLogger;
pub use logs::{LogsError, install as install_logs, install_beside as install_logs_beside};
pub use metrics::Metrics;
pub use trace_context::{TraceContext, client_request_id};
