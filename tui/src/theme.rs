//! Colours by meaning, for as many colours as the terminal has.
//!
//! Nothing may be told by colour alone: every state also has a glyph and a word. Without colour (`NO_COLOR`) every
//! token is `Color::Reset`, because crossterm's own handling of that variable also erases bold and reverse.

use ratatui::style::{Color, Modifier, Style};

/// How many colours the terminal shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    Mono,
    Ansi16,
    Ansi256,
    TrueColor,
}

impl Depth {
    /// By the environment variables `NO_COLOR`, `COLORTERM` and `TERM`.
    pub fn detect(no_color: Option<&str>, colorterm: Option<&str>, term: Option<&str>) -> Self {
        let term = term.unwrap_or_default();
        if no_color.is_some_and(|value| !value.is_empty()) || term == "dumb" {
            Self::Mono
        } else if matches!(colorterm, Some("truecolor" | "24bit")) || term.contains("direct") {
            Self::TrueColor
        } else if term.contains("256color") {
            Self::Ansi256
        } else {
            Self::Ansi16
        }
    }
}

/// One colour: what it should be, and the nearest of the sixteen every terminal has.
#[derive(Debug, Clone, Copy)]
struct Token(u8, u8, u8, Color);

const TEXT: Token = Token(0xd7, 0xdc, 0xe4, Color::Reset);
const MUTED: Token = Token(0x84, 0x8d, 0x9c, Color::DarkGray);
const FRAME: Token = Token(0x3b, 0x43, 0x52, Color::DarkGray);
const ACCENT: Token = Token(0xf0, 0x88, 0x3e, Color::LightRed);
const GOOD: Token = Token(0x5f, 0xd3, 0x8d, Color::Green);
const WARN: Token = Token(0xe9, 0xb9, 0x49, Color::Yellow);
const BAD: Token = Token(0xf4, 0x5b, 0x69, Color::Red);
const COOL: Token = Token(0x4f, 0xb0, 0xe8, Color::Cyan);
const CALM: Token = Token(0x76, 0x74, 0xe4, Color::Blue);
const LOW: Token = Token(0x8c, 0xe0, 0xc8, Color::Green);
const MIDDLE: Token = Token(0x4f, 0xa3, 0xd8, Color::Cyan);
const HIGH: Token = Token(0x66, 0x72, 0xb8, Color::Blue);
const SELECTION: Token = Token(0x2b, 0x3a, 0x52, Color::Blue);
const ON_ACCENT: Token = Token(0x14, 0x17, 0x1c, Color::Black);

/// From calm to busy, bottom to top of a chart.
const RAMP: [Token; 4] = [
    Token(0x9c, 0x4a, 0x1f, Color::LightRed),
    Token(0xd9, 0x6b, 0x2b, Color::LightRed),
    Token(0xf0, 0x88, 0x3e, Color::LightRed),
    Token(0xff, 0xc2, 0x6b, Color::LightRed),
];

/// The styles that screens and widgets use.
#[derive(Debug, Clone, Copy)]
pub struct Theme {
    pub depth: Depth,
    pub text: Style,
    pub muted: Style,
    pub frame: Style,
    pub title: Style,
    pub accent: Style,
    pub good: Style,
    pub warn: Style,
    pub bad: Style,
    pub cool: Style,
    pub calm: Style,
    /// Median, 95th and 99th percentile.
    pub percentiles: [Style; 3],
    /// The row under the cursor.
    pub selected: Style,
    /// The current tab, a badge, a key.
    pub badge: Style,
}

