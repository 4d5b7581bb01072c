//! The screens. `view` draws the frame around them; each screen draws itself from the model and changes nothing.

pub mod overview;
pub mod request_detail;
pub mod requests;
pub mod too_small;

use ratatui::{
    Frame,
    buffer::Buffer,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier},
    text::Span,
};

use crate::{
    app::{Model, Screen, update::context},
    format,
    keymap::Context,
    theme::{Depth, Theme},
    widgets::{footer::footer, header, help::help, outage, split_line::split_line},
};

pub const WIDTH_MIN: u16 = 60;
pub const HEIGHT_MIN: u16 = 16;
/// From this width on, things stand side by side.
pub const WIDE_FROM: u16 = 120;
/// Rows around a screen: header, tabs, status line, keys.
pub const CHROME_ROWS: u16 = 4;

/// Draws everything.
pub fn view(model: &Model, theme: &Theme, frame: &mut Frame<'_>) {
    let area = frame.area();
    if area.width < WIDTH_MIN || area.height < HEIGHT_MIN {
        too_small::view(model, theme, area, frame.buffer_mut());
        return;
    }
    let [header_row, tabs_row, mut body, status_row, keys_row] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(1),
        Constraint::Length(1),
    ])
    .areas(area);
    let buffer = frame.buffer_mut();
    buffer.set_style(area, theme.text);
    header::header(model, theme, header_row, buffer);
    header::tabs(model, theme, tabs_row, buffer);
    if outage::is_shown(model) {
        let [above, below] =
            Layout::vertical([Constraint::Length(outage::HEIGHT), Constraint::Fill(1)]).areas(body);
        outage::outage(model, theme, above, buffer);
        body = below;
    }
    match &model.screen {
        Screen::Overview => overview::view(model, theme, body, buffer),
        Screen::Requests => requests::view(model, theme, body, buffer),
        Screen::RequestDetail(log) => request_detail::view(log, theme, body, buffer),
    }
    if !model.connection.is_live() {
        fade(theme, body, buffer);
    }
    status_line(model, theme, status_row, buffer);
    let keys = context(model);
    footer(keys, theme, keys_row, buffer);
    if keys == Context::Help {
        help(below_help(model), theme, body_of(area), buffer);
    }
    if let Some(position) = requests::view::cursor(model, status_row) {
        frame.set_cursor_position(position);
    }
}

/// What is shown is no longer so: it stays readable and loses its colours.
fn fade(theme: &Theme, area: Rect, buffer: &mut Buffer) {
    for position in area.positions() {
        let cell = &mut buffer[position];
        cell.fg = theme.faded(cell.fg);
        if cell.bg != Color::Reset {
            cell.bg = theme.faded(cell.bg);
        }
        cell.modifier.remove(Modifier::BOLD);
        if theme.depth == Depth::Mono {
            cell.modifier.insert(Modifier::DIM);
        }
    }
}

/// The row above the keys: what is typed, else what was just said, else how fresh things are.
fn status_line(model: &Model, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    if model.requests.prompt.is_some() && matches!(model.screen, Screen::Requests) {
        requests::view::prompt(model, theme, area, buffer);
        return;
    }
    let left = match &model.toast {
        Some(toast) => vec![Span::styled(format!(" {}", toast.text), theme.warn)],
        None => match &model.screen {
            Screen::Overview => overview::status(model, theme),
            Screen::Requests | Screen::RequestDetail(_) => requests::view::status(model, theme),
        },
    };
    let freshness = match model.data_age_ms() {
        None => Span::styled("no data yet", theme.muted),
        Some(_) if model.connection.is_live() => {
            let listen = model.status.as_ref().map_or("", |status| &status.listen);
            Span::styled(format!("gateway {listen}"), theme.muted)
        }
        Some(age) => Span::styled(format!("data {} old", format::age(age)), theme.warn),
    };
    split_line(left, vec![vec![freshness]], area, buffer);
}

fn body_of(area: Rect) -> Rect {
    Rect {
        y: area.y + 2,
        height: area.height - CHROME_ROWS,
        ..area
    }
}

/// The context that the help is about.
fn below_help(model: &Model) -> Context {
    match &model.screen {
        Screen::Overview => Context::Overview,
        Screen::Requests => Context::Requests,
        Screen::RequestDetail(_) => Context::Detail,
    }
}
