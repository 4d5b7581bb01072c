//! What is in flight, and what has just ended.

use std::sync::Arc;

use ferrogate_api::{InFlightRequest, Phase};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
    widgets::{Paragraph, Widget},
};

use crate::{
    app::Model,
    format,
    screens::requests::view::first_steps,
    theme::Theme,
    widgets::{
        columns::{Column, Side, draw_row, draw_titles},
        panel::panel,
        request_row::RequestColumns,
    },
};

/// Rows for requests in flight where they share a panel with the finished ones.
const IN_FLIGHT_SHARE: usize = 3;

pub(super) fn in_flight(model: &Model, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let figure = vec![Span::styled(
        model.in_flight.total.to_string(),
        theme.accent,
    )];
    let inner = panel("in flight, oldest first", figure, theme, area, buffer);
    if model.in_flight.requests.is_empty() {
        let idle = Line::from(Span::styled("nothing is in flight", theme.muted));
        Paragraph::new(idle).centered().render(inner, buffer);
        return;
    }
    let columns = in_flight_columns(inner.width);
    let mut rows = inner.rows();
    if let Some(row) = rows.next() {
        draw_titles(&columns, theme.muted, row, buffer);
    }
    for (row, request) in rows.zip(&model.in_flight.requests) {
        let cells = in_flight_cells(request, model.shown_unix_ms(), theme);
        draw_row(&columns, cells, None, row, buffer);
    }
}

pub(super) fn finished(model: &Model, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let figure = vec![Span::styled("2 opens", theme.muted)];
    let inner = panel("just finished", figure, theme, area, buffer);
    if model.buffer.newest().next().is_none() {
        first_steps(model, theme, inner, buffer);
        return;
    }
    let columns = RequestColumns::for_width(inner.width);
    let mut rows = inner.rows();
    if let Some(row) = rows.next() {
        draw_titles(&columns.columns, theme.muted, row, buffer);
    }
    for (row, log) in rows.zip(model.buffer.newest()) {
        draw_row(
            &columns.columns,
            columns.cells(log, theme),
            None,
            row,
            buffer,
        );
    }
}

/// One panel for a narrow screen: the oldest in flight first, then what has ended.
pub(super) fn both(model: &Model, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let total = format!("{} in flight", model.in_flight.total);
    let figure = vec![Span::styled(total, theme.accent)];
    let inner = panel("live", figure, theme, area, buffer);
    if model.buffer.newest().next().is_none() && model.in_flight.requests.is_empty() {
        first_steps(model, theme, inner, buffer);
        return;
    }
    let share = IN_FLIGHT_SHARE.min(usize::from(inner.height) / 3);
    let mut rows = inner.rows();
    let flight_columns = in_flight_columns(inner.width);
    let oldest = model.in_flight.requests.iter().take(share);
    for (request, row) in oldest.zip(rows.by_ref()) {
        let cells = in_flight_cells(request, model.shown_unix_ms(), theme);
        draw_row(&flight_columns, cells, None, row, buffer);
    }
    let columns = RequestColumns::for_width(inner.width);
    for (log, row) in model.buffer.newest().zip(rows) {
        draw_row(
            &columns.columns,
            columns.cells(log, theme),
            None,
            row,
            buffer,
        );
    }
}

fn in_flight_columns(width: u16) -> Vec<Column> {
    let column = |title, width, side| Column { title, width, side };
    let mut columns = vec![
        column("AGE", 8, Side::Right),
        column("PHASE", 11, Side::Left),
        column("MODEL", 10, Side::Left),
        column("PROVIDER", 9, Side::Left),
        column("KEY", 8, Side::Left),
    ];
    let used = |columns: &[Column]| 1 + columns.iter().map(|c| c.width + 1).sum::<usize>();
    let width = usize::from(width);
    while used(&columns) > width && columns.len() > 3 {
        columns.pop();
    }
    let mut spare = width.saturating_sub(used(&columns));
    for (index, most) in [(2, 16), (4, 12)] {
        if let Some(column) = columns.get_mut(index) {
            let more = spare.min(most);
            column.width += more;
            spare -= more;
        }
    }
    columns
}

fn in_flight_cells(
    request: &InFlightRequest,
    now_unix_ms: i64,
    theme: &Theme,
) -> [(String, Style); 5] {
    let age_ms = (now_unix_ms - request.started_at_unix_ms).max(0);
    let (phase, style) = match request.phase {
        Phase::Receiving => ("◔ receiving", theme.muted),
        Phase::Waiting => ("◑ waiting", theme.warn),
        Phase::Answering => ("◕ answering", theme.good),
    };
    let name = |name: &Option<Arc<str>>| name.as_deref().unwrap_or("-").to_owned();
    let model = match &request.model {
        Some(model) => model.to_string(),
        None => request.path.clone(),
    };
    [
        (format::fine_age(age_ms), theme.text),
        (phase.to_owned(), style),
        (model, theme.text),
        (name(&request.provider), theme.cool),
        (name(&request.api_key_id), theme.muted),
    ]
}
