//! The commands that ask a running gateway, or look at one: which there are, and what their exit codes say.

use std::process::ExitCode;

use super::budgets::{self, BudgetsArgs};
use super::cache::{self, CacheArgs};
use super::config::{self, ConfigArgs};
use super::doctor::{self, DoctorArgs};
use super::drain::{self, DrainArgs};
use super::logs::{self, LogsArgs};
use super::out;
use super::reload::{self, ReloadArgs};
use super::requests::{self, RequestsArgs};
use super::resources::{
    self, AlertsArgs, KeysArgs, McpServers, Models, PoliciesArgs, Profiles, ProvidersArgs,
    ResourceArgs, Routes, Tenants, Upstreams,
};
use super::retention::{self, RetentionArgs};
use super::status::{self, StatusArgs};
use super::usage::{self, UsageArgs};

#[derive(Debug, clap::Subcommand)]
pub(super) enum OperateCommand {
    /// Show a gateway at a glance
    Status(StatusArgs),
    /// Make, change, roll and withdraw virtual keys
    Keys(KeysArgs),
    /// Make and change organizations, teams, projects and users
    Tenants(ResourceArgs<Tenants>),
    /// Make and change rules that deny, and try them
    Policies(PoliciesArgs),
    /// Make and change logical models
    Models(ResourceArgs<Models>),
    /// Make and change who answers AI requests, and see how they do
    Providers(ProvidersArgs),
    /// Make and change what requests choose with x-ferrogate-config
    Profiles(ResourceArgs<Profiles>),
    /// Make and change pools of servers that requests are passed on to
    Upstreams(ResourceArgs<Upstreams>),
    /// Make and change which requests are passed on
    Routes(ResourceArgs<Routes>),
    /// Make and change entries for MCP servers
    McpServers(ResourceArgs<McpServers>),
    /// Make and change what the gateway watches of itself, take alerts on, and try whom they tell
    Alerts(AlertsArgs),
    /// Show how budgets stand, top them up and raise them
    Budgets(BudgetsArgs),
    /// Show what the response cache holds, and empty it
    Cache(CacheArgs),
    /// Show the requests that were, and those that end just now
    Logs(LogsArgs),
    /// Show sums over the ledger, and how they went over time
    Usage(UsageArgs),
    /// Show the requests in flight, and end one
    Requests(RequestsArgs),
    /// Take a gateway out of service, and put it back
    Drain(DrainArgs),
    /// Show what leaves the databases by itself
    Retention(RetentionArgs),
    /// Show, check, compare, export and roll back what a gateway goes by
    Config(ConfigArgs),
    /// Give a running gateway another configuration, or check one
    Reload(ReloadArgs),
    /// Look at everything and say what to do
    Doctor(DoctorArgs),
}

/// Runs one of them: 0 when it was done, 1 when it was refused or could not be.
pub(super) fn run(command: OperateCommand) -> ExitCode {
    finish(match command {
        OperateCommand::Status(args) => done(status::run(args)),
        OperateCommand::Keys(args) => done(resources::run_keys(args)),
        OperateCommand::Tenants(args) => done(resources::run(args)),
        OperateCommand::Policies(args) => done(resources::run_policies(args)),
        OperateCommand::Models(args) => done(resources::run(args)),
        OperateCommand::Providers(args) => done(resources::run_providers(args)),
        OperateCommand::Profiles(args) => done(resources::run(args)),
        OperateCommand::Upstreams(args) => done(resources::run(args)),
        OperateCommand::Routes(args) => done(resources::run(args)),
        OperateCommand::McpServers(args) => done(resources::run(args)),
        OperateCommand::Alerts(args) => done(resources::run_alerts(args)),
        OperateCommand::Budgets(args) => done(budgets::run(args)),
        OperateCommand::Cache(args) => done(cache::run(args)),
        OperateCommand::Logs(args) => done(logs::run(args)),
        OperateCommand::Usage(args) => done(usage::run(args)),
        OperateCommand::Requests(args) => done(requests::run(args)),
        OperateCommand::Drain(args) => done(drain::run(args)),
        OperateCommand::Retention(args) => done(retention::run(args)),
        OperateCommand::Config(args) => config::run(args),
        OperateCommand::Reload(args) => reload::run(args),
        OperateCommand::Doctor(args) => doctor::run(args),
    })
}

/// 0 for whatever was done.
pub(super) fn done(done: anyhow::Result<()>) -> anyhow::Result<ExitCode> {
    done.map(|()| ExitCode::SUCCESS)
}

/// Says what went wrong, and turns it into an exit code. Who reads no further has all he wanted.
pub(super) fn finish(done: anyhow::Result<ExitCode>) -> ExitCode {
    match done {
        Ok(code) => code,
        Err(error) if out::is_nobody_reading(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ferrogate: {error:#}");
            ExitCode::FAILURE
        }
    }
}
