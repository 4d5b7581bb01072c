//! One row with something on the left and something on the right; where both do not fit, the right side gives way,
//! part by part from its left end.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
    widgets::Widget,
};

/// Draws the row. The first of the parts on the right is the least important one.
pub fn split_line(
    left: Vec<Span<'_>>,
    mut right: Vec<Vec<Span<'_>>>,
    area: Rect,
    buffer: &mut Buffer,
) {
    const GAP: usize = 2;
    let width_of = |spans: &[Span<'_>]| spans.iter().map(Span::width).sum::<usize>();
    let left_width = width_of(&left);
    let total =
        |parts: &[Vec<Span<'_>>]| parts.iter().map(|part| width_of(part) + GAP).sum::<usize>();
    while !right.is_empty() && left_width + total(&right) > usize::from(area.width) {
        right.remove(0);
    }
    Line::from(left).render(area, buffer);
    let mut spans = Vec::new();
    for (index, part) in right.into_iter().enumerate() {
        if index > 0 {
            spans.push(Span::raw("  "));
        }
        spans.extend(part);
    }
    spans.push(Span::raw(" "));
    let line = Line::from(spans).right_aligned();
    let width = u16::try_from(line.width())
        .unwrap_or(area.width)
        .min(area.width);
    let right_area = Rect {
        x: area.right() - width,
        width,
        ..area
    };
    line.render(right_area, buffer);
}
