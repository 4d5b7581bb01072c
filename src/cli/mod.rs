//! The commands. Each has a file of its own; this one names them and turns an error into an exit code.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "commands speak to the terminal; everything else goes through tracing"
)]

mod admin_target;
mod auth;
mod bench;
mod demo;
mod explain;
mod hash_key;
mod ledger;
mod mock;
mod processes;
mod reprice;
mod routing_report;
mod run;
mod simulate;
mod tui;
mod validate;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// An API and AI gateway for one host.
#[derive(Debug, Parser)]
#[command(name = "ferrogate", version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway
    Run(run::RunArgs),
    /// Check a configuration file and print everything that is wrong with it
    #[command(visible_alias = "check")]
    Validate(validate::ValidateArgs),
    /// Print the hash of a client secret, for `key_hash`
    HashKey(hash_key::HashKeyArgs),
    /// Try everything at once: a simulated provider, a gateway, some traffic and the console
    Demo(demo::DemoArgs),
    /// Open the terminal console of a running gateway
    Tui(tui::TuiArgs),
    /// Say why a request went where it went
    Explain(explain::ExplainArgs),
    /// Say what would become of a request, without making it
    Simulate(simulate::SimulateArgs),
    /// Ask whether the ledger adds up
    Ledger(ledger::LedgerArgs),
    /// Reckon again with the prices in force what was charged with others
    Reprice(reprice::RepriceArgs),
    /// Say whose a key is and what they may do, for gateways that ask
    Auth(auth::AuthArgs),
    /// Run a simulated provider, with faults on demand
    Mock(mock::MockArgs),
    /// Measure what the gateway adds on this machine
    Bench(bench::BenchArgs),
}

/// Runs the command line: 0 on success, 1 on failure, 2 when the arguments are wrong.
pub fn main() -> ExitCode {
    let command = match auth::called_by_own_name() {
        Some(args) => Command::Auth(args),
        None => Cli::parse().command,
    };
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        eprintln!("ferrogate: a TLS provider was installed before ours");
        return ExitCode::FAILURE;
    }
    let done = match command {
        Command::Run(args) => run::run(&args),
        Command::Validate(args) => validate::run(&args),
        Command::HashKey(args) => hash_key::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Tui(args) => tui::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Simulate(args) => simulate::run(args),
        // Its exit code tells apart what is wrong.
        Command::Ledger(args) => return ledger::run(args),
        Command::Reprice(args) => reprice::run(args),
        Command::Auth(args) => auth::run(&args),
        Command::Mock(args) => mock::run(args),
        Command::Bench(args) => bench::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ferrogate: {error:#}");
            ExitCode::FAILURE
        }
    }
}
