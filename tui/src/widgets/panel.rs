//! A framed part of a screen: its name on the left of the frame, its most important figure on the right.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
    widgets::{Block, BorderType, Widget},
};

use crate::theme::Theme;

/// Draws the frame and returns what is inside of it.
pub fn panel(
    title: &str,
    figure: Vec<Span<'_>>,
    theme: &Theme,
    area: Rect,
    buffer: &mut Buffer,
) -> Rect {
    let mut block = Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(theme.frame)
        .title_top(Line::from(format!(" {title} ")).style(theme.title));
    let width: usize = figure.iter().map(Span::width).sum();
    let room = usize::from(area.width).saturating_sub(title.chars().count() + 6);
    if width > 0 && width <= room {
        let mut spans = vec![Span::raw(" ")];
        spans.extend(figure);
        spans.push(Span::raw(" "));
        block = block.title_top(Line::from(spans).right_aligned());
    }
    let inner = block.inner(area);
    block.render(area, buffer);
    inner
}
