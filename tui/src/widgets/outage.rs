//! What stands above the old figures while the gateway cannot be reached: why, and when it is tried again.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
    widgets::{Paragraph, Widget},
};

use crate::{
    app::{Model, connection::Phase},
    format::{age, fit, time_of_day},
    theme::Theme,
    widgets::{bar::bar, panel::panel},
};

/// Rows it takes.
pub const HEIGHT: u16 = 5;

/// There is something to say.
pub fn is_shown(model: &Model) -> bool {
    model.connection.failure.is_some()
}

pub fn outage(model: &Model, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let Some(failure) = &model.connection.failure else {
        return;
    };
    let (title, figure) = match model.connection.heard_unix_ms {
        None => ("no connection", Vec::new()),
        Some(heard) => {
            let stamp = format!(
                "below: as of {}Z, {} old",
                time_of_day(heard),
                age(model.now_unix_ms - heard)
            );
            ("connection lost", vec![Span::styled(stamp, theme.warn)])
        }
    };
    let inner = panel(title, figure, theme, area, buffer);
    let width = usize::from(inner.width).saturating_sub(2);
    let message = format!("{}: {}", model.target, failure.message);
    let lines = vec![
        Line::from(Span::styled(
            format!(" {}", fit(&message, width)),
            theme.bad,
        )),
        Line::from(Span::styled(
            format!(" {}", fit(failure.hint, width)),
            theme.text,
        )),
        next_try(model, theme),
    ];
    Paragraph::new(lines).render(inner, buffer);
}

fn next_try(model: &Model, theme: &Theme) -> Line<'static> {
    let attempt = model.connection.attempt;
    let Phase::Offline {
        wait_ms,
        retry_at_unix_ms,
        ..
    } = model.connection.phase
    else {
        let trying = format!(" attempt {} · connecting …", attempt + 1);
        return Line::from(Span::styled(trying, theme.warn));
    };
    let left_ms = (retry_at_unix_ms - model.now_unix_ms).max(0);
    let left = u64::try_from(left_ms).unwrap_or_default();
    let [done, rest] = bar(
        wait_ms.saturating_sub(left),
        wait_ms,
        12,
        theme.accent,
        theme.frame,
    );
    Line::from(vec![
        Span::styled(
            format!(" attempt {attempt} · next in {} ", age(left_ms + 999)),
            theme.muted,
        ),
        done,
        rest,
        Span::styled("  r", theme.accent),
        Span::styled(" retry now · it never gives up", theme.muted),
    ])
}
