//! The two rows on top: who and where we are, how the connection is, the time; then the tabs.

use ratatui::{buffer::Buffer, layout::Rect, style::Style, text::Span};
use unicode_width::UnicodeWidthStr;

use crate::{
    app::{Model, Screen, connection::Phase},
    format,
    theme::Theme,
    widgets::split_line::split_line,
};

pub fn header(model: &Model, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let (state, state_style) = connection_state(model, theme);
    // The target gives way before the state does.
    let room = usize::from(area.width).saturating_sub(14 + state.width() + 34);
    let left = vec![
        Span::styled(" FerroGate ", theme.badge),
        Span::raw(" "),
        Span::styled(fit_target(&model.target, room.max(12)), theme.title),
        Span::raw("  "),
        Span::styled(state, state_style),
    ];
    let mut right = Vec::new();
    if area.width >= 120 {
        right.push(vec![Span::styled(
            format::date(model.now_unix_ms),
            theme.muted,
        )]);
    }
    if let Some(status) = &model.status {
        let version = format!("v{}", status.version);
        right.push(vec![Span::styled(version, theme.muted)]);
        if model.connection.is_up() {
            let in_flight = format!("{} in flight", model.in_flight.total);
            right.push(vec![Span::styled(in_flight, theme.text)]);
            right.push(vec![readiness(status.ready, status.draining, theme)]);
        }
    }
    let time = format!("{}Z", format::time_of_day(model.now_unix_ms));
    right.push(vec![Span::styled(time, theme.title)]);
    split_line(left, right, area, buffer);
}

/// Glyph, word and figure of the connection, and their style.
pub fn connection_state(model: &Model, theme: &Theme) -> (String, Style) {
    let age = || format::age(model.data_age_ms().unwrap_or(0));
    match &model.connection.phase {
        Phase::Connecting => ("◌ connecting".to_owned(), theme.warn),
        Phase::Live => {
            let round_trip = model.connection.round_trip_us.unwrap_or(0);
            (
                format!("● live {} ms", format::millis(round_trip)),
                theme.good,
            )
        }
        Phase::Stale => (format!("◐ stale {}", age()), theme.warn),
        Phase::Offline { .. } if model.never_connected() => ("✗ offline".to_owned(), theme.bad),
        Phase::Offline { .. } => (format!("✗ offline {}", age()), theme.bad),
    }
}

pub fn tabs(model: &Model, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let on_overview = matches!(model.screen, Screen::Overview);
    let tab = |name: &'static str, is_on: bool| {
        Span::styled(name, if is_on { theme.badge } else { theme.text })
    };
    // Brackets, because a tab must be told apart without colour too.
    let left = if on_overview {
        vec![tab("[1 Overview]", true), tab("  2 Requests ", false)]
    } else {
        vec![tab(" 1 Overview  ", false), tab("[2 Requests]", true)]
    };
    let width: usize = left.iter().map(Span::width).sum();
    let line = "─".repeat(usize::from(area.width).saturating_sub(width + 1));
    let mut spans = left;
    spans.push(Span::raw(" "));
    spans.push(Span::styled(line, theme.frame));
    split_line(spans, Vec::new(), area, buffer);
    let Some(status) = &model.status else { return };
    let up_ms = model.now_unix_ms - status.started_at_unix_ms;
    let facts = format!(
        " {} models · {} providers · {} keys · {} routes · up {} ",
        status.models,
        status.providers,
        status.api_keys,
        status.routes,
        format::age(up_ms)
    );
    let facts_width = u16::try_from(facts.width()).unwrap_or(u16::MAX);
    let taken = u16::try_from(width).unwrap_or(u16::MAX);
    if area.width > facts_width.saturating_add(taken).saturating_add(4) {
        let x = area.right() - facts_width - 2;
        buffer.set_string(x, area.y, facts, theme.muted);
    }
}

fn readiness(ready: bool, draining: bool, theme: &Theme) -> Span<'static> {
    match (draining, ready) {
        (true, _) => Span::styled("▼ draining", theme.warn),
        (false, true) => Span::styled("✓ ready", theme.good),
        (false, false) => Span::styled("! not ready", theme.bad),
    }
}

/// The end of a path says more than its beginning.
fn fit_target(target: &str, width: usize) -> String {
    let count = target.chars().count();
    if count <= width {
        return target.to_owned();
    }
    let end: String = target.chars().skip(count + 1 - width).collect();
    format!("…{end}")
}
