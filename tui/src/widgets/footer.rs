//! The last row: the keys of what is on the screen, from the keymap.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
    widgets::Widget,
};

use crate::{
    keymap::{Context, bindings},
    theme::Theme,
};

pub fn footer(context: Context, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let mut spans = vec![Span::raw(" ")];
    let mut width = 1;
    for binding in bindings(context) {
        let (Some(name), Some(key)) = (binding.footer, binding.keys.first()) else {
            continue;
        };
        let key = key.label();
        let needed = key.chars().count() + name.chars().count() + 4;
        if width + needed > usize::from(area.width) {
            break;
        }
        width += needed;
        spans.push(Span::styled(key, theme.accent));
        spans.push(Span::styled(format!(" {name}   "), theme.muted));
    }
    Line::from(spans).render(area, buffer);
}
