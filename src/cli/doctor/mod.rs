//! `ferrogate doctor`: everything that can be looked at from outside, each with what was found and what to do.
//!
//! It changes nothing. What it cannot look at it says, and a gateway that runs is asked rather than guessed at.

mod backups;
mod check;
mod clock;
mod databases;
mod disk;
mod files;
mod gateway;
mod limits;
mod ports;
mod providers;
mod redis;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use ferrogate_tui::Target;

use self::{
    check::{Check, Report},
    gateway::Running,
};
use super::admin_target::AdminTargetArgs;
use super::out;
use super::validate;
use crate::clock::Clock;
use crate::config::Config;

/// Look at everything and say what to do: configuration, files, databases, disk, network, providers, the gateway
///
/// Nothing is changed. Exit code 0: nothing failed, though there may be warnings; 1: something failed.
#[derive(Debug, clap::Args)]
pub(super) struct DoctorArgs {
    /// The configuration file [default: the first of /etc/ferrogate/ferrogate.toml and ./ferrogate.toml that is there]
    #[arg(short, long, env = "FERROGATE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Ask nobody in the network
    #[arg(long)]
    offline: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: AdminTargetArgs,
}

/// Where a configuration is when nobody says otherwise: packaged, then started by hand.
const CONFIGURATIONS: [&str; 2] = ["/etc/ferrogate/ferrogate.toml", "ferrogate.toml"];

const CONFIGURATION: &str = "configuration";

/// Looks at everything and prints it.
///
/// # Errors
/// When it could not be printed; what is wrong with the gateway is no error, but an exit code.
pub(super) fn run(args: DoctorArgs) -> anyhow::Result<ExitCode> {
    let report = Report::of(look(&args)?);
    if args.json {
        out::show(&format!("{}\n", serde_json::to_string_pretty(&report)?))?;
    } else {
        out::show(&report.print(out::has_colours()))?;
    }
    Ok(if report.ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn look(args: &DoctorArgs) -> anyhow::Result<Vec<Check>> {
    let clock = Clock::system();
    let mut checks = Vec::new();
    let file = args.config.clone().or_else(find_configuration);
    let config = read_configuration(file.as_deref(), &mut checks);
    let running = find_gateway(args, config.as_ref(), &mut checks);
    let of_config = match (&file, &config) {
        (Some(file), Some(config)) => Some((&**file, config)),
        _ => None,
    };
    if let Some((file, config)) = of_config {
        here(file, config, running.as_ref(), &clock, &mut checks);
    }
    let pid = running
        .as_ref()
        .filter(|running| running.is_here)
        .map(|running| running.status.process.pid);
    checks.extend(limits::check(pid));
    if let Some(running) = &running {
        checks.extend(gateway::check(running, &clock));
    }
    network(args, config.as_ref(), running.as_ref(), &clock, &mut checks)?;
    Ok(checks)
}

fn find_configuration() -> Option<PathBuf> {
    CONFIGURATIONS
        .iter()
        .map(PathBuf::from)
        .find(|path| path.exists())
}

/// What the gateway would be started with, if it can be.
fn read_configuration(file: Option<&Path>, checks: &mut Vec<Check>) -> Option<Config> {
    let Some(file) = file else {
        checks.push(Check::fail(
            CONFIGURATION,
            format!(
                "no file was named, and there is none at {}",
                CONFIGURATIONS.join(" or ")
            ),
            "name it with --config",
        ));
        return None;
    };
    match validate::check(file) {
        Ok(checked) => {
            let summary = checked.summary(file);
            checks.push(match checked.warnings() {
                [] => Check::ok(CONFIGURATION, summary),
                warnings => Check::warn(
                    CONFIGURATION,
                    format!("{summary}\n{}", warnings.join("\n")),
                    "each line says what is doubtful; variables are those of this shell, not of the gateway",
                ),
            });
            Some(checked.config().clone())
        }
        Err(error) => {
            checks.push(Check::fail(
                CONFIGURATION,
                format!("{error:#}"),
                "correct it; `ferrogate validate` says the same",
            ));
            None
        }
    }
}

/// The gateway that is named, or the one that the configuration belongs to.
fn find_gateway(
    args: &DoctorArgs,
    config: Option<&Config>,
    checks: &mut Vec<Check>,
) -> Option<Running> {
    let named = args.gateway.clone().named();
    let own = || config.map(|config| Target::Socket(config.admin.socket.clone()));
    let found = match named.or_else(own) {
        Some(target) => gateway::find(&target),
        None => match args.gateway.clone().target() {
            Ok(target) => gateway::find(&target),
            Err(error) => Err(Check::skipped("gateway", error.to_string())),
        },
    };
    match found {
        Ok(running) => Some(running),
        Err(check) => {
            checks.push(check);
            None
        }
    }
}

/// What lies on this machine.
fn here(
    file: &Path,
    config: &Config,
    running: Option<&Running>,
    clock: &Clock,
    checks: &mut Vec<Check>,
) {
    let data = &config.storage.path;
    let status = running
        .filter(|running| running.is_here)
        .map(|running| &running.status);
    checks.extend(files::check(file, config));
    checks.extend(ports::check(config, status));
    checks.extend(databases::check(data));
    checks.extend(disk::check(data));
    checks.extend(clock::check(clock, data));
    checks.push(backups::check(&config.backup, clock.unix_ms()));
}

/// Who is elsewhere.
fn network(
    args: &DoctorArgs,
    config: Option<&Config>,
    running: Option<&Running>,
    clock: &Clock,
    checks: &mut Vec<Check>,
) -> anyhow::Result<()> {
    if args.offline {
        checks.push(Check::skipped("network", "--offline: nobody was asked"));
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    if let Some(config) = config {
        checks.extend(runtime.block_on(providers::names(config)));
        checks.push(runtime.block_on(redis::check(&config.cluster)));
    }
    match (running, config) {
        (Some(running), _) => checks.extend(providers::by_gateway(&running.session)),
        (None, Some(config)) => checks.extend(runtime.block_on(providers::reach(config, clock))),
        (None, None) => {}
    }
    Ok(())
}
