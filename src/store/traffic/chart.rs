//! Putting a chart together: what was counted, by line and by step, and in the end the largest lines and the rest.

use std::{collections::BTreeMap, sync::Arc};

use ferrogate_api::{TimeseriesBy, TimeseriesLine, TimeseriesMetric, TimeseriesStep};
use hashbrown::HashMap;

use super::{book::Cell, histogram::Histogram};

/// The steps of a chart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Steps {
    pub(super) step: TimeseriesStep,
    /// A whole multiple of the step.
    pub(super) since_unix_ms: i64,
    pub(super) count: usize,
}

/// What one line shows of one step, or of all of them.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Sum(i64),
    Tokens { input: i64, output: i64 },
    Times(Histogram),
}

/// A chart that is being put together.
#[derive(Debug)]
pub(super) struct Chart {
    metric: TimeseriesMetric,
    steps: Steps,
    lines: HashMap<Line, Vec<Value>>,
}

/// Which line.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Line {
    /// By its name; what has none, or a line of everything, is without.
    Own(Option<Arc<str>>),
    /// What was not told apart when it was counted.
    Other,
}

impl Steps {
    pub(super) fn end_unix_ms(self) -> i64 {
        let count = i64::try_from(self.count).unwrap_or(i64::MAX);
        self.since_unix_ms
            .saturating_add(self.step.millis().saturating_mul(count))
    }

    fn index(self, window_start_unix_ms: i64) -> Option<usize> {
        let index = (window_start_unix_ms - self.since_unix_ms).div_euclid(self.step.millis());
        usize::try_from(index)
            .ok()
            .filter(|index| *index < self.count)
    }

    pub(super) fn starts(self) -> Vec<i64> {
        let step = self.step.millis();
        let starts = (0i64..).map(|index| self.since_unix_ms + index * step);
        starts.take(self.count).collect()
    }
}

impl Value {
    /// What `metric` shows of a window.
    pub(super) fn of(metric: TimeseriesMetric, cell: &Cell) -> Self {
        let sums = &cell.sums;
        match metric {
            TimeseriesMetric::Requests => Self::Sum(sums.requests),
            TimeseriesMetric::Errors => Self::Sum(sums.errors),
            TimeseriesMetric::ClientErrors => Self::Sum(sums.client_errors),
            TimeseriesMetric::RateLimited => Self::Sum(sums.rate_limited),
            TimeseriesMetric::CacheHits => Self::Sum(sums.cache_hits),
            TimeseriesMetric::Cost => Self::Sum(sums.cost_nanos),
            TimeseriesMetric::Tokens => Self::Tokens {
                input: sums.input_tokens,
                output: sums.output_tokens,
            },
            TimeseriesMetric::Latency => Self::Times(cell.latency.clone()),
            TimeseriesMetric::Ttft => Self::Times(cell.ttft.clone()),
            TimeseriesMetric::Overhead => Self::Times(cell.overhead.clone()),
        }
    }

    fn nothing(metric: TimeseriesMetric) -> Self {
        Self::of(metric, &Cell::default())
    }

    /// Both are of one metric.
    fn add(&mut self, other: &Self) {
        match (self, other) {
            (Self::Sum(sum), Self::Sum(more)) => *sum = sum.saturating_add(*more),
            (
                Self::Tokens { input, output },
                Self::Tokens {
                    input: more,
                    output: further,
                },
            ) => {
                *input = input.saturating_add(*more);
                *output = output.saturating_add(*further);
            }
            (Self::Times(times), Self::Times(more)) => times.merge(more),
            (Self::Sum(_) | Self::Tokens { .. } | Self::Times(_), _) => {}
        }
    }

    /// By which lines are ranked.
    fn weight(&self) -> i64 {
        match self {
            Self::Sum(sum) => *sum,
            Self::Tokens { input, output } => input.saturating_add(*output),
            Self::Times(times) => i64::try_from(times.count()).unwrap_or(i64::MAX),
        }
    }

    /// By their names on the wire.
    fn named(&self, metric: TimeseriesMetric) -> Vec<(&'static str, Option<i64>)> {
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        match self {
            Self::Sum(sum) if metric == TimeseriesMetric::Cost => vec![("nanos", Some(*sum))],
            Self::Sum(sum) => vec![("count", Some(*sum))],
            Self::Tokens { input, output } => {
                vec![("input", Some(*input)), ("output", Some(*output))]
            }
            Self::Times(times) => vec![
                ("count", Some(whole(times.count()))),
                ("p50", times.permille(500).map(whole)),
                ("p95", times.permille(950).map(whole)),
                ("p99", times.permille(990).map(whole)),
            ],
        }
    }
}

impl Chart {
    pub(super) fn new(metric: TimeseriesMetric, steps: Steps) -> Self {
        Self {
            metric,
            steps,
            lines: HashMap::new(),
        }
    }

    /// Adds what was counted in one window, which lies within one step; what lies outside of all is left out.
    pub(super) fn add(&mut self, line: &Line, window_start_unix_ms: i64, value: &Value) {
        let Some(index) = self.steps.index(window_start_unix_ms) else {
            return;
        };
        let (metric, count) = (self.metric, self.steps.count);
        let values = self
            .lines
            .entry_ref(line)
            .or_insert_with(|| vec![Value::nothing(metric); count]);
        values[index].add(value);
    }

