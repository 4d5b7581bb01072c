//! How the request list looks.

use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Layout, Position, Rect, Size},
    text::{Line, Span},
    widgets::{Paragraph, Widget, Wrap},
};
use unicode_width::UnicodeWidthStr;

use crate::{
    app::{
        Model,
        filter::{Filter, SYNTAX},
        request_buffer::{Gap, Row, TAIL_MAX},
    },
    format,
    screens::{CHROME_ROWS, WIDE_FROM, request_detail, requests::Older},
    theme::Theme,
    widgets::{
        columns::{draw_row, draw_titles},
        outage,
        request_row::RequestColumns,
        split_line::split_line,
    },
};

/// Rows of the frame around the list: filter line and titles.
const LIST_CHROME_ROWS: u16 = 2;
const PREVIEW_ROWS: u16 = 6;
/// From this height of the terminal on, a narrow screen shows the selected request below the list.
const PREVIEW_FROM_HEIGHT: u16 = 22;

/// How many rows the list has on the screen.
pub fn list_rows(model: &Model) -> usize {
    let outage_rows = if outage::is_shown(model) {
        outage::HEIGHT
    } else {
        0
    };
    let around = CHROME_ROWS + LIST_CHROME_ROWS + outage_rows + preview_rows(model.size);
    usize::from(model.size.height.saturating_sub(around).max(1))
}

fn preview_rows(size: Size) -> u16 {
    if size.width < WIDE_FROM && size.height >= PREVIEW_FROM_HEIGHT {
        PREVIEW_ROWS
    } else {
        0
    }
}

pub fn view(model: &Model, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let [filter_row, list_area] =
        Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    filter_line(model, theme, filter_row, buffer);
    if model.buffer.is_empty() {
        empty(model, theme, list_area, buffer);
        return;
    }
    let selected = model.requests.selected(&model.buffer);
    let selected = selected.and_then(|id| model.buffer.row(id));
    if area.width >= WIDE_FROM {
        let [left, right] =
            Layout::horizontal([Constraint::Fill(5), Constraint::Fill(3)]).areas(list_area);
        list(model, theme, left, buffer);
        if let Some(Row::Request(log)) = selected {
            request_detail::side_pane(log, theme, right, buffer);
        }
    } else {
        let preview = preview_rows(model.size);
        let [above, below] =
            Layout::vertical([Constraint::Fill(1), Constraint::Length(preview)]).areas(list_area);
        list(model, theme, above, buffer);
        if let (1.., Some(Row::Request(log))) = (preview, selected) {
            request_detail::preview(log, theme, below, buffer);
        }
    }
}

/// The left end of the status line.
pub fn status(model: &Model, theme: &Theme) -> Vec<Span<'static>> {
    let mut text = format!(
        " buffer {}/{}",
        format::grouped(u64::try_from(model.buffer.kept()).unwrap_or(u64::MAX)),
        format::grouped(u64::try_from(TAIL_MAX).unwrap_or(u64::MAX)),
    );
    if model.skipped > 0 {
        text.push_str(&format!(
            " · {} not sent live",
            format::grouped(model.skipped)
        ));
    }
    let older = match &model.requests.older {
        Older::Loading { .. } => " · loading older ones …",
        Older::End => " · nothing older",
        Older::More(_) | Older::Failed(_) => "",
    };
    text.push_str(older);
    let mut spans = vec![Span::styled(text, theme.muted)];
    if let Older::Failed(message) = &model.requests.older {
        let failed = format!(" · history failed: {message}; scroll down to try again");
        spans.push(Span::styled(failed, theme.bad));
    }
    spans
}

/// The filter prompt, and whether what is typed means something.
pub fn prompt(model: &Model, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let Some(input) = &model.requests.prompt else {
        return;
    };
    let shown = visible_input(input, area.width);
    let (verdict, style) = match Filter::parse(input.value(), model.now_unix_ms) {
        _ if input.value().is_empty() => (SYNTAX.to_owned(), theme.muted),
        Ok(_) => ("✓ Enter applies".to_owned(), theme.good),
        Err(error) => (error.to_string(), theme.warn),
    };
    let room = usize::from(area.width).saturating_sub(shown.width() + 5);
    let verdict = Span::styled(format::fit(&verdict, room), style);
    let left = vec![
        Span::styled(" /", theme.accent),
        Span::styled(shown, theme.title),
    ];
    split_line(left, vec![vec![verdict]], area, buffer);
}

/// Where the terminal's cursor stands while something is typed.
pub fn cursor(model: &Model, prompt_row: Rect) -> Option<Position> {
    let input = model
        .requests
        .prompt
        .as_ref()
        .filter(|_| !model.help_open)?;
    let scroll = input.visual_scroll(input_width(prompt_row.width));
    let column = u16::try_from(input.visual_cursor().saturating_sub(scroll)).ok()?;
    Some(Position::new(prompt_row.x + 2 + column, prompt_row.y))
}

fn input_width(row_width: u16) -> usize {
    usize::from(row_width).saturating_sub(4)
}

fn visible_input(input: &tui_input::Input, row_width: u16) -> String {
    let scroll = input.visual_scroll(input_width(row_width));
    let mut passed = 0;
    input
        .value()
        .chars()
        .skip_while(|c| {
            let skipped = passed < scroll;
            passed += c.to_string().width();
            skipped
        })
        .collect()
}

