//! `--dialect`: what it costs when client and provider speak different dialects, beside what passes unchanged.
//!
//! Rounds visit every pair in turn, so that a machine that changes its mind changes all of them; what a pair adds is
//! compared with what passed in the same round.

use std::time::Duration;

use tempfile::TempDir;

use super::{
    Plan,
    dialect::{Ask, CONTENT_EVENTS, Dialect},
    gateway::{Gateway, Home},
    load::{Load, Timed},
    pairs::{Ends, Pair},
    prompt::OnePass,
    report::Records,
    say,
    setup::Setup,
    sides::{Bench, Rounds, Sides},
    translation_report::TranslationReport,
};
use crate::cli::processes::Instance;

/// For each question, before anything is measured.
const WARM_UP: Duration = Duration::from_millis(50);

/// What was asked for one pair, and what came of it.
pub(super) struct PairRounds {
    pub(super) pair: Pair,
    pub(super) answers: Question,
    pub(super) streams: Question,
}

/// A long prompt between two ends that speak the same.
pub(super) struct PromptRounds {
    pub(super) dialect: Dialect,
    pub(super) answers: Question,
}

/// One question on both ways, with one entry for each round.
pub(super) struct Question {
    sides: Sides,
    timed: Timed,
    pub(super) rounds: Vec<Rounds>,
}

/// Everything that was measured.
pub(super) struct Measured {
    /// The first one passes; all others are translated.
    pub(super) pairs: Vec<PairRounds>,
    pub(super) prompts: Vec<PromptRounds>,
    pub(super) passes: Vec<OnePass>,
    /// How long a request with the long prompt is.
    pub(super) prompt_bytes: usize,
}

/// The whole measurement, in order.
///
/// # Errors
/// When a process does not start, a request fails, or a stream is not what it should be.
pub(super) async fn measure(plan: &Plan, directory: &TempDir) -> anyhow::Result<TranslationReport> {
    let setup = Setup::new()?;
    let (mock, provider) =
        Instance::mock(&["--recent-calls", "0"], &directory.path().join("mock.log"))?;
    let home = Home::create(&directory.path().join("load"))?;
    let gateway = Gateway::start(&home, &setup.config(provider, &home.data())).await?;
    let ends = Ends {
        provider,
        gateway: gateway.address,
    };
    let body = Dialect::Chat.body("any", Ask::Long).to_string();
    let mut measured = Measured::nothing(&setup, ends, body.len());
    let mut bench = Bench::new(&gateway);
    for question in measured.questions() {
        question.ask(&mut bench, WARM_UP).await?;
        question.rounds.clear();
    }
    for round in 1..=plan.rounds {
        say(&format!("round {round} of {} …", plan.rounds));
        for question in measured.questions() {
            question.ask(&mut bench, plan.round).await?;
        }
        // In this thread, on which nothing waits meanwhile.
        measured.passes.push(OnePass::over(body.as_bytes())?);
    }
    let answered = bench.answered();
    let written = gateway.requests_recorded(answered).await?;
    drop(gateway);
    mock.end()?;
    TranslationReport::of(plan, &measured, Records { answered, written })
}

impl Measured {
    fn nothing(setup: &Setup, ends: Ends, prompt_bytes: usize) -> Self {
        let question = |pair: Pair, ask, timed| Question::new(pair.sides(ask, setup, ends), timed);
        let whole_stream = Timed::WholeStream {
            content_events: CONTENT_EVENTS,
        };
        let pairs = [Pair::PASSING].into_iter().chain(Pair::TRANSLATED);
        let pairs = pairs.map(|pair| PairRounds {
            pair,
            answers: question(pair, Ask::Short, Timed::WholeAnswer),
            streams: question(pair, Ask::Stream, whole_stream),
        });
        let prompts = Dialect::ALL.map(|dialect| PromptRounds {
            dialect,
            answers: question(Pair::within(dialect), Ask::Long, Timed::WholeAnswer),
        });
        Self {
            pairs: pairs.collect(),
            prompts: prompts.into(),
            passes: Vec::new(),
            prompt_bytes,
        }
    }

    fn questions(&mut self) -> impl Iterator<Item = &mut Question> {
        let pairs = self.pairs.iter_mut();
        let prompts = self.prompts.iter_mut();
        pairs
            .flat_map(|pair| [&mut pair.answers, &mut pair.streams])
            .chain(prompts.map(|prompt| &mut prompt.answers))
    }
}

impl Question {
    pub(super) fn new(sides: Sides, timed: Timed) -> Self {
        Self {
            sides,
            timed,
            rounds: Vec::new(),
        }
    }

    async fn ask(&mut self, bench: &mut Bench<'_>, duration: Duration) -> anyhow::Result<()> {
        let load = Load {
            connections: 1,
            duration,
            timed: self.timed,
        };
        self.rounds.push(bench.compare(&self.sides, load).await?);
        Ok(())
    }
}
