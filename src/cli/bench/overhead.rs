//! The benchmark as it usually runs: what everything that is asked in one dialect costs, at several loads.

use anyhow::bail;
use std::time::Duration;
use tempfile::TempDir;

use super::{
    Plan,
    dialect::Dialect,
    gateway::{Gateway, Home},
    load::{Load, Target, Timed, hold_streams},
    pairs::Ends,
    report::{Comparison, Level, Records, Report},
    say,
    setup::{Question, Setup},
    sides::{Bench, Rounds, Sides},
};
use crate::cli::processes::Instance;

/// The numbers of connections that are measured; the report's keys name the first two.
const CONNECTIONS: [usize; 3] = [1, 32, 256];

/// Before anything is measured, and in one go to reach `Plan::loaded_requests`.
const WARM_UP: Duration = Duration::from_millis(500);
const TOP_UP: Duration = Duration::from_secs(2);

/// The whole benchmark, in order.
///
/// # Errors
/// When a process does not start or a request fails.
pub(super) async fn measure(plan: &Plan, directory: &TempDir) -> anyhow::Result<Report> {
    let setup = Setup::new()?;
    let (mock, provider) =
        Instance::mock(&["--recent-calls", "0"], &directory.path().join("mock.log"))?;
    let home = Home::create(&directory.path().join("load"))?;
    let gateway = Gateway::start(&home, &setup.config(provider, &home.data())).await?;
    let idle_kib = gateway.resident_kib()?;
    let ends = Ends {
        provider,
        gateway: gateway.address,
    };
    let mut bench = Bench::new(&gateway);
    let chat = sides(&setup, ends, Question::Chat);
    let stream = sides(&setup, ends, Question::Stream);

    warm_up(&mut bench, &chat).await?;
    let mut levels = Vec::new();
    for connections in CONNECTIONS {
        say(&format!("{connections} connections …"));
        let load = Load {
            connections,
            duration: plan.round,
            timed: Timed::WholeAnswer,
        };
        let rounds = compare(&mut bench, plan.rounds, &chat, load).await?;
        levels.push(Level::of(connections, &rounds));
    }
    say("time to first token …");
    let load = Load {
        connections: 1,
        duration: plan.round,
        timed: Timed::FirstContent,
    };
    let rounds = compare(&mut bench, plan.rounds, &stream, load).await?;
    let first_content = Comparison::of(&rounds);
    top_up(&mut bench, plan.loaded_requests, &chat.gateway).await?;
    let loaded_kib = gateway.resident_kib()?;
    let answered = bench.answered();
    let written = gateway.requests_recorded(answered).await?;
    drop(gateway);

    say(&format!("{} streams at once …", plan.streams));
    let kib_per_stream = weigh_streams(plan, directory, &setup, ends).await?;
    mock.end()?;
    let [one, many, ..] = levels.as_slice() else {
        bail!("no level was measured");
    };
    Ok(Report {
        version: env!("CARGO_PKG_VERSION"),
        cpus: std::thread::available_parallelism()?.get(),
        quick: plan.quick,
        rounds: plan.rounds,
        seconds_per_round: plan.round.as_secs_f64(),
        rps_c32: many.comparison.gateway.rps,
        rps_c32_of_direct: many.comparison.gateway.rps / many.comparison.direct.rps,
        added_p50_us_c1: one.comparison.added_p50_us,
        added_p99_us_c1: one.comparison.added_p99_us,
        added_ttft_p50_us: first_content.added_p50_us,
        added_ttft_p99_us: first_content.added_p99_us,
        cpu_us_per_request: many.cpu_us_per_request,
        rss_idle_mib: mib(idle_kib),
        rss_loaded_mib: mib(loaded_kib),
        rss_loaded_after_requests: answered,
        streams_held: plan.streams,
        kib_per_stream,
        records: Records { answered, written },
        levels,
        first_content,
    })
}

/// Direct requests are the same bytes; the provider ignores keys.
fn sides(setup: &Setup, ends: Ends, question: Question) -> Sides {
    let direct = Target {
        address: ends.provider,
        dialect: Dialect::Chat,
        requests: setup.requests(question).into(),
    };
    Sides {
        gateway: Target {
            address: ends.gateway,
            ..direct.clone()
        },
        direct,
    }
}

/// Every key and model, both ways, on as many connections as will ever be open.
async fn warm_up(bench: &mut Bench<'_>, chat: &Sides) -> anyhow::Result<()> {
    for connections in CONNECTIONS {
        let load = Load {
            connections,
            duration: WARM_UP / 3,
            timed: Timed::WholeAnswer,
        };
        bench.compare(chat, load).await?;
    }
    Ok(())
}

async fn compare(
    bench: &mut Bench<'_>,
    rounds: usize,
    sides: &Sides,
    load: Load,
) -> anyhow::Result<Vec<Rounds>> {
    let mut measured = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        measured.push(bench.compare(sides, load).await?);
    }
    Ok(measured)
}

/// Goes on until so many requests have been answered.
async fn top_up(bench: &mut Bench<'_>, requests: u64, chat: &Target) -> anyhow::Result<()> {
    while bench.answered() < requests {
        let load = Load {
            connections: 32,
            duration: TOP_UP,
            timed: Timed::WholeAnswer,
        };
        bench.through_gateway(chat, load).await?;
    }
    Ok(())
}

/// What one open stream costs, on a gateway of its own: memory that load has left behind would hide it.
async fn weigh_streams(
    plan: &Plan,
    directory: &TempDir,
    setup: &Setup,
    ends: Ends,
) -> anyhow::Result<f64> {
    let home = Home::create(&directory.path().join("streams"))?;
    let config = setup.config(ends.provider, &home.data());
    let gateway = Gateway::start(&home, &config).await?;
    let ends = Ends {
        gateway: gateway.address,
        ..ends
    };
    let target = sides(setup, ends, Question::SlowStream).gateway;
    // The first ones pay for what all later ones share.
    let first = hold_streams(&target, 4).await?;
    let before_kib = gateway.resident_kib()?;
    let streams = hold_streams(&target, plan.streams).await?;
    let after_kib = gateway.resident_kib()?;
    drop((first, streams));
    let kib = u32::try_from(after_kib.saturating_sub(before_kib))?;
    let count = u32::try_from(plan.streams)?;
    Ok(f64::from(kib) / f64::from(count))
}

fn mib(kib: u64) -> f64 {
    u32::try_from(kib).map_or(f64::INFINITY, f64::from) / 1024.0
}
