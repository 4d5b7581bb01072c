//! The commands. Each has a file of its own; this one names them and turns an error into an exit code.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "commands speak to the terminal; everything else goes through tracing"
)]

mod admin_target;
mod audit;
mod audit_list;
mod auth;
mod backup;
mod bench;
mod budgets;
mod cache;
mod completions;
mod config;
mod data_directory;
mod demo;
mod details;
mod doctor;
mod drain;
mod explain;
mod findings;
mod hash_key;
mod ledger;
mod listing;
mod logs;
mod mock;
mod openapi;
mod operate;
mod out;
mod processes;
mod reload;
mod reprice;
mod requests;
mod resources;
mod retention;
mod routing_report;
mod run;
mod series;
mod session;
mod simulate;
mod status;
mod table;
mod tui;
mod units;
mod usage;
mod validate;
mod when;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

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
    #[command(flatten)]
    Operate(Box<operate::OperateCommand>),
    /// Say who did what, and whether the log of it is whole
    Audit(audit::AuditArgs),
    /// Make, check and restore copies of the databases
    Backup(backup::BackupArgs),
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
    /// Print the OpenAPI document of the admin API
    #[command(name = "openapi")]
    OpenApi(openapi::OpenApiArgs),
    /// Print the completions for a shell
    Completions(completions::CompletionsArgs),
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
        Command::Operate(command) => return operate::run(*command),
        Command::Audit(args) => return operate::finish(audit::run(args)),
        Command::Backup(args) => backup::run(args),
        Command::OpenApi(args) => openapi::run(&args),
        Command::Completions(args) => completions::run(&args, Cli::command()),
        Command::Explain(args) => explain::run(args),
        Command::Simulate(args) => simulate::run(args),
        // Its exit code tells apart what is wrong.
        Command::Ledger(args) => return ledger::run(args),
        Command::Reprice(args) => reprice::run(args),
        Command::Auth(args) => auth::run(&args),
        Command::Mock(args) => mock::run(args),
        Command::Bench(args) => bench::run(&args),
    };
    operate::finish(operate::done(done))
}