fn filter_line(model: &Model, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let filter = model.buffer.filter();
    let left = if filter.is_empty() {
        vec![Span::styled(" all requests", theme.muted)]
    } else {
        vec![
            Span::styled(" FILTER ", theme.badge),
            Span::styled(format!(" {}", filter.text), theme.title),
        ]
    };
    let count = |count: usize| format::grouped(u64::try_from(count).unwrap_or(u64::MAX));
    let mut right = Vec::new();
    if !filter.is_empty() {
        let of = format!(
            "{} of {}",
            count(model.buffer.len()),
            count(model.buffer.kept())
        );
        right.push(vec![Span::styled(of, theme.muted)]);
    }
    right.push(if model.requests.follow {
        vec![Span::styled("● FOLLOW", theme.good)]
    } else {
        let arrived = match model.requests.arrived {
            0 => String::new(),
            arrived => format!(" +{} new", format::grouped(arrived)),
        };
        vec![Span::styled(format!("■ FROZEN{arrived}"), theme.warn)]
    });
    split_line(left, right, area, buffer);
}

fn list(model: &Model, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let columns = RequestColumns::for_width(area.width);
    let selected = model.requests.selected(&model.buffer);
    let top = model.requests.top_position(&model.buffer);
    let mut screen_rows = area.rows();
    if let Some(row) = screen_rows.next() {
        draw_titles(&columns.columns, theme.muted, row, buffer);
    }
    for (screen_row, (id, row)) in screen_rows.zip(model.buffer.rows_from(top)) {
        let style = (selected == Some(id)).then_some(theme.selected);
        match row {
            Row::Request(log) => {
                let cells = columns.cells(log, theme);
                draw_row(&columns.columns, cells, style, screen_row, buffer);
            }
            Row::Gap(gap) => draw_gap(gap, theme, screen_row, buffer),
        }
        if let (Some(style), Row::Gap(_)) = (style, row) {
            buffer.set_style(screen_row, style);
        }
    }
}

fn draw_gap(gap: &Gap, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let text = match gap {
        Gap::Offline {
            from_unix_ms,
            to_unix_ms,
            complete,
        } => {
            let read_back = if *complete {
                "read back above"
            } else {
                "partly read back above"
            };
            format!(
                " not connected {}Z to {}Z ({}), {read_back} ",
                format::time_of_day(*from_unix_ms),
                format::time_of_day(*to_unix_ms),
                format::age(to_unix_ms - from_unix_ms),
            )
        }
        Gap::Evicted { count } => format!(
            " {} rows left the full buffer here ",
            format::grouped(*count)
        ),
    };
    let line = "╌".repeat(usize::from(area.width));
    buffer.set_string(area.x, area.y, line, theme.frame);
    let width = u16::try_from(text.width())
        .unwrap_or(area.width)
        .min(area.width);
    let x = area.x + (area.width - width) / 2;
    buffer.set_stringn(x, area.y, text, usize::from(width), theme.warn);
}

/// Nothing to list: why, and what to do about it.
fn empty(model: &Model, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let filter = model.buffer.filter();
    if filter.is_empty() {
        first_steps(model, theme, area, buffer);
        return;
    }
    let searching = matches!(model.requests.older, Older::Loading { .. });
    let mut lines = vec![Line::from(Span::styled(
        if searching {
            "searching history …"
        } else {
            "nothing matches the filter"
        },
        theme.title,
    ))];
    if let Older::Failed(message) = &model.requests.older {
        let failed = format!("history could not be read: {message}");
        lines.push(Line::from(Span::styled(failed, theme.bad)));
    }
    lines.push(Line::default());
    lines.push(Line::from(vec![
        Span::styled("Esc", theme.accent),
        Span::styled(" clears it, ", theme.muted),
        Span::styled("/", theme.accent),
        Span::styled(" changes it", theme.muted),
    ]));
    if filter.has_words() {
        let note = "words are looked for in what is loaded: j at the end loads older requests";
        lines.push(Line::from(Span::styled(note, theme.muted)));
    }
    centered(lines, area, buffer);
}

/// What to do on a gateway that nobody has asked anything yet.
pub fn first_steps(model: &Model, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let Some(status) = &model.status else { return };
    let mut lines = vec![Line::from(Span::styled("no requests yet", theme.title))];
    if model.held_back.is_some() {
        lines = vec![Line::from(Span::styled(
            "reading the latest requests …",
            theme.muted,
        ))];
    } else {
        lines.push(Line::from(Span::styled("send the first one:", theme.muted)));
        lines.push(Line::default());
        let curl = format!("curl http://{}/v1/models", dialable(&status.listen));
        lines.push(Line::from(Span::styled(curl, theme.accent)));
        let header = "  -H \"authorization: Bearer $FERROGATE_KEY\"";
        lines.push(Line::from(Span::styled(header, theme.accent)));
    }
    centered(lines, area, buffer);
}

/// An address to listen on is not always one to connect to.
fn dialable(listen: &str) -> String {
    let any = ["0.0.0.0:", "[::]:"];
    match any.iter().find_map(|prefix| listen.strip_prefix(prefix)) {
        Some(port) => format!("127.0.0.1:{port}"),
        None => listen.to_owned(),
    }
}

fn centered(lines: Vec<Line<'_>>, area: Rect, buffer: &mut Buffer) {
    let height = u16::try_from(lines.len())
        .unwrap_or(area.height)
        .min(area.height);
    let middle = area.centered_vertically(Constraint::Length(height));
    Paragraph::new(lines)
        .centered()
        .wrap(Wrap { trim: true })
        .render(middle, buffer);
}
