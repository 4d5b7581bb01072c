//! A terminal too small for a screen still shows the four numbers that matter.

use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Rect},
    text::{Line, Span},
    widgets::{Paragraph, Widget},
};

use crate::{
    app::Model,
    format,
    screens::{HEIGHT_MIN, WIDTH_MIN},
    theme::Theme,
    widgets::{header::connection_state, panel::panel},
};

pub fn view(model: &Model, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let recent = model.history.recent(10);
    let latency_p95 = recent.latency_us().map_or_else(
        || "-".to_owned(),
        |[_, p95, _]| format!("{} ms", format::millis(p95)),
    );
    let errors = recent.client_errors + recent.server_errors;
    let figure = |name: &'static str, value: String| {
        Line::from(vec![
            Span::styled(format!(" {name:<12}"), theme.muted),
            Span::styled(value, theme.title),
        ])
    };
    let (state, state_style) = connection_state(model, theme);
    let lines = vec![
        Line::from(Span::styled(format!(" {state}"), state_style)),
        figure(
            "requests/s",
            format::rate(recent.per_second_milli(recent.requests)),
        ),
        figure("p95", latency_p95),
        figure("errors", format::percent(errors, recent.requests)),
        figure("in flight", model.in_flight.total.to_string()),
        Line::default(),
        Line::from(Span::styled(
            format!(
                " needs {WIDTH_MIN}x{HEIGHT_MIN}, has {}x{}",
                model.size.width, model.size.height
            ),
            theme.muted,
        )),
    ];
    let area = area.centered(Constraint::Max(34), Constraint::Max(9));
    let inner = panel("FerroGate", Vec::new(), theme, area, buffer);
    Paragraph::new(lines).render(inner, buffer);
}
