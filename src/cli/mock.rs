//! `ferrogate mock`: the provider simulator as a process of its own.

use std::{
    io::Write,
    net::SocketAddr,
    num::{NonZeroU32, NonZeroUsize},
};

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use crate::simulator::{Options, Simulator, credentials::Credentials, faults::Directive};
use crate::tasks::Tasks;

/// Play a provider, with deterministic answers and faults on demand.
///
/// It speaks the APIs of OpenAI (/v1), Azure (/openai), Anthropic (/v1/messages) and Google (/v1beta), and holds
/// requests to each one's rules. One request can ask for its own treatment, after a `+` in the model name
/// ("gpt-4o-mini+fault=cut,after=3") or at the start of its last user message ("sim: fault=429 retry_after=2"); a word
/// that is not known is answered with those that are. GET /sim/stats and /sim/calls tell what was asked; DELETE
/// /sim/stats starts over. Every path that is no API echoes the request.
#[derive(Debug, clap::Args)]
pub(super) struct MockArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:9100", value_name = "ADDR")]
    listen: SocketAddr,

    /// Wait this long before the first byte of every answer
    #[arg(long, value_name = "MS")]
    ttft_ms: Option<u64>,

    /// Wait this long before every content event of a stream
    #[arg(long, value_name = "MS", conflicts_with = "tokens_per_second")]
    delay_ms: Option<u64>,

    /// Stream so many content events a second
    #[arg(long, value_name = "N")]
    tokens_per_second: Option<NonZeroU32>,

    /// Answer with so many content events, whatever was asked
    #[arg(long, value_name = "N")]
    tokens: Option<u32>,

    /// Which token counts to report: counted, random or none
    #[arg(long, value_name = "MODE")]
    usage: Option<String>,

    /// What random usage follows from
    #[arg(long, default_value_t = 0)]
    seed: u64,

    /// Any words a request's own directive may have, such as "fault=500 times=3", for every request
    #[arg(long, value_name = "WORDS", default_value = "")]
    directive: String,

    /// How many of the last calls GET /sim/calls shows
    #[arg(long, default_value_t = 256, value_name = "N")]
    recent_calls: usize,

    /// Show the requests' bodies in GET /sim/calls too
    #[arg(long)]
    keep_bodies: bool,

    /// How many of the last responses GET /v1/responses/{id} and `previous_response_id` find
    #[arg(long, default_value_t = 256, value_name = "N")]
    keep_responses: usize,

    /// Refuse requests without this API key in the dialect's own header; may be repeated
    #[arg(long, value_name = "KEY")]
    require_key: Vec<String>,

    /// Answer requests with this API key with 429; may be repeated
    #[arg(long, value_name = "KEY")]
    limited_key: Vec<String>,

    /// Threads that answer
    #[arg(long, default_value = "1", value_name = "N")]
    threads: NonZeroUsize,
}

/// Serves until SIGINT or SIGTERM.
///
/// # Errors
/// When a flag is not understood or the address cannot be had.
pub(super) fn run(args: MockArgs) -> anyhow::Result<()> {
    let options = Options {
        directive: args.directive()?,
        seed: args.seed,
        recent_calls_max: args.recent_calls,
        keeps_bodies: args.keep_bodies,
        responses_max: args.keep_responses,
        credentials: Credentials {
            required: args.require_key,
            limited: args.limited_key,
        },
    };
    // One thread needs no work stealing, which would cost every request some microseconds.
    let mut runtime = match args.threads.get() {
        1 => tokio::runtime::Builder::new_current_thread(),
        threads => {
            let mut runtime = tokio::runtime::Builder::new_multi_thread();
            runtime.worker_threads(threads);
            runtime
        }
    };
    let runtime = runtime
        .enable_all()
        .build()
        .context("the runtime could not be started")?;
    runtime.block_on(serve(args.listen, options))
}

async fn serve(listen: SocketAddr, options: Options) -> anyhow::Result<()> {
    let simulator = Simulator::bind(listen, options)
        .with_context(|| format!("the simulator could not listen on {listen}"))?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let tasks = Tasks::default();
    // Whoever started us with port 0 reads the address from this line.
    let mut stdout = std::io::stdout();
    writeln!(stdout, "mock listening on http://{}", simulator.address())?;
    stdout.flush()?;
    let serving = tasks.spawn("simulator", simulator.serve(tasks.clone()));
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tasks.drain().await;
    serving.await.context("the simulator panicked")
}

impl MockArgs {
    /// The flags in a directive's own words: one parser knows their bounds.
    fn directive(&self) -> anyhow::Result<Directive> {
        let mut words = self.directive.clone();
        let mut say = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                words.push_str(&format!(" {name}={value}"));
            }
        };
        say("ttft_ms", self.ttft_ms.map(|value| value.to_string()));
        say("delay_ms", self.delay_ms.map(|value| value.to_string()));
        say(
            "tokens_per_second",
            self.tokens_per_second.map(|value| value.to_string()),
        );
        say("tokens", self.tokens.map(|value| value.to_string()));
        say("usage", self.usage.clone());
        Ok(Directive::default().with(&words)?)
    }
}
