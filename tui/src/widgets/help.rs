//! The help overlay: every key of the screen below it, and the keys that work everywhere, from the keymap.

use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Layout, Rect},
    text::{Line, Span},
    widgets::{Clear, Paragraph, Widget},
};

use crate::{
    keymap::{Context, KEYMAP},
    theme::Theme,
    widgets::panel::panel,
};

pub fn help(context: Context, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let own = lines(context, theme);
    let global = lines(Context::Global, theme);
    let side_by_side = area.width >= 76;
    let rows = if side_by_side {
        own.len().max(global.len())
    } else {
        own.len() + 1 + global.len()
    };
    let height = u16::try_from(rows + 2).unwrap_or(u16::MAX).min(area.height);
    let width = area.width.min(92);
    let overlay = area.centered(Constraint::Length(width), Constraint::Length(height));
    Clear.render(overlay, buffer);
    let figure = vec![Span::styled("Esc closes", theme.muted)];
    let inner = panel("keys", figure, theme, overlay, buffer);
    let inner = Rect {
        x: inner.x + 1,
        width: inner.width.saturating_sub(2),
        ..inner
    };
    if side_by_side {
        let [left, right] =
            Layout::horizontal([Constraint::Fill(4), Constraint::Fill(3)]).areas(inner);
        Paragraph::new(own).render(left, buffer);
        Paragraph::new(global).render(right, buffer);
    } else {
        let mut all = own;
        all.push(Line::default());
        all.extend(global);
        Paragraph::new(all).render(inner, buffer);
    }
}

fn lines(context: Context, theme: &Theme) -> Vec<Line<'static>> {
    let mut lines = vec![
        Line::from(Span::styled(context.title(), theme.accent)),
        Line::default(),
    ];
    for binding in KEYMAP.iter().filter(|b| b.context == context) {
        let keys: Vec<String> = binding.keys.iter().map(|key| key.label()).collect();
        lines.push(Line::from(vec![
            Span::styled(format!("{:<10} ", keys.join(" ")), theme.title),
            Span::styled(binding.help, theme.muted),
        ]));
    }
    lines
}
