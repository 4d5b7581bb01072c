//! Where commands write to: data to standard output, everything else to standard error, colours to a terminal alone.

use std::io::{self, ErrorKind, IsTerminal, Write};

/// How the result is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For people
    #[default]
    Table,
    /// The admin API's JSON, as it came
    Json,
}

/// Writes `text` to standard output.
///
/// # Errors
/// When nobody reads it any more: see [`is_nobody_reading`].
pub(super) fn show(text: &str) -> anyhow::Result<()> {
    show_bytes(text.as_bytes())
}

/// The same for what need not be text.
///
/// # Errors
/// As [`show`].
pub(super) fn show_bytes(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()?;
    Ok(())
}

/// `| head` closes the pipe when it has seen enough, which is no failure.
pub(super) fn is_nobody_reading(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

pub(super) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether colours may be written: to a terminal, unless `NO_COLOR` says otherwise.
pub(super) fn has_colours() -> bool {
    is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}
