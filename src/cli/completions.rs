//! `ferrogate completions`: what a shell has to know to complete our command line.

use clap_complete::Shell;

use super::out;

/// Print the completions for a shell
///
/// For bash, for example: ferrogate completions bash > /usr/share/bash-completion/completions/ferrogate
#[derive(Debug, clap::Args)]
pub(super) struct CompletionsArgs {
    shell: Shell,
}

/// Prints them for the commands of `command`.
///
/// # Errors
/// When they could not be written.
pub(super) fn run(args: &CompletionsArgs, mut command: clap::Command) -> anyhow::Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut command, "ferrogate", &mut text);
    out::show_bytes(&text)
}
