//! A table of which only the rows on the screen are made.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
    widgets::Widget,
};
use unicode_width::UnicodeWidthStr;

use crate::format::fit;

/// On which side of its column a cell stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Left,
    Right,
}

/// One column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub title: &'static str,
    pub width: usize,
    pub side: Side,
}

/// What stands in one cell.
pub type Cell = (String, Style);

/// Pads or cuts a text to a column.
pub fn aligned(text: &str, column: &Column) -> String {
    let text = fit(text, column.width);
    let padding = " ".repeat(column.width - text.width());
    match column.side {
        Side::Left => text + &padding,
        Side::Right => padding + &text,
    }
}

/// The titles.
pub fn draw_titles(columns: &[Column], style: Style, area: Rect, buffer: &mut Buffer) {
    let cells = columns
        .iter()
        .map(|column| (column.title.to_owned(), style));
    draw_row(columns, cells, None, area, buffer);
}

/// One row; `selected` is the style that is laid over the whole of it.
pub fn draw_row(
    columns: &[Column],
    cells: impl IntoIterator<Item = Cell>,
    selected: Option<Style>,
    area: Rect,
    buffer: &mut Buffer,
) {
    let mut spans = vec![Span::raw(if selected.is_some() { "▸" } else { " " })];
    for (column, (text, style)) in columns.iter().zip(cells) {
        spans.push(Span::styled(aligned(&text, column), style));
        spans.push(Span::raw(" "));
    }
    Line::from(spans).render(area, buffer);
    if let Some(selected) = selected {
        buffer.set_style(area, selected);
    }
}
