//! The figures of `--dialect`: what each pair adds to answers and to the events of streams, and how often the gateway
//! goes over a long prompt.

use std::time::Duration;

use serde::Serialize;

use super::{
    Plan,
    dialect::CONTENT_EVENTS,
    report::{Comparison, Level, Records, median},
    sides::Rounds,
    translation::{Measured, PairRounds, PromptRounds},
};

/// Everything that was measured. `--json` prints it as it is.
#[derive(Debug, Serialize)]
pub(super) struct TranslationReport {
    pub(super) version: &'static str,
    pub(super) cpus: usize,
    pub(super) quick: bool,
    pub(super) rounds: usize,
    pub(super) seconds_per_round: f64,
    /// Of the translated pairs, what the worst one adds to an answer,
    pub(super) added_p99_us_c1_max: f64,
    /// to an event of a stream, compared with the provider alone,
    pub(super) added_us_per_event_max: f64,
    /// and compared with a stream that passes through the gateway.
    pub(super) translation_us_per_event_max: f64,
    /// The gateway's own CPU time for a long prompt, in scans of its JSON: the worst dialect.
    pub(super) prompt_scans_max: f64,
    pub(super) content_events_per_stream: usize,
    /// The first one passes unchanged.
    pub(super) pairs: Vec<PairFigures>,
    pub(super) prompt_bytes: usize,
    /// What it takes to copy the prompt and check that it is UTF-8, and to find the end of its JSON.
    pub(super) one_copy_ms: f64,
    pub(super) one_scan_ms: f64,
    pub(super) prompts: Vec<PromptFigures>,
    pub(super) records: Records,
}

/// One pair of dialects.
#[derive(Debug, Serialize)]
pub(super) struct PairFigures {
    pub(super) client: &'static str,
    pub(super) provider: &'static str,
    pub(super) translated: bool,
    pub(super) answers: Level,
    pub(super) streams: StreamFigures,
}

/// Whole streams, whose content events come at once.
#[derive(Debug, Serialize)]
pub(super) struct StreamFigures {
    pub(super) direct_p50_us: f64,
    pub(super) gateway_p50_us: f64,
    /// Through the gateway, less the same straight from the provider.
    pub(super) added_us_per_event: f64,
    /// Through the gateway, less a stream that passes through it.
    pub(super) translation_us_per_event: f64,
    pub(super) cpu_us_per_event: f64,
}

/// A long prompt in one dialect, which passes.
#[derive(Debug, Serialize)]
pub(super) struct PromptFigures {
    pub(super) dialect: &'static str,
    #[serde(flatten)]
    pub(super) comparison: Comparison,
    /// What is added at the median, less what a short prompt adds.
    pub(super) added_ms: f64,
    pub(super) added_scans: f64,
    /// The gateway's CPU time, less that of a short prompt: in its own code, and in the kernel.
    pub(super) user_ms: f64,
    pub(super) user_scans: f64,
    pub(super) system_ms: f64,
}

impl TranslationReport {
    /// # Errors
    /// When nobody knows how many CPUs there are.
    pub(super) fn of(plan: &Plan, measured: &Measured, records: Records) -> anyhow::Result<Self> {
        let passing = measured.pairs.first();
        let (short, stream): (&[Rounds], &[Rounds]) = passing.map_or((&[], &[]), |pair| {
            (&pair.answers.rounds, &pair.streams.rounds)
        });
        let pairs = measured.pairs.iter();
        let pairs: Vec<_> = pairs.map(|pair| PairFigures::of(pair, stream)).collect();
        let one_copy_ms = median(measured.passes.iter().map(|pass| millis(pass.copy)));
        let one_scan_ms = median(measured.passes.iter().map(|pass| millis(pass.scan)));
        let prompts = measured.prompts.iter();
        let prompts: Vec<_> = prompts
            .map(|prompt| PromptFigures::of(prompt, short, one_scan_ms))
            .collect();
        let worst = |figure: fn(&PairFigures) -> f64| {
            let translated = pairs.iter().filter(|pair| pair.translated);
            greatest(translated.map(figure))
        };
        Ok(Self {
            version: env!("CARGO_PKG_VERSION"),
            cpus: std::thread::available_parallelism()?.get(),
            quick: plan.quick,
            rounds: plan.rounds,
            seconds_per_round: plan.round.as_secs_f64(),
            added_p99_us_c1_max: worst(|pair| pair.answers.comparison.added_p99_us),
            added_us_per_event_max: worst(|pair| pair.streams.added_us_per_event),
            translation_us_per_event_max: worst(|pair| pair.streams.translation_us_per_event),
            prompt_scans_max: greatest(prompts.iter().map(|prompt| prompt.user_scans)),
            content_events_per_stream: CONTENT_EVENTS,
            pairs,
            prompt_bytes: measured.prompt_bytes,
            one_copy_ms,
            one_scan_ms,
            prompts,
            records,
        })
    }
}

