//! One day's rollups, reckoned and compared.

use std::{collections::HashMap, sync::Arc};

use rusqlite::{Error, Row, params};

use super::{Verification, day, report};
use crate::store::usage_rollups::{COLUMNS, DAY_MS, HOUR_MS, MINUTE_MS, Sums, floor};

/// The names of keys, models and providers, each as a number: there are few names and many rows.
#[derive(Debug, Default)]
pub(super) struct Names {
    numbers: HashMap<Arc<str>, usize>,
    names: Vec<Arc<str>>,
}

impl Names {
    fn number(&mut self, name: &str) -> usize {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let name: Arc<str> = name.into();
        self.names.push(Arc::clone(&name));
        let number = self.names.len() - 1;
        self.numbers.insert(name, number);
        number
    }
}

/// A window's start, and the numbers of key, model and provider.
type Key = (i64, [usize; 3]);

/// The sums of one day by minute.
#[derive(Debug, Default)]
pub(super) struct DaySums(HashMap<Key, Sums>);

impl DaySums {
    pub(super) fn add(&mut self, names: &mut Names, at_unix_ms: i64, of: [&str; 3], sums: &Sums) {
        let of = of.map(|name| names.number(name));
        let key = (floor(at_unix_ms, MINUTE_MS), of);
        self.0.entry(key).or_default().add(sums);
    }

    fn in_windows_of(&self, span_ms: i64) -> HashMap<Key, Sums> {
        let mut windows: HashMap<Key, Sums> = HashMap::new();
        for ((start, of), sums) in &self.0 {
            let key = (floor(*start, span_ms), *of);
            windows.entry(key).or_default().add(sums);
        }
        windows
    }
}

impl Verification<'_> {
    pub(super) fn compare_rollups(&mut self, start: i64, sums: &DaySums) -> Result<(), Error> {
        let kept_from = &self.kept_from;
        for (span_ms, span, kept_from) in [
            (MINUTE_MS, "minute", kept_from.minutes_unix_ms),
            (HOUR_MS, "hour", kept_from.hours_unix_ms),
            (DAY_MS, "day", day::FIRST_UNIX_MS),
        ] {
            // A window can be reckoned while all its events are here, and must be here itself unless it was to leave.
            let kept_from = kept_from.max(self.kept_from.events_unix_ms);
            let mut expected = sums.in_windows_of(span_ms);
            expected.retain(|(start, _), _| *start >= kept_from);
            let mut select = self.connection.prepare_cached(
                "SELECT * FROM usage_rollups
                 WHERE span_ms = ?1 AND window_start_unix_ms >= ?2 AND window_start_unix_ms < ?3",
            )?;
            let mut rows = select.query(params![span_ms, start, day::end(start)])?;
            while let Some(row) = rows.next()? {
                self.report.usage_rollups += 1;
                let key = key(&mut self.names, row)?;
                if key.0 < kept_from {
                    continue;
                }
                let expected = expected.remove(&key).unwrap_or_default();
                self.compare_row((span, key), &expected, columns(row)?);
            }
            let mut missing: Vec<_> = expected.into_iter().collect();
            missing.sort_unstable_by_key(|(key, _)| *key);
            for (key, expected) in missing {
                self.compare_row((span, key), &expected, [0; COLUMNS.len()]);
            }
        }
        Ok(())
    }

    fn compare_row(
        &mut self,
        (span, (start, of)): (&str, Key),
        expected: &Sums,
        found: [i64; COLUMNS.len()],
    ) {
        let columns = COLUMNS.into_iter().zip(expected.columns()).zip(found);
        for ((column, expected), found) in columns {
            if expected != found {
                let [key, model, provider] =
                    of.map(|number| self.names.names.get(number).map_or("", |name| &**name));
                let start = report::time(start);
                let what =
                    format!("usage_rollups {span} {start} {key} {model} {provider}: {column}");
                self.report.differ(what, expected, found);
            }
        }
    }
}

fn key(names: &mut Names, row: &Row<'_>) -> Result<Key, Error> {
    let mut of = [0; 3];
    for (number, column) in of.iter_mut().zip(["api_key_id", "model", "provider"]) {
        let index = row.as_ref().column_index(column)?;
        *number = names.number(row.get_ref(index)?.as_str()?);
    }
    Ok((row.get("window_start_unix_ms")?, of))
}

fn columns(row: &Row<'_>) -> Result<[i64; COLUMNS.len()], Error> {
    let mut values = [0; COLUMNS.len()];
    for (value, column) in values.iter_mut().zip(COLUMNS) {
        *value = row.get(column)?;
    }
    Ok(values)
}
