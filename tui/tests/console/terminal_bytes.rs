//! The bytes that reach the terminal: without colour the cursor must still be seen, and nothing strange gets through.

use ferrogate_api::Event;
use ferrogate_tui::{
    client::sanitise,
    screens::view,
    theme::{Depth, Theme},
};
use ratatui::{Terminal, TerminalOptions, Viewport, backend::CrosstermBackend, layout::Rect};

use crate::fixture::{Console, request};

fn bytes(console: &Console, depth: Depth) -> Vec<u8> {
    // As `terminal.rs` does it: the theme, not crossterm, leaves the colours out.
    crossterm::style::force_color_output(true);
    let mut bytes = Vec::new();
    let size = console.model.size;
    let viewport = Viewport::Fixed(Rect::new(0, 0, size.width, size.height));
    let options = TerminalOptions { viewport };
    let mut terminal = Terminal::with_options(CrosstermBackend::new(&mut bytes), options).unwrap();
    let theme = Theme::dark(depth);
    terminal
        .draw(|frame| view(&console.model, &theme, frame))
        .unwrap();
    drop(terminal);
    bytes
}

fn parsed(bytes: &[u8]) -> vt100::Parser {
    let mut parser = vt100::Parser::new(24, 80, 0);
    parser.process(bytes);
    parser
}

#[test]
fn without_colour_the_selected_row_is_still_reversed() {
    let mut console = Console::live(80, 24);
    console.keys("2jj");
    let bytes = bytes(&console, Depth::Mono);
    let parser = parsed(&bytes);
    let screen = parser.screen();
    let reversed = |row| (0..80).all(|column| screen.cell(row, column).unwrap().inverse());
    let rows: Vec<u16> = (2..22).filter(|row| reversed(*row)).collect();
    assert_eq!(rows.len(), 1, "exactly the row under the cursor");
    let line = screen.contents_between(rows[0], 0, rows[0], 80);
    assert!(line.starts_with('▸'), "{line}");
    let colours = (0..24).flat_map(|row| (0..80).map(move |column| (row, column)));
    for (row, column) in colours {
        let cell = screen.cell(row, column).unwrap();
        assert_eq!(cell.fgcolor(), vt100::Color::Default, "{row}:{column}");
        assert_eq!(cell.bgcolor(), vt100::Color::Default, "{row}:{column}");
    }
}

#[test]
fn with_colour_the_selected_row_has_its_own_background() {
    let mut console = Console::live(80, 24);
    console.keys("2jj");
    let parser = parsed(&bytes(&console, Depth::TrueColor));
    let screen = parser.screen();
    let coloured =
        |row: &u16| screen.cell(*row, 40).unwrap().bgcolor() == vt100::Color::Rgb(0x2b, 0x3a, 0x52);
    assert_eq!((2..22).filter(coloured).count(), 1);
}

#[test]
fn what_a_stranger_sent_cannot_drive_the_terminal() {
    let mut console = Console::live(80, 24);
    let hostile = "\u{1b}]52;c;ZXZpbA==\u{7}\u{1b}[2J\u{202e}olleh\u{200b}\u{9b}31m";
    let mut log = request(-1);
    log.model = Some(hostile.into());
    log.error_code = Some(hostile.into());
    let json = serde_json::to_vec(&log).unwrap();
    let log: ferrogate_api::RequestLog = sanitise::from_json(&json).unwrap();
    console.event(Event::Finished(log.into()));
    console.keys("2");
    let bytes = bytes(&console, Depth::TrueColor);
    let text = String::from_utf8(bytes).unwrap();
    for forbidden in [
        "\u{1b}]",
        "\u{1b}[2J",
        "\u{7}",
        "\u{202e}",
        "\u{200b}",
        "\u{9b}",
    ] {
        assert!(!text.contains(forbidden), "{forbidden:?}");
    }
}