impl PairFigures {
    fn of(measured: &PairRounds, passing: &[Rounds]) -> Self {
        let pair = measured.pair;
        Self {
            client: pair.client.name(),
            provider: pair.provider.name(),
            translated: pair.is_translated(),
            answers: Level::of(1, &measured.answers.rounds),
            streams: StreamFigures::of(&measured.streams.rounds, passing),
        }
    }

    pub(super) fn label(&self) -> String {
        format!("{} → {}", self.client, self.provider)
    }
}

impl StreamFigures {
    /// `passing` is what passed in the same rounds.
    fn of(rounds: &[Rounds], passing: &[Rounds]) -> Self {
        let gateway_us = |both: &Rounds| both.gateway.latency_us(0.5);
        let translation = rounds
            .iter()
            .zip(passing)
            .map(|(both, passing)| gateway_us(both) - gateway_us(passing));
        Self {
            direct_p50_us: median(rounds.iter().map(|both| both.direct.latency_us(0.5))),
            gateway_p50_us: median(rounds.iter().map(gateway_us)),
            added_us_per_event: per_event(median(rounds.iter().map(|both| both.added_us(0.5)))),
            translation_us_per_event: per_event(median(translation)),
            cpu_us_per_event: per_event(CpuPerRequest::of(rounds).total_us()),
        }
    }
}

impl PromptFigures {
    fn of(measured: &PromptRounds, short: &[Rounds], one_scan_ms: f64) -> Self {
        let rounds = &measured.answers.rounds;
        let comparison = Comparison::of(rounds);
        let fixed = median(short.iter().map(|both| both.added_us(0.5)));
        let (cpu, fixed_cpu) = (CpuPerRequest::of(rounds), CpuPerRequest::of(short));
        let added_ms = (comparison.added_p50_us - fixed) / 1000.0;
        let user_ms = (cpu.user_us - fixed_cpu.user_us) / 1000.0;
        Self {
            dialect: measured.dialect.name(),
            comparison,
            added_ms,
            added_scans: added_ms / one_scan_ms,
            user_ms,
            user_scans: user_ms / one_scan_ms,
            system_ms: (cpu.system_us - fixed_cpu.system_us) / 1000.0,
        }
    }
}

/// The gateway's CPU time for one request, over all rounds together: the kernel counts it in steps of 10 ms.
#[derive(Debug, Clone, Copy)]
struct CpuPerRequest {
    user_us: f64,
    system_us: f64,
}

impl CpuPerRequest {
    #[expect(
        clippy::cast_precision_loss,
        reason = "CPU time and requests of a benchmark are far below 2^52"
    )]
    fn of(rounds: &[Rounds]) -> Self {
        let answered: u64 = rounds.iter().map(|both| both.gateway.answered).sum();
        let user_us: u64 = rounds.iter().map(|both| both.cpu.user_us).sum();
        let system_us: u64 = rounds.iter().map(|both| both.cpu.system_us).sum();
        let answered = answered.max(1) as f64;
        Self {
            user_us: user_us as f64 / answered,
            system_us: system_us as f64 / answered,
        }
    }

    fn total_us(self) -> f64 {
        self.user_us + self.system_us
    }
}