impl Theme {
    pub fn dark(depth: Depth) -> Self {
        let fg = |token| Style::new().fg(resolve(token, depth));
        let mono = depth == Depth::Mono;
        let faint = if mono {
            Style::new().add_modifier(Modifier::DIM)
        } else {
            Style::new()
        };
        Self {
            depth,
            text: fg(TEXT),
            muted: fg(MUTED).patch(faint),
            frame: fg(FRAME).patch(faint),
            title: fg(TEXT).add_modifier(Modifier::BOLD),
            accent: fg(ACCENT).add_modifier(Modifier::BOLD),
            good: fg(GOOD),
            warn: fg(WARN),
            bad: fg(BAD).add_modifier(Modifier::BOLD),
            cool: fg(COOL),
            calm: fg(CALM),
            percentiles: [LOW, MIDDLE, HIGH].map(fg),
            selected: if mono {
                Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD)
            } else {
                Style::new()
                    .bg(resolve(SELECTION, depth))
                    .add_modifier(Modifier::BOLD)
            },
            badge: if mono {
                Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD)
            } else {
                Style::new()
                    .fg(resolve(ON_ACCENT, depth))
                    .bg(resolve(ACCENT, depth))
                    .add_modifier(Modifier::BOLD)
            },
        }
    }

    /// The colour of row `row` of `rows` of a chart, counted from the bottom.
    pub fn ramp(&self, row: u16, rows: u16) -> Color {
        let steps = u32::from(rows.saturating_sub(1).max(1)) * 100;
        let position = u32::from(row) * 300 * 100 / steps;
        let index = usize::try_from(position / 100).unwrap_or_default().min(2);
        let part = (position - 100 * u32::try_from(index).unwrap_or_default()).min(100);
        let (low, high) = (RAMP[index], RAMP[index + 1]);
        let mix = |from: u8, to: u8| {
            let mixed = (u32::from(from) * (100 - part) + u32::from(to) * part) / 100;
            u8::try_from(mixed).unwrap_or(u8::MAX)
        };
        let token = Token(
            mix(low.0, high.0),
            mix(low.1, high.1),
            mix(low.2, high.2),
            low.3,
        );
        resolve(token, self.depth)
    }

    /// A colour of figures that are no longer so: grey, as dark as it was.
    pub fn faded(&self, color: Color) -> Color {
        match (color, self.muted.fg) {
            (Color::Rgb(red, green, blue), _) => {
                let luma = (3 * u32::from(red) + 6 * u32::from(green) + u32::from(blue)) / 10;
                let grey = u8::try_from(luma * 3 / 4).unwrap_or(u8::MAX);
                Color::Rgb(grey, grey, grey.saturating_add(8))
            }
            (_, Some(muted)) => muted,
            (color, None) => color,
        }
    }

    /// The style of an HTTP status code.
    pub fn status(&self, status: u16) -> Style {
        match status {
            500.. => self.bad,
            429 => self.warn.add_modifier(Modifier::BOLD),
            400..500 => self.warn,
            300..400 => self.cool,
            _ => self.good,
        }
    }
}

fn resolve(token: Token, depth: Depth) -> Color {
    let Token(red, green, blue, basic) = token;
    match depth {
        Depth::Mono => Color::Reset,
        Depth::Ansi16 => basic,
        Depth::Ansi256 => Color::Indexed(nearest_256(red, green, blue)),
        Depth::TrueColor => Color::Rgb(red, green, blue),
    }
}

/// The nearest colour of the 6×6×6 cube or of the grey ramp in the 256-colour palette.
fn nearest_256(red: u8, green: u8, blue: u8) -> u8 {
    const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let distance = |a: [u8; 3]| -> u32 {
        [red, green, blue]
            .iter()
            .zip(a)
            .map(|(x, y)| u32::from(x.abs_diff(y)).pow(2))
            .sum()
    };
    let level = |value: u8| (0..6u8).min_by_key(|i| LEVELS[usize::from(*i)].abs_diff(value));
    let cube = [red, green, blue].map(|value| level(value).unwrap_or_default());
    let grey = (0..24u8)
        .min_by_key(|step| distance([8 + step * 10; 3]))
        .unwrap_or_default();
    if distance([8 + grey * 10; 3]) < distance(cube.map(|i| LEVELS[usize::from(i)])) {
        232 + grey
    } else {
        16 + 36 * cube[0] + 6 * cube[1] + cube[2]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_decides_how_many_colours_there_are() {
        let check = |no_color, colorterm, term, expected| {
            assert_eq!(Depth::detect(no_color, colorterm, term), expected);
        };
        let term = Some("xterm-256color");
        check(None, Some("truecolor"), term, Depth::TrueColor);
        check(None, None, term, Depth::Ansi256);
        check(None, None, Some("linux"), Depth::Ansi16);
        check(Some("1"), Some("truecolor"), term, Depth::Mono);
        check(Some(""), None, term, Depth::Ansi256);
        check(None, Some("truecolor"), Some("dumb"), Depth::Mono);
    }

    #[test]
    fn colours_degrade_to_the_nearest_of_the_palette() {
        assert_eq!(nearest_256(0xff, 0, 0), 196);
        assert_eq!(nearest_256(8, 8, 8), 232);
        let mono = Theme::dark(Depth::Mono);
        assert!(mono.selected.add_modifier.contains(Modifier::REVERSED));
        assert_eq!(mono.ramp(3, 8), Color::Reset);
        let full = Theme::dark(Depth::TrueColor);
        assert_eq!(full.ramp(0, 8), Color::Rgb(0x9c, 0x4a, 0x1f));
        assert_eq!(full.ramp(7, 8), Color::Rgb(0xff, 0xc2, 0x6b));
    }
}
