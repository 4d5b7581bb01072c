//! A finished request as a row of a table: which columns fit, and what stands in them.

use std::sync::Arc;

use ferrogate_api::{Outcome, RequestLog};

use crate::{
    format,
    theme::Theme,
    widgets::columns::{Cell, Column, Side},
};

/// What a column of the request table shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Time,
    Status,
    Model,
    Provider,
    Millis,
    Ttft,
    Tokens,
    Cost,
    Key,
    Outcome,
}

/// The columns for a width: the time loses its milliseconds and columns go, then what is left over is shared out.
#[derive(Debug)]
pub struct RequestColumns {
    fields: Vec<Field>,
    pub columns: Vec<Column>,
}

impl RequestColumns {
    pub fn for_width(width: u16) -> Self {
        use Field::{Cost, Key, Millis, Model, Outcome, Provider, Status, Time, Tokens, Ttft};
        let mut fields = vec![
            Time, Status, Model, Provider, Millis, Ttft, Tokens, Cost, Key, Outcome,
        ];
        let width = usize::from(width);
        let used_by = |fields: &[Field]| {
            let columns = fields.iter().map(|field| field.column(false).width + 1);
            1 + columns.sum::<usize>()
        };
        for least_important in [Cost, Ttft, Key, Provider, Tokens] {
            if used_by(&fields) > width {
                fields.retain(|field| *field != least_important);
            }
        }
        // The milliseconds come last: first there must be room for reasons.
        let wide_time = used_by(&fields) + 4 + 8 <= width;
        let mut columns: Vec<Column> = fields.iter().map(|field| field.column(wide_time)).collect();
        let used: usize = 1 + columns.iter().map(|column| column.width + 1).sum::<usize>();
        let mut spare = width.saturating_sub(used);
        for (wanted, most) in [(Outcome, 24), (Model, 26), (Key, 20), (Provider, 18)] {
            if let Some(index) = fields.iter().position(|field| *field == wanted) {
                let more = (most - columns[index].width).min(spare);
                columns[index].width += more;
                spare -= more;
            }
        }
        Self { fields, columns }
    }

    pub fn cells(&self, log: &RequestLog, theme: &Theme) -> Vec<Cell> {
        let wide_time = self.columns.first().is_some_and(|column| column.width > 8);
        self.fields
            .iter()
            .map(|field| field.cell(log, wide_time, theme))
            .collect()
    }
}

impl Field {
    fn column(self, wide_time: bool) -> Column {
        let (title, width, side) = match self {
            Self::Time => ("TIME", if wide_time { 12 } else { 8 }, Side::Left),
            Self::Status => ("ST", 3, Side::Left),
            Self::Model => ("MODEL", 10, Side::Left),
            Self::Provider => ("PROVIDER", 8, Side::Left),
            Self::Millis => ("MS", 5, Side::Right),
            Self::Ttft => ("TTFT", 5, Side::Right),
            Self::Tokens => ("TOK in/out", 10, Side::Right),
            Self::Cost => ("COST", 8, Side::Right),
            Self::Key => ("KEY", 8, Side::Left),
            Self::Outcome => ("OUTCOME", 7, Side::Left),
        };
        Column { title, width, side }
    }

    fn cell(self, log: &RequestLog, wide_time: bool, theme: &Theme) -> Cell {
        let named = |name: &Option<Arc<str>>| name.as_deref().unwrap_or("-").to_owned();
        let numbers = |text: Option<String>| match text {
            Some(text) => (text, theme.text),
            None => ("-".to_owned(), theme.muted),
        };
        match self {
            Self::Time if wide_time => {
                (format::time_of_day_ms(log.started_at_unix_ms), theme.muted)
            }
            Self::Time => (format::time_of_day(log.started_at_unix_ms), theme.muted),
            Self::Status => (log.status.to_string(), theme.status(log.status)),
            Self::Model if log.model.is_none() => (log.path.clone(), theme.muted),
            Self::Model => (named(&log.model), theme.text),
            Self::Provider => (named(&log.provider), theme.cool),
            Self::Millis => (format::millis(log.duration_us), theme.text),
            Self::Ttft => numbers(log.ttft_us.map(format::millis)),
            Self::Tokens => tokens(log, theme),
            Self::Cost => numbers(log.cost_nanos.map(format::money)),
            Self::Key => (named(&log.api_key_id), theme.muted),
            Self::Outcome => outcome(log, theme),
        }
    }
}

fn tokens(log: &RequestLog, theme: &Theme) -> Cell {
    let (input, output) = (log.tokens.input, log.tokens.output);
    if input == 0 && output == 0 {
        return ("-".to_owned(), theme.muted);
    }
    let text = format!("{}/{}", format::count(input), format::count(output));
    (text, theme.text)
}

/// The outcome, or better the reason, where there is one.
fn outcome(log: &RequestLog, theme: &Theme) -> Cell {
    let tries = match log.attempts {
        0 | 1 => String::new(),
        attempts => format!(" try {attempts}"),
    };
    match log.outcome {
        Outcome::Complete if log.status < 400 => {
            let kind = if log.stream { "stream" } else { "ok" };
            (format!("{kind}{tries}"), theme.muted)
        }
        _ => {
            let reason = log.error_code.as_deref().unwrap_or(log.outcome.as_str());
            (
                format!("{reason}{tries}"),
                theme.status(log.status.max(400)),
            )
        }
    }
}