fn per_event(stream_us: f64) -> f64 {
    let events = u32::try_from(CONTENT_EVENTS).map_or(f64::INFINITY, f64::from);
    stream_us / events
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn greatest(values: impl Iterator<Item = f64>) -> f64 {
    values.max_by(f64::total_cmp).unwrap_or_default()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::cli::bench::{
        Subject,
        dialect::{Ask, Dialect},
        gateway::CpuTime,
        load::{Round, Timed},
        pairs::{Ends, Pair},
        prompt::OnePass,
        setup::Setup,
        translation::Question,
    };

    /// Rounds of one request each, with these latencies in microseconds and the gateway's CPU time.
    fn rounds(latencies_us: &[(u64, u64)], user_us: u64) -> Question {
        let round = |(direct, gateway): &(u64, u64)| Rounds {
            direct: Round::with_latencies_us(&[*direct]),
            gateway: Round::with_latencies_us(&[*gateway]),
            cpu: CpuTime {
                user_us,
                system_us: 200,
            },
        };
        let nowhere = ([127, 0, 0, 1], 9).into();
        let ends = Ends {
            provider: nowhere,
            gateway: nowhere,
        };
        let sides = Pair::PASSING.sides(Ask::Short, &Setup::new().unwrap(), ends);
        let mut question = Question::new(sides, Timed::WholeAnswer);
        question.rounds.extend(latencies_us.iter().map(round));
        question
    }

    fn measured() -> Measured {
        let pair = |pair, answers, streams| PairRounds {
            pair,
            answers,
            streams,
        };
        let [messages, responses, ..] = Pair::TRANSLATED;
        Measured {
            pairs: vec![
                pair(
                    Pair::PASSING,
                    rounds(&[(100, 150)], 40),
                    rounds(&[(1000, 2000), (1000, 3000), (1000, 2500)], 100),
                ),
                pair(
                    messages,
                    rounds(&[(100, 300)], 60),
                    rounds(&[(1000, 4000), (1000, 9000), (1000, 4500)], 1800),
                ),
                pair(
                    responses,
                    rounds(&[(100, 250)], 60),
                    rounds(&[(1000, 6000), (1000, 7000), (1000, 6500)], 3800),
                ),
            ],
            prompts: vec![PromptRounds {
                dialect: Dialect::Chat,
                answers: rounds(&[(2000, 5050)], 1540),
            }],
            passes: vec![OnePass {
                copy: Duration::from_micros(100),
                scan: Duration::from_millis(1),
            }],
            prompt_bytes: 1_100_000,
        }
    }

    pub(in crate::cli::bench) fn report() -> TranslationReport {
        let plan = Plan {
            quick: true,
            subject: Subject::Dialect,
            rounds: 3,
            round: Duration::from_millis(300),
            streams: 0,
            loaded_requests: 0,
            rows: 0,
        };
        let records = Records {
            answered: 10,
            written: 10,
        };
        TranslationReport::of(&plan, &measured(), records).unwrap()
    }

    #[track_caller]
    fn assert_near(found: f64, expected: f64) {
        // Histograms keep three digits.
        let off = (found - expected).abs();
        assert!(
            off <= expected.abs() * 0.005,
            "{found} instead of {expected}"
        );
    }

    #[test]
    fn a_stream_is_compared_with_the_provider_and_with_what_passes_in_the_same_round() {
        let report = report();
        let [passing, messages, responses] = report.pairs.as_slice() else {
            panic!("{report:?}");
        };
        assert_near(passing.streams.translation_us_per_event, 0.0);
        assert_near(passing.streams.added_us_per_event, 1500.0 / 200.0);
        // 2000, 6000 and 2000 more than what passed.
        assert_near(messages.streams.translation_us_per_event, 2000.0 / 200.0);
        assert_near(messages.streams.added_us_per_event, 3500.0 / 200.0);
        assert_near(messages.streams.cpu_us_per_event, 2000.0 / 200.0);
        assert_near(responses.streams.translation_us_per_event, 4000.0 / 200.0);
    }

    #[test]
    fn the_worst_of_the_translated_pairs_is_named() {
        let report = report();
        assert_near(report.added_p99_us_c1_max, 200.0);
        assert_near(report.added_us_per_event_max, 5500.0 / 200.0);
        assert_near(report.translation_us_per_event_max, 4000.0 / 200.0);
        assert_near(report.prompt_scans_max, 1.5);
    }

    #[test]
    fn a_prompt_is_charged_for_its_bytes_alone() {
        let report = report();
        let prompt = &report.prompts[0];
        assert_near(prompt.added_ms, 3.0);
        assert_near(prompt.added_scans, 3.0);
        assert_near(prompt.user_ms, 1.5);
        assert_near(prompt.system_ms, 0.0);
        assert_near(report.one_copy_ms, 0.1);
    }

    #[test]
    fn the_json_has_the_promised_keys() {
        let json = serde_json::to_value(report()).unwrap();
        for pointer in [
            "/added_p99_us_c1_max",
            "/added_us_per_event_max",
            "/translation_us_per_event_max",
            "/prompt_scans_max",
            "/one_scan_ms",
            "/one_copy_ms",
            "/pairs/1/answers/added_p99_us",
            "/pairs/1/streams/added_us_per_event",
            "/pairs/1/streams/translation_us_per_event",
            "/prompts/0/added_ms",
            "/prompts/0/user_scans",
            "/records/answered",
        ] {
            let figure = json.pointer(pointer);
            assert!(
                figure.is_some_and(serde_json::Value::is_number),
                "{pointer}"
            );
        }
        assert_eq!(json["pairs"][0]["translated"], false);
        assert_eq!(json["pairs"][1]["client"], "chat");
        assert_eq!(json["pairs"][1]["provider"], "messages");
    }
}
