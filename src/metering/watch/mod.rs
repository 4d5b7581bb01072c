//! What the requests of the last minutes were like, as far as somebody watches.
//!
//! An alert rule must see traffic while the disk stands still, which may be what it is about, so that this is memory
//! alone: neither the request logs nor the charts, which follow the writer. Nothing is kept but what a rule asks for: each
//! distinct question has one [`window::Window`], so that it costs nothing while there is none, and many keys and models
//! cost no more than few. What has ended before a question was asked is not in its answer.

mod window;

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ferrogate_api::RequestLog;
use parking_lot::{Mutex, RwLock};

pub use self::window::Sums;
use self::window::Window;
use crate::clock::Clock;

/// Which requests are watched, for what and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Question {
    pub times: Times,
    pub window: Duration,
    pub model: Option<Arc<str>>,
    pub provider: Option<Arc<str>>,
    pub api_key: Option<Arc<str>>,
}

/// Which times are kept, of which there is a percentile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Times {
    None,
    /// From the first header to the last byte.
    Latency,
    /// From the first header to the first content.
    FirstContent,
}

/// The requests that are watched. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Watch(Arc<Inner>);

struct Inner {
    clock: Clock,
    /// Whether there is any question: one relaxed load at the end of every request.
    is_asked: AtomicBool,
    answers: RwLock<HashMap<Question, Mutex<Window>>>,
}

impl Watch {
    pub fn new(clock: Clock) -> Self {
        Self(Arc::new(Inner {
            clock,
            is_asked: AtomicBool::new(false),
            answers: RwLock::default(),
        }))
    }

    /// Watches for these questions, and no longer for others. What is known for one that was asked already stays.
    pub fn ask<'q>(&self, questions: impl IntoIterator<Item = &'q Question>) {
        let asked: HashSet<&Question> = questions.into_iter().collect();
        // Most often they are those of the last time, and then no request waits for this.
        let is_known = |answers: &HashMap<Question, _>| {
            asked.len() == answers.len() && asked.iter().all(|one| answers.contains_key(*one))
        };
        if is_known(&self.0.answers.read()) {
            return;
        }
        let now = self.0.clock.unix_ms();
        let mut answers = self.0.answers.write();
        answers.retain(|question, _| asked.contains(question));
        for question in asked {
            let window = || Mutex::new(Window::new(question.window, now));
            answers.entry(question.clone()).or_insert_with(window);
        }
        self.0
            .is_asked
            .store(!answers.is_empty(), Ordering::Relaxed);
    }

    /// Counts a request that ended.
    pub fn record(&self, log: &RequestLog) {
        if !self.0.is_asked.load(Ordering::Relaxed) {
            return;
        }
        let now = self.0.clock.unix_ms();
        for (question, window) in self.0.answers.read().iter() {
            if question.takes(log) {
                window.lock().record(log, question.times, now);
            }
        }
    }

    /// What there is to say to a question; nothing where it was not asked.
    pub fn answer(&self, question: &Question) -> Option<Sums> {
        let now = self.0.clock.unix_ms();
        let answers = self.0.answers.read();
        let sums = answers.get(question)?.lock().sums(now);
        Some(sums)
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answers = self.0.answers.read();
        // Not the windows: thousands of zeros.
        f.debug_list().entries(answers.keys()).finish()
    }
}

impl Question {
    fn takes(&self, log: &RequestLog) -> bool {
        let is = |wanted: &Option<Arc<str>>, found: &Option<Arc<str>>| {
            wanted.is_none() || wanted == found
        };
        is(&self.model, &log.model)
            && is(&self.provider, &log.provider)
            && is(&self.api_key, &log.api_key_id)
    }
}

#[cfg(test)]
mod tests {
    use ferrogate_api::{Outcome, Tokens};

    use super::*;

    const START: i64 = 1_767_225_600_000;

    fn question(times: Times, window_secs: u64) -> Question {
        Question {
            times,
            window: Duration::from_secs(window_secs),
            model: None,
            provider: None,
            api_key: None,
        }
    }

    fn log(status: u16, duration_ms: u64) -> RequestLog {
        RequestLog {
            status,
            outcome: Outcome::Complete,
            duration_us: duration_ms * 1000,
            ttft_us: Some(duration_ms * 500),
            model: Some("fast".into()),
            provider: Some("openai".into()),
            api_key_id: Some("dev".into()),
            tokens: Tokens {
                input: 7,
                output: 3,
                ..Tokens::default()
            },
            cost_nanos: Some(11),
            ..RequestLog::default()
        }
    }

