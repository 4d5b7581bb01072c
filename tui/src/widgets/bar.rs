//! One-row graphs: a filled bar and a sparkline.

use ratatui::style::Style;
use ratatui::text::Span;

const EIGHTHS: [char; 9] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];
pub const RISING: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A bar of `width` columns, `part` of `whole` filled; the rest is drawn with `rest`.
pub fn bar(part: u64, whole: u64, width: u16, fill: Style, rest: Style) -> [Span<'static>; 2] {
    let eighths = u64::from(width) * 8;
    let filled = scale(part.min(whole), whole, eighths);
    let full = usize::try_from(filled / 8).unwrap_or_default();
    let mut text = "█".repeat(full);
    let partial = usize::try_from(filled % 8).unwrap_or_default();
    if partial > 0 {
        text.push(EIGHTHS[partial]);
    }
    let left = usize::from(width) - full - usize::from(partial > 0);
    [
        Span::styled(text, fill),
        Span::styled("░".repeat(left), rest),
    ]
}

/// One column for each value, as high as its share of the highest.
pub fn sparkline(values: impl Iterator<Item = Option<u64>> + Clone) -> String {
    let max = values.clone().flatten().max().unwrap_or(0);
    sparkline_to(max, values)
}

/// One column for each value, as high as its share of `max`.
pub fn sparkline_to(max: u64, values: impl Iterator<Item = Option<u64>>) -> String {
    values
        .map(|value| match value {
            None => '·',
            Some(0) => '▁',
            Some(value) => {
                let height = scale(value.min(max), max, 8).max(1);
                RISING[usize::try_from(height).unwrap_or(8)]
            }
        })
        .collect()
}

/// `value / max` in units of which `max` has `units`; 0 for a `max` of 0.
pub fn scale(value: u64, max: u64, units: u64) -> u64 {
    let scaled = (u128::from(value) * u128::from(units))
        .checked_div(u128::from(max))
        .unwrap_or(0);
    u64::try_from(scaled).unwrap_or(units)
}
