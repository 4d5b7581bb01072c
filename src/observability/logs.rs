//! Where log lines go and how they look: standard error, as text or as one JSON object a line.
//!
//! Pingora writes through the `log` crate; its lines are bridged into ours.

use std::io::{self, IsTerminal as _};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    fmt::{self, writer::BoxMakeWriter},
    layer::{Context, Identity, SubscriberExt as _},
    util::{SubscriberInitExt as _, TryInitError},
};

use crate::config::LogFormat;

/// What is logged unless `RUST_LOG` says otherwise. Pingora's warnings about single connections (a client that left,
/// a body that was too long) are told by the access log, request by request.
const DEFAULT_DIRECTIVES: &str =
    "info,pingora_proxy=error,pingora_core=warn,pingora_core::protocols=error";

/// Why no log could be installed.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    #[error("cannot read RUST_LOG")]
    Filter(#[source] tracing_subscriber::filter::FromEnvError),
    #[error("cannot install the log")]
    Install(#[source] TryInitError),
}

/// Sends every log line of the process to standard error. Call it once, early.
///
/// # Errors
/// `RUST_LOG` cannot be read, or another logger is installed already.
pub fn install(format: LogFormat) -> Result<(), LogsError> {
    install_beside(format, Identity::new())
}

/// The same, and `beside` is told of every line that is written.
///
/// # Errors
/// As for [`install`].
pub fn install_beside(
    format: LogFormat,
    beside: impl Layer<Registry> + Send + Sync,
) -> Result<(), LogsError> {
    let chosen = std::env::var_os(EnvFilter::DEFAULT_ENV).is_some_and(|value| !value.is_empty());
    let filter = if chosen {
        EnvFilter::try_from_default_env().map_err(LogsError::Filter)?
    } else {
        EnvFilter::new(DEFAULT_DIRECTIVES)
    };
    // Whoever sets RUST_LOG wants to see what it names.
    let quiet = (!chosen).then_some(WithoutClientCancels);
    tracing_subscriber::registry()
        .with(beside)
        .with(filter)
        .with(quiet)
        .with(lines(
            format,
            io::stderr().is_terminal(),
            BoxMakeWriter::new(io::stderr),
        ))
        .try_init()
        .map_err(LogsError::Install)
}

fn lines<S>(
    format: LogFormat,
    colors: bool,
    writer: BoxMakeWriter,
) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> tracing_subscriber::registry::LookupSpan<'span>,
{
    let layer = fmt::layer().with_writer(writer);
    match format {
        LogFormat::Text => layer.with_ansi(colors).boxed(),
        LogFormat::Json => layer
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .boxed(),
    }
}

/// Drops Pingora's error lines about clients that went away: they are no fault of the gateway, anybody can cause
/// them by the thousand, and the request's own record says `client_gone`.
struct WithoutClientCancels;

impl<S: Subscriber> Layer<S> for WithoutClientCancels {
    fn event_enabled(&self, event: &Event<'_>, _context: Context<'_, S>) -> bool {
        if !may_be_pingoras(event.metadata()) {
            return true;
        }
        let mut line = BridgedLine::default();
        event.record(&mut line);
        !line.is_client_cancel()
    }
}

/// Lines of the `log` crate arrive under one target; their own stands in a field.
fn may_be_pingoras(metadata: &Metadata<'_>) -> bool {
    metadata.target() == "log" && *metadata.level() <= Level::WARN
}

#[derive(Default)]
struct BridgedLine {
    from_pingora: bool,
    about_downstream: bool,
}

impl BridgedLine {
    fn is_client_cancel(&self) -> bool {
        self.from_pingora && self.about_downstream
    }
}

impl Visit for BridgedLine {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "log.target" => self.from_pingora = value.starts_with("pingora"),
            "message" => self.about_downstream = mentions_downstream(value),
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.about_downstream = mentions_downstream(&format!("{value:?}"));
        }
    }
}

/// Pingora's errors name their side: ` Downstream ConnectionClosed …`.
fn mentions_downstream(message: &str) -> bool {
    message.contains("Downstream") || message.contains("downstream")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;
    use tracing::{event, info};

    use super::*;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(format: LogFormat, write: impl FnOnce()) -> String {
        let memory = Memory::default();
        let writer = memory.clone();
        let subscriber = tracing_subscriber::registry()
            .with(EnvFilter::new(DEFAULT_DIRECTIVES))
            .with(WithoutClientCancels)
            .with(lines(
                format,
                false,
                BoxMakeWriter::new(move || writer.clone()),
            ));
        tracing::subscriber::with_default(subscriber, write);
        let bytes = memory.0.lock().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_json_line_is_one_flat_object() {
        let text = written(LogFormat::Json, || info!(key.id = "team", "key revoked"));
        let line: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
        assert_eq!(line["message"], "key revoked");
        assert_eq!(line["key.id"], "team");
        assert_eq!(line["level"], "INFO");
    }

    #[test]
    fn a_text_line_reads_alone() {
        let text = written(LogFormat::Text, || info!(key.id = "team", "key revoked"));
        assert!(
            text.contains("INFO") && text.contains("key revoked key.id=\"team\""),
            "{text}"
        );
    }

    #[test]
    fn pingoras_lines_about_clients_that_left_are_dropped_and_its_others_are_kept() {
        let text = written(LogFormat::Text, || {
            event!(target: "log", Level::ERROR, log.target = "pingora_proxy", "Fail to proxy:  Downstream ConnectionClosed");
            event!(target: "log", Level::ERROR, log.target = "pingora_proxy", "Fail to proxy:  Upstream ConnectTimedout");
            event!(target: "log", Level::ERROR, log.target = "elsewhere", "downstream of elsewhere");
        });
        assert!(!text.contains("ConnectionClosed"), "{text}");
        assert!(text.contains("ConnectTimedout"), "{text}");
        assert!(text.contains("downstream of elsewhere"), "{text}");
    }
}
