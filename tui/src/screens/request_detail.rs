//! One request in full: on a screen of its own, in a pane beside the list, or in short below it.

use ferrogate_api::{Outcome, RequestLog, UsageSource};
use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Layout, Rect},
    style::Style,
    text::{Line, Span},
    widgets::{Paragraph, Widget},
};

use crate::{
    format::{bytes, date, duration, fit, grouped, money, time_of_day_ms},
    theme::Theme,
    widgets::{panel::panel, timeline::timeline},
};

const LABEL_WIDTH: usize = 10;
const TIMELINE_ROWS: u16 = 5;
const RECORD_ROWS_MIN: u16 = 10;

/// A value of the detail.
struct Fact {
    label: &'static str,
    value: String,
    style: Style,
}

pub fn view(log: &RequestLog, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let figure = vec![Span::styled("Esc back", theme.muted)];
    let inner = panel(&log.request_id, figure, theme, area, buffer);
    let [banner, _, facts, timeline_area, record_area] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(10),
        Constraint::Length(TIMELINE_ROWS),
        Constraint::Fill(1),
    ])
    .areas(inner);
    Line::from(verdict(log, theme)).render(banner, buffer);
    let [left, right] = Layout::horizontal([Constraint::Fill(1); 2]).areas(facts);
    draw_facts(&what(log, theme), theme, left, buffer);
    draw_facts(&how(log, theme), theme, right, buffer);
    draw_timeline(log, theme, timeline_area, buffer);
    if record_area.height >= RECORD_ROWS_MIN {
        record(log, theme, record_area, buffer);
    }
}

/// The record as the API sends it, for who wants every field by its name.
fn record(log: &RequestLog, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let Ok(json) = serde_json::to_string_pretty(log) else {
        return;
    };
    let inner = panel("record", Vec::new(), theme, area, buffer);
    let lines: Vec<Line<'_>> = json
        .lines()
        .map(|line| match line.split_once(": ") {
            Some((name, value)) => Line::from(vec![
                Span::styled(format!(" {name}: "), theme.muted),
                Span::styled(value, theme.text),
            ]),
            None => Line::from(Span::styled(format!(" {line}"), theme.muted)),
        })
        .collect();
    let columns = if inner.width >= 100 { 2 } else { 1 };
    let areas = Layout::horizontal(vec![Constraint::Fill(1); columns]).split(inner);
    let chunks = lines.chunks(lines.len().div_ceil(columns).max(1));
    for (area, lines) in areas.iter().zip(chunks) {
        Paragraph::new(lines.to_vec()).render(*area, buffer);
    }
}

/// Beside the list on a wide screen.
pub fn side_pane(log: &RequestLog, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let figure = vec![Span::styled("Enter: full", theme.muted)];
    let title = fit(&log.request_id, 38);
    let inner = panel(&title, figure, theme, area, buffer);
    let facts: Vec<Fact> = what(log, theme)
        .into_iter()
        .chain(how(log, theme))
        .collect();
    let fact_rows = u16::try_from(facts.len()).unwrap_or(u16::MAX);
    let [banner, _, fact_area, timeline_area, _] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(fact_rows + 1),
        Constraint::Length(TIMELINE_ROWS),
        Constraint::Fill(1),
    ])
    .areas(inner);
    Line::from(verdict(log, theme)).render(banner, buffer);
    draw_facts(&facts, theme, fact_area, buffer);
    draw_timeline(log, theme, timeline_area, buffer);
}

/// Below the list on a narrow screen.
pub fn preview(log: &RequestLog, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let figure = vec![Span::styled("Enter: full", theme.muted)];
    let inner = panel(&log.request_id, figure, theme, area, buffer);
    let mut rows = inner.rows();
    if let Some(row) = rows.next() {
        Line::from(verdict(log, theme)).render(row, buffer);
    }
    if let Some(row) = rows.next() {
        let route = format!(
            "{} {}  {}  tries {}  trace {}",
            log.method, log.path, log.endpoint, log.attempts, log.trace_id
        );
        let line = Span::styled(format!(" {route}"), theme.muted);
        Line::from(line).render(row, buffer);
    }
    let rest = rows.fold(Rect::default(), |all, row| {
        if all.is_empty() { row } else { all.union(row) }
    });
    let bar_area = Rect {
        x: rest.x + 1,
        width: rest.width.saturating_sub(2),
        ..rest
    };
    timeline(log, theme, bar_area, buffer);
}

/// The status and, in words, how it ended.
fn verdict(log: &RequestLog, theme: &Theme) -> Vec<Span<'static>> {
    let reason = http::StatusCode::from_u16(log.status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or(if log.status == 499 {
            "Client Closed Request"
        } else {
            ""
        });
    let style = theme.status(log.status);
    let code = match &log.error_code {
        Some(code) => format!("{code}  "),
        None => String::new(),
    };
    vec![
        Span::styled(format!(" {} {reason}  {code}", log.status), style),
        Span::styled(explanation(log.outcome), theme.text),
    ]
}

