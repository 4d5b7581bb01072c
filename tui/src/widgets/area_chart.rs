//! Filled areas in eighths of a cell, one in front of the other, with a scale on the left and the time below.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Color, Style},
};

use crate::{
    theme::{Depth, Theme},
    widgets::bar::{RISING, scale},
};

/// One area. Bands are given front to back: each at least as high as the one before.
#[derive(Debug)]
pub struct Band {
    pub values: Vec<Option<u64>>,
    pub style: Style,
}

/// A chart. A single band is coloured by height, several by their own style.
#[derive(Debug)]
pub struct AreaChart<'a> {
    pub bands: Vec<Band>,
    pub theme: &'a Theme,
    pub unit: fn(u64) -> String,
    pub seconds_per_column: u64,
}

const SCALE_WIDTH: u16 = 5;
const SCALE_FROM_WIDTH: u16 = 30;
const TIME_FROM_HEIGHT: u16 = 6;
/// Without colour the bands differ by their filling.
const MONO_FILL: [char; 3] = ['█', '▒', '░'];

/// How many columns a chart in an area of that width plots.
pub fn plot_columns(width: u16) -> u16 {
    width.saturating_sub(scale_width(width))
}

fn scale_width(width: u16) -> u16 {
    if width >= SCALE_FROM_WIDTH {
        SCALE_WIDTH
    } else {
        0
    }
}

impl AreaChart<'_> {
    pub fn render(&self, area: Rect, buffer: &mut Buffer) {
        if area.is_empty() {
            return;
        }
        let scale_width = scale_width(area.width);
        let time_rows = u16::from(area.height >= TIME_FROM_HEIGHT);
        let plot = Rect {
            x: area.x + scale_width,
            width: area.width - scale_width,
            height: area.height - time_rows,
            ..area
        };
        let max = self.scale_max();
        if scale_width > 0 {
            self.draw_scale(max, plot, buffer);
        }
        if time_rows > 0 {
            self.draw_time(plot, buffer);
        }
        for column in 0..plot.width {
            self.draw_column(column, max, plot, buffer);
        }
    }

    /// The next round number above the highest value: 1, 2, 5, 10, 20 …
    fn scale_max(&self) -> u64 {
        let highest = self
            .bands
            .iter()
            .flat_map(|band| band.values.iter().flatten())
            .max()
            .copied()
            .unwrap_or(0);
        let mut step: u64 = 1;
        loop {
            for factor in [1, 2, 3, 5, 8] {
                if step.saturating_mul(factor) >= highest {
                    return step.saturating_mul(factor);
                }
            }
            step = step.saturating_mul(10);
        }
    }

    fn draw_scale(&self, max: u64, plot: Rect, buffer: &mut Buffer) {
        for row in plot.top()..plot.bottom() {
            let value = if row == plot.top() {
                Some(max)
            } else if row + 1 == plot.bottom() {
                Some(0)
            } else if plot.height >= 5 && row == plot.top() + plot.height / 2 {
                Some(max / 2)
            } else {
                None
            };
            match value {
                Some(value) => {
                    let text = format!("{:>4}┤", (self.unit)(value));
                    buffer.set_stringn(plot.x - SCALE_WIDTH, row, text, 5, self.theme.muted);
                }
                None => {
                    buffer.set_string(plot.x - 1, row, "│", self.theme.frame);
                }
            }
        }
    }

    fn draw_time(&self, plot: Rect, buffer: &mut Buffer) {
        let row = plot.bottom();
        let back = |columns: u16| match u64::from(columns) * self.seconds_per_column {
            seconds @ 0..120 => format!("-{seconds}s"),
            seconds => match seconds % 60 / 6 {
                0 => format!("-{}m", seconds / 60),
                tenths => format!("-{}.{tenths}m", seconds / 60),
            },
        };
        let middle = plot.width / 2;
        let style = self.theme.muted;
        buffer.set_string(plot.x, row, back(plot.width), style);
        if plot.width >= 24 {
            buffer.set_string(plot.x + middle, row, back(plot.width - middle), style);
        }
        buffer.set_string(plot.right().saturating_sub(3), row, "now", style);
    }

    fn draw_column(&self, column: u16, max: u64, plot: Rect, buffer: &mut Buffer) {
        let units = u64::from(plot.height) * 8;
        let values: Vec<Option<u64>> = self
            .bands
            .iter()
            .map(|band| band.values.get(usize::from(column)).copied().flatten())
            .collect();
        let x = plot.x + column;
        if values.iter().all(Option::is_none) {
            buffer.set_string(x, plot.bottom() - 1, "·", self.theme.frame);
            return;
        }
        let heights: Vec<u64> = values
            .iter()
            .map(|value| match value.unwrap_or(0) {
                0 => 0,
                value => scale(value, max, units).max(1),
            })
            .collect();
        if heights.iter().all(|height| *height == 0) {
            buffer.set_string(x, plot.bottom() - 1, "▁", self.theme.frame);
            return;
        }
        for row in 0..plot.height {
            if let Some((glyph, style)) = self.cell(row, plot.height, &heights) {
                let y = plot.bottom() - 1 - row;
                buffer[(x, y)].set_char(glyph).set_style(style);
            }
        }
    }

    /// What one cell shows: the front-most band that reaches into it, on the band behind.
    fn cell(&self, row: u16, rows: u16, heights: &[u64]) -> Option<(char, Style)> {
        let floor = u64::from(row) * 8;
        let front = heights.iter().position(|height| *height > floor)?;
        let filled = usize::try_from((heights[front] - floor).min(8)).unwrap_or(8);
        if self.theme.depth == Depth::Mono && self.bands.len() > 1 {
            return Some(self.mono_cell(front, filled, floor, heights));
        }
        let mut style = Style::new().fg(self.color(front, row, rows));
        let behind = (front + 1..heights.len()).find(|band| heights[*band] >= floor + 8);
        if let (1..8, Some(behind)) = (filled, behind) {
            style = style.bg(self.color(behind, row, rows));
        }
        Some((RISING[filled], style))
    }

    fn mono_cell(&self, front: usize, filled: usize, floor: u64, heights: &[u64]) -> (char, Style) {
        // Half a cell decides: without colour there is no way to show two bands in one.
        let band = if filled >= 4 {
            front
        } else {
            let behind = (front + 1..heights.len()).find(|band| heights[*band] >= floor + 4);
            match behind {
                Some(behind) => behind,
                None if front == 0 => return (RISING[filled], self.bands[0].style),
                None => front,
            }
        };
        let glyph = MONO_FILL[band.min(MONO_FILL.len() - 1)];
        (glyph, self.bands[band].style)
    }

    fn color(&self, band: usize, row: u16, rows: u16) -> Color {
        if self.bands.len() == 1 {
            self.theme.ramp(row, rows)
        } else {
            self.bands[band].style.fg.unwrap_or(Color::Reset)
        }
    }
}