    fn watch(questions: &[Question]) -> (Watch, Clock) {
        let clock = Clock::manual(START);
        let watch = Watch::new(clock.clone());
        watch.ask(questions);
        (watch, clock)
    }

    #[test]
    fn requests_leave_when_the_window_has_passed_over_them() {
        let asked = question(Times::None, 60);
        let (watch, clock) = watch(std::slice::from_ref(&asked));
        watch.record(&log(200, 5));
        watch.record(&log(500, 5));
        watch.record(&log(429, 5));
        let requests = |watch: &Watch| watch.answer(&asked).unwrap().requests;
        assert_eq!(requests(&watch), 3);
        clock.advance_ms(30_000);
        watch.record(&log(200, 5));
        let sums = watch.answer(&asked).unwrap();
        assert_eq!((sums.requests, sums.errors, sums.rate_limited), (4, 1, 1));
        assert_eq!((sums.tokens, sums.cost_nanos), (40, 44));
        assert_eq!(sums.covered_ms, 30_000);
        assert!(!sums.is_whole);
        clock.advance_ms(30_000);
        assert_eq!(requests(&watch), 1);
        assert!(watch.answer(&asked).unwrap().is_whole);
        clock.advance_ms(30_000);
        assert_eq!(requests(&watch), 0);
        // A round later the same places of the ring are used again.
        clock.advance_ms(3_600_000);
        watch.record(&log(200, 5));
        assert_eq!(requests(&watch), 1);
    }

    #[test]
    fn a_question_is_about_its_own_requests_alone() {
        let all = question(Times::None, 60);
        let of = |model: &str, provider: &str, key: &str| Question {
            model: Some(model.into()),
            provider: Some(provider.into()),
            api_key: Some(key.into()),
            ..all.clone()
        };
        let questions = [
            all.clone(),
            of("fast", "openai", "dev"),
            of("slow", "openai", "dev"),
            of("fast", "azure", "dev"),
            of("fast", "openai", "ops"),
        ];
        let (watch, _) = watch(&questions);
        watch.record(&log(200, 5));
        watch.record(&RequestLog {
            model: None,
            ..log(200, 5)
        });
        let found = questions
            .iter()
            .map(|question| watch.answer(question).unwrap().requests);
        assert_eq!(found.collect::<Vec<_>>(), [2, 1, 0, 0, 0]);
    }

    #[test]
    fn percentiles_are_of_all_times_in_the_window() {
        let (latency, first) = (
            question(Times::Latency, 300),
            question(Times::FirstContent, 300),
        );
        let (watch, clock) = watch(&[latency.clone(), first.clone()]);
        assert_eq!(watch.answer(&latency).unwrap().p95_ms, None);
        for ms in 1..=100 {
            watch.record(&log(200, ms * 10));
            clock.advance_ms(1000);
        }
        let p95 = |question| watch.answer(question).unwrap().p95_ms.unwrap();
        assert!((945..=960).contains(&p95(&latency)), "{}", p95(&latency));
        assert!((470..=480).contains(&p95(&first)), "{}", p95(&first));
        let silent = RequestLog {
            ttft_us: None,
            ..log(200, 60_000)
        };
        (0..50).for_each(|_| watch.record(&silent));
        assert!((470..=480).contains(&p95(&first)));
        assert!(p95(&latency) >= 59_000);
    }

    #[test]
    fn what_is_known_survives_other_questions() {
        let (kept, left) = (question(Times::None, 60), question(Times::None, 120));
        let (watch, _) = watch(&[kept.clone(), left.clone()]);
        watch.record(&log(200, 5));
        watch.ask(&[question(Times::None, 30), kept.clone()]);
        assert_eq!(watch.answer(&kept).unwrap().requests, 1);
        assert_eq!(watch.answer(&left), None);
        watch.ask(&[]);
        watch.record(&log(200, 5));
        assert_eq!(watch.answer(&kept), None);
        assert_eq!(format!("{watch:?}"), "[]");
    }

    #[test]
    fn a_clock_that_is_set_back_counts_nothing_twice() {
        let asked = question(Times::None, 60);
        let (watch, clock) = watch(std::slice::from_ref(&asked));
        watch.record(&log(200, 5));
        clock.advance_ms(-3_600_000);
        watch.record(&log(200, 5));
        let sums = watch.answer(&asked).unwrap();
        assert_eq!((sums.requests, sums.covered_ms), (1, 0));
    }
}