fn explanation(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Complete => "the client was sent all there was",
        Outcome::Refused => "refused before a provider was asked",
        Outcome::UpstreamError => "the upstream failed or answered with an error",
        Outcome::UpstreamCut => "the upstream ended the stream too early",
        Outcome::Stalled => "the upstream fell silent",
        Outcome::ClientGone => "the client left",
        Outcome::TimeLimit => "the total time limit ran out",
        Outcome::Killed => "an operator ended it",
        Outcome::Orphaned => "the gateway died under it; charged at the next start",
    }
}

/// What was asked, by whom, of whom.
fn what(log: &RequestLog, theme: &Theme) -> Vec<Fact> {
    let plain = |label, value: String| Fact {
        label,
        value,
        style: theme.text,
    };
    let name = |label, value: Option<&str>| Fact {
        label,
        value: value.unwrap_or("-").to_owned(),
        style: if value.is_some() {
            theme.text
        } else {
            theme.muted
        },
    };
    let to = match (&log.provider, &log.provider_model) {
        (Some(provider), Some(model)) => Some(format!("{provider}:{model}")),
        (Some(provider), None) => Some(provider.to_string()),
        (None, _) => None,
    };
    let kind = if log.stream { "stream" } else { "one answer" };
    vec![
        plain("request", format!("{} {}", log.method, log.path)),
        plain("endpoint", format!("{}, {kind}", log.endpoint)),
        name("key", log.api_key_id.as_deref()),
        name("client", log.client_address.as_deref()),
        name("model", log.model.as_deref()),
        name("answered by", to.as_deref()),
        plain("attempts", log.attempts.to_string()),
        name("client's id", log.client_request_id.as_deref()),
        plain("trace", log.trace_id.clone()),
    ]
}

/// How long, how much, for what.
fn how(log: &RequestLog, theme: &Theme) -> Vec<Fact> {
    let fact = |label, value: String| Fact {
        label,
        value,
        style: theme.text,
    };
    let maybe = |label, value: Option<String>| Fact {
        label,
        style: if value.is_some() {
            theme.text
        } else {
            theme.muted
        },
        value: value.unwrap_or_else(|| "-".to_owned()),
    };
    let tokens = log.tokens;
    let ttft = log.ttft_us.map(|ttft_us| match output_rate(log) {
        Some(rate) => format!("{}, then {rate} tok/s", duration(ttft_us)),
        None => duration(ttft_us),
    });
    let source = match log.usage_source {
        UsageSource::None => "nothing was used",
        UsageSource::Provider => "as the provider reported",
        UsageSource::Partial => "stream cut: counted from what passed",
        UsageSource::Estimated => "estimated",
    };
    let started = log.started_at_unix_ms;
    vec![
        fact(
            "started",
            format!("{} {}Z", date(started), time_of_day_ms(started)),
        ),
        fact("took", duration(log.duration_us)),
        maybe("first token", ttft),
        maybe(
            "gateway",
            log.overhead_us.map(|us| format!("{} of it", duration(us))),
        ),
        fact(
            "tokens",
            format!(
                "{} in, {} out",
                grouped(tokens.input),
                grouped(tokens.output)
            ),
        ),
        fact(
            "of these",
            format!(
                "{} cached, {} reasoning",
                grouped(tokens.cache_read),
                grouped(tokens.reasoning)
            ),
        ),
        fact("usage", source.to_owned()),
        maybe("cost", log.cost_nanos.map(money)),
        fact(
            "bytes",
            format!(
                "{} in, {} out",
                bytes(log.request_bytes),
                bytes(log.response_bytes)
            ),
        ),
    ]
}

/// Output tokens per second once the first one was there.
fn output_rate(log: &RequestLog) -> Option<u64> {
    let writing_us = log.duration_us.checked_sub(log.ttft_us?)?;
    if !log.stream || log.tokens.output == 0 {
        return None;
    }
    log.tokens
        .output
        .saturating_mul(1_000_000)
        .checked_div(writing_us)
}

fn draw_facts(facts: &[Fact], theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let width = usize::from(area.width).saturating_sub(LABEL_WIDTH + 4);
    let lines: Vec<Line<'_>> = facts
        .iter()
        .map(|fact| {
            Line::from(vec![
                Span::styled(
                    format!(" {:<w$} ", fact.label, w = LABEL_WIDTH + 1),
                    theme.muted,
                ),
                Span::styled(fit(&fact.value, width), fact.style),
            ])
        })
        .collect();
    Paragraph::new(lines).render(area, buffer);
}

fn draw_timeline(log: &RequestLog, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    if area.height < 3 {
        return;
    }
    let inner = panel("timeline", Vec::new(), theme, area, buffer);
    let inner = Rect {
        x: inner.x + 1,
        width: inner.width.saturating_sub(2),
        ..inner
    };
    timeline(log, theme, inner, buffer);
}
