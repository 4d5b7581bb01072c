//! How a request's time was spent, as one bar.

use ferrogate_api::RequestLog;
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
    widgets::Widget,
};

use crate::{
    format::{duration, millis},
    theme::Theme,
    widgets::bar::scale,
};

/// From start to end: the gateway's own share, the wait for the first token, the answer; with a scale below.
pub fn timeline(log: &RequestLog, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    if area.is_empty() || area.width < 20 {
        return;
    }
    let width = u64::from(area.width);
    let total = log.duration_us.max(1);
    let overhead = log.overhead_us.unwrap_or(0).min(total);
    let first = log.ttft_us.unwrap_or(total).clamp(overhead, total);
    let columns = |us: u64| usize::try_from(scale(us, total, width)).unwrap_or_default();
    // What is there gets at least one column.
    let own = columns(overhead).max(usize::from(overhead > 0));
    let waiting = columns(first).max(own) - own;
    let answering = usize::from(area.width) - own - waiting;
    let bar = Line::from(vec![
        Span::styled("█".repeat(own), theme.accent),
        Span::styled("▒".repeat(waiting), theme.warn),
        Span::styled("█".repeat(answering), theme.good),
    ]);
    let mut rows = area.rows();
    if let Some(row) = rows.next() {
        bar.render(row, buffer);
    }
    let Some(row) = rows.next() else { return };
    let mut legend = vec![
        Span::styled("█", theme.accent),
        Span::styled(format!(" gateway {}  ", duration(overhead)), theme.muted),
        Span::styled("▒", theme.warn),
        Span::styled(
            format!(" waiting {}  ", duration(first - overhead)),
            theme.muted,
        ),
    ];
    if first < total {
        legend.push(Span::styled("█", theme.good));
        let answering = format!(" answering {}", duration(total - first));
        legend.push(Span::styled(answering, theme.muted));
    }
    Line::from(legend).render(row, buffer);
    if let Some(row) = rows.next() {
        draw_scale(total, theme, row, buffer);
    }
}

fn draw_scale(total_us: u64, theme: &Theme, row: Rect, buffer: &mut Buffer) {
    let quarters = 4;
    for quarter in 0..quarters {
        let label = format!(
            "╵{}",
            millis(total_us * u64::from(quarter) / u64::from(quarters))
        );
        let x = row.x + row.width * quarter / quarters;
        buffer.set_stringn(
            x,
            row.y,
            label,
            usize::from(row.width / quarters),
            theme.frame,
        );
    }
    let end = format!("{} ms", millis(total_us));
    let width = u16::try_from(end.len()).unwrap_or(row.width);
    buffer.set_string(row.right().saturating_sub(width), row.y, end, theme.muted);
}