    /// The `top` largest lines, then one of all the rest. A chart of everything always has its one line.
    pub(super) fn finish(mut self, by: TimeseriesBy, top: usize) -> Vec<TimeseriesLine> {
        let nothing = vec![Value::nothing(self.metric); self.steps.count];
        if by == TimeseriesBy::None {
            self.lines
                .entry(Line::Own(None))
                .or_insert_with(|| nothing.clone());
        }
        let mut lines: Vec<(Line, Value, Vec<Value>)> = self
            .lines
            .into_iter()
            .map(|(line, values)| {
                let mut total = Value::nothing(self.metric);
                for value in &values {
                    total.add(value);
                }
                (line, total, values)
            })
            .collect();
        // Of two that are as large the first by name, so that a chart does not flicker.
        lines.sort_unstable_by(|one, other| {
            let order = other.1.weight().cmp(&one.1.weight());
            order.then_with(|| one.0.cmp(&other.0))
        });
        let mut own = Vec::new();
        let mut rest: Option<(Value, Vec<Value>)> = None;
        for (line, total, values) in lines {
            match line {
                Line::Own(name) if own.len() < top => {
                    own.push(drawn(self.metric, name, (&total, &values)));
                }
                Line::Own(_) | Line::Other => {
                    let (sum, sums) =
                        rest.get_or_insert_with(|| (Value::nothing(self.metric), nothing.clone()));
                    sum.add(&total);
                    for (sum, value) in sums.iter_mut().zip(&values) {
                        sum.add(value);
                    }
                }
            }
        }
        let rest = rest.map(|(total, values)| TimeseriesLine {
            is_other: true,
            ..drawn(self.metric, None, (&total, &values))
        });
        own.into_iter().chain(rest).collect()
    }
}

impl From<&Line> for Line {
    fn from(line: &Line) -> Self {
        line.clone()
    }
}

fn drawn(
    metric: TimeseriesMetric,
    name: Option<Arc<str>>,
    (total, values): (&Value, &[Value]),
) -> TimeseriesLine {
    let mut by_name: BTreeMap<Arc<str>, Vec<Option<i64>>> = BTreeMap::new();
    for value in values {
        for (name, number) in value.named(metric) {
            match by_name.get_mut(name) {
                Some(numbers) => numbers.push(number),
                None => {
                    by_name.insert(name.into(), vec![number]);
                }
            }
        }
    }
    let totals = total.named(metric);
    TimeseriesLine {
        name,
        is_other: false,
        values: by_name,
        totals: totals
            .into_iter()
            .map(|(name, number)| (name.into(), number))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(count: usize) -> Steps {
        Steps {
            step: TimeseriesStep::Minute,
            since_unix_ms: 60_000,
            count,
        }
    }

    fn own(name: &str) -> Line {
        Line::Own(Some(name.into()))
    }

    #[test]
    fn the_largest_lines_stand_alone_and_the_rest_is_one() {
        let mut chart = Chart::new(TimeseriesMetric::Requests, steps(3));
        for (name, minute, count) in [
            ("small", 1, 1),
            ("large", 1, 5),
            ("middle", 3, 3),
            ("large", 2, 2),
            ("tiny", 3, 1),
            ("large", 4, 99),
            ("large", 0, 99),
        ] {
            chart.add(&own(name), minute * 60_000, &Value::Sum(count));
        }
        chart.add(&Line::Other, 60_000, &Value::Sum(40));
        let lines = chart.finish(TimeseriesBy::Key, 2);
        let seen: Vec<_> = lines
            .iter()
            .map(|line| {
                (
                    line.name.as_deref(),
                    line.is_other,
                    &line.values["count"][..],
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                (Some("large"), false, &[Some(5), Some(2), Some(0)][..]),
                (Some("middle"), false, &[Some(0), Some(0), Some(3)][..]),
                (None, true, &[Some(41), Some(0), Some(1)][..]),
            ]
        );
        assert_eq!(lines[0].totals["count"], Some(7));
    }

    #[test]
    fn a_percentile_of_a_line_is_one_of_all_that_was_measured() {
        let mut chart = Chart::new(TimeseriesMetric::Latency, steps(2));
        let times = |values: &[u64]| {
            let mut times = Histogram::default();
            for value in values {
                times.record(*value);
            }
            Value::Times(times)
        };
        chart.add(&Line::Own(None), 60_000, &times(&[10, 10, 10]));
        chart.add(&Line::Own(None), 60_000, &times(&[30]));
        let lines = chart.finish(TimeseriesBy::None, 1);
        assert_eq!(lines[0].values["p50"], [Some(10), None]);
        assert_eq!(lines[0].values["p99"], [Some(30), None]);
        assert_eq!(lines[0].values["count"], [Some(4), Some(0)]);
        assert_eq!(lines[0].totals["p95"], Some(30));
    }

    #[test]
    fn a_chart_of_everything_has_a_line_though_nothing_happened() {
        let lines = Chart::new(TimeseriesMetric::Tokens, steps(2)).finish(TimeseriesBy::None, 5);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].values["input"], [Some(0), Some(0)]);
        assert!(
            Chart::new(TimeseriesMetric::Tokens, steps(2))
                .finish(TimeseriesBy::Key, 5)
                .is_empty()
        );
    }
}
