//! The overview: how much, how fast, how well, for how much money, and what is going on right now.

mod charts;
mod facts;
mod lists;

use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Layout, Rect},
    text::{Line, Span},
    widgets::{Paragraph, Widget},
};

use crate::{
    app::{Model, connection::Phase, history::Range},
    screens::WIDE_FROM,
    theme::Theme,
};

/// How far back the charts look.
#[derive(Debug, Default)]
pub struct State {
    pub range: Range,
}

/// Seconds over which "now" is taken, so that figures do not jump.
const NOW_SECONDS: u64 = 5;
/// A short body shows only this much of the charts.
const CHART_ROWS_MIN: u16 = 6;
const FACT_ROWS: u16 = 5;

pub fn view(model: &Model, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    if model.never_connected() {
        waiting(model, theme, area, buffer);
        return;
    }
    let chart_rows = (area.height * 3 / 10).max(CHART_ROWS_MIN);
    let has_facts = area.height >= CHART_ROWS_MIN + FACT_ROWS + 4;
    let [chart_area, fact_area, list_area] = Layout::vertical([
        Constraint::Length(chart_rows),
        Constraint::Length(if has_facts { FACT_ROWS } else { 0 }),
        Constraint::Fill(1),
    ])
    .areas(area);
    charts::view(model, theme, chart_area, buffer);
    if has_facts {
        facts::view(model, theme, fact_area, buffer);
    }
    if area.width >= WIDE_FROM {
        let [left, right] =
            Layout::horizontal([Constraint::Fill(7), Constraint::Fill(13)]).areas(list_area);
        lists::in_flight(model, theme, left, buffer);
        lists::finished(model, theme, right, buffer);
    } else {
        lists::both(model, theme, list_area, buffer);
    }
}

/// The left end of the status line.
pub fn status(model: &Model, theme: &Theme) -> Vec<Span<'static>> {
    let mut spans = vec![Span::styled(" range", theme.muted)];
    for range in [Range::OneMinute, Range::FiveMinutes, Range::FifteenMinutes] {
        spans.push(if range == model.overview.range {
            Span::styled(format!(" [{}]", range.label()), theme.accent)
        } else {
            Span::styled(format!("  {} ", range.label()), theme.muted)
        });
    }
    if model.skipped > 0 {
        let skipped = format!(" · {} rows not sent, all counted", model.skipped);
        spans.push(Span::styled(skipped, theme.muted));
    }
    spans
}

fn waiting(model: &Model, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    // While a failure is shown above, there is nothing to add to it.
    if model.connection.failure.is_some() || model.connection.phase != Phase::Connecting {
        return;
    }
    let lines = vec![
        Line::from(Span::styled("connecting to the gateway …", theme.title)),
        Line::from(Span::styled(model.target.clone(), theme.muted)),
    ];
    let middle = area.centered_vertically(Constraint::Length(2));
    Paragraph::new(lines).centered().render(middle, buffer);
}
