//! The figures below the charts: errors, first token, spend, system.

use ferrogate_api::Status;
use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Layout, Rect},
    style::Style,
    text::{Line, Span},
    widgets::{Paragraph, Widget},
};

use crate::{
    app::{Model, history::Bucket},
    format,
    screens::WIDE_FROM,
    theme::Theme,
    widgets::{
        bar::{sparkline, sparkline_to},
        panel::panel,
    },
};

/// A minute is long enough for errors and money to mean something.
const RECENT_SECONDS: u64 = 60;
/// The share of requests that fills an error graph's height: a few errors must not look like an outage.
const FULL_HEIGHT_PER_MILLE: u64 = 20;

pub(super) fn view(model: &Model, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    if area.width >= WIDE_FROM {
        let [first, second, third, fourth] =
            Layout::horizontal([Constraint::Fill(1); 4]).areas(area);
        errors(model, theme, first, buffer);
        first_token(model, theme, second, buffer);
        spend(model, theme, third, buffer);
        system(model, theme, fourth, buffer);
    } else {
        let [first, second, third] = Layout::horizontal([Constraint::Fill(1); 3]).areas(area);
        errors(model, theme, first, buffer);
        first_token_and_spend(model, theme, second, buffer);
        system(model, theme, third, buffer);
    }
}

fn errors(model: &Model, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let recent = model.history.recent(RECENT_SECONDS);
    let all = recent.client_errors + recent.server_errors;
    let style = if recent.server_errors > 0 {
        theme.bad
    } else if all > 0 {
        theme.warn
    } else {
        theme.good
    };
    let figure = vec![Span::styled(format::percent(all, recent.requests), style)];
    let inner = panel("errors", figure, theme, area, buffer);
    let other = |bucket: &Bucket| bucket.client_errors.saturating_sub(bucket.rate_limited);
    type Value<'a> = &'a dyn Fn(&Bucket) -> u64;
    let rows: [(&str, Value<'_>, Style); 3] = [
        ("4xx", &other, theme.warn),
        ("429", &|bucket| bucket.rate_limited, theme.warn),
        ("5xx", &|bucket| bucket.server_errors, theme.bad),
    ];
    // Name, share and the spaces between them.
    let graph_width = inner.width.saturating_sub(15);
    let (buckets, _) = model.history.buckets(model.overview.range, graph_width);
    let lines: Vec<Line<'_>> = rows
        .into_iter()
        .map(|(name, value, style)| {
            let share = |bucket: &Bucket| {
                (bucket.seconds > 0).then(|| value(bucket) * 1_000 / bucket.requests.max(1))
            };
            let graph = sparkline_to(FULL_HEIGHT_PER_MILLE, buckets.iter().map(share));
            let part = value(&recent);
            let figure_style = if part > 0 { style } else { theme.muted };
            Line::from(vec![
                Span::styled(format!(" {name} "), theme.muted),
                Span::styled(graph, figure_style),
                Span::styled(
                    format!(" {:>7}", format::percent(part, recent.requests)),
                    figure_style,
                ),
            ])
        })
        .collect();
    Paragraph::new(lines).render(inner, buffer);
}

fn first_token(model: &Model, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let [p50, p99] = ttft(model);
    let figure = vec![Span::styled(format!("p50 {p50} ms"), theme.accent)];
    let inner = panel("time to first token", figure, theme, area, buffer);
    let (buckets, _) = model
        .history
        .buckets(model.overview.range, inner.width.saturating_sub(15));
    let graph = |pick: fn([u64; 2]) -> u64| {
        sparkline(
            buckets
                .iter()
                .map(move |bucket| (bucket.seconds > 0).then(|| bucket.ttft_us().map_or(0, pick))),
        )
    };
    let row = |name: &'static str, graph: String, value: String, style: Style| {
        Line::from(vec![
            Span::styled(format!(" {name} "), theme.muted),
            Span::styled(graph, style),
            Span::styled(format!(" {value:>5} "), style),
            Span::styled("ms", theme.muted),
        ])
    };
    let [low, _, high] = theme.percentiles;
    let lines = vec![
        row("p50", graph(|[p50, _]| p50), p50, low),
        row("p99", graph(|[_, p99]| p99), p99, high),
    ];
    Paragraph::new(lines).render(inner, buffer);
}

fn spend(model: &Model, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let recent = model.history.recent(RECENT_SECONDS);
    let range = model.overview.range;
    let over = model.history.recent(range.seconds());
    let per_hour = format!("{}/h", format::money(recent.cost_nanos_per_hour()));
    let inner = panel(
        "spend",
        vec![Span::styled(per_hour, theme.accent)],
        theme,
        area,
        buffer,
    );
    let (buckets, _) = model.history.buckets(range, inner.width.saturating_sub(2));
    let graph =
        sparkline(buckets.iter().map(|bucket| {
            (bucket.seconds > 0).then(|| u64::try_from(bucket.cost_nanos).unwrap_or(0))
        }));
    let each = over
        .cost_nanos
        .checked_div(i64::try_from(over.requests).unwrap_or(i64::MAX))
        .unwrap_or(0);
    let fact = |name: String, value: i64| {
        Line::from(vec![
            Span::styled(format!(" {name:<11}"), theme.muted),
            Span::styled(format::money(value), theme.text),
        ])
    };
    let lines = vec![
        Line::from(Span::styled(format!(" {graph}"), theme.good)),
        fact(format!("last {}", range.label()), over.cost_nanos),
        fact("a request".to_owned(), each),
    ];
    Paragraph::new(lines).render(inner, buffer);
}

fn first_token_and_spend(model: &Model, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let recent = model.history.recent(RECENT_SECONDS);
    let over = model.history.recent(model.overview.range.seconds());
    let [p50, p99] = ttft(model);
    let per_hour = format!("{}/h", format::money(recent.cost_nanos_per_hour()));
    let figure = vec![Span::styled(per_hour, theme.accent)];
    let inner = panel("spend", figure, theme, area, buffer);
    let row = |name: String, value: String| {
        let width = usize::from(inner.width).saturating_sub(name.chars().count() + 2);
        Line::from(vec![
            Span::styled(format!(" {name}"), theme.muted),
            Span::styled(format!("{value:>width$}"), theme.text),
        ])
    };
    let lines = vec![
        row(
            format!("last {}", model.overview.range.label()),
            format::money(over.cost_nanos),
        ),
        row("ttft p50 ms".to_owned(), p50),
        row("ttft p99 ms".to_owned(), p99),
    ];
    Paragraph::new(lines).render(inner, buffer);
}

fn system(model: &Model, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let Some(status) = &model.status else { return };
    let lost = status.writer.logs_dropped + status.writer.commit_failures;
    let health = if lost > 0 {
        Span::styled(format!("! {} dropped", format::count(lost)), theme.bad)
    } else {
        Span::styled("✓ no loss", theme.good)
    };
    let inner = panel("system", vec![health], theme, area, buffer);
    let lines: Vec<Line<'_>> = system_rows(model, status, inner.width >= 34)
        .into_iter()
        .map(|facts| {
            let mut spans = Vec::new();
            for (name, value) in facts {
                spans.push(Span::styled(format!(" {name} "), theme.muted));
                spans.push(Span::styled(value, theme.text));
            }
            Line::from(spans)
        })
        .collect();
    Paragraph::new(lines).render(inner, buffer);
}

fn system_rows(model: &Model, status: &Status, wide: bool) -> Vec<Vec<(&'static str, String)>> {
    let (process, writer) = (&status.process, &status.writer);
    let cpu = match model.cpu_milli {
        Some(milli) => format!("{} %", milli / 10),
        None => "-".to_owned(),
    };
    let mut rows = vec![
        vec![("cpu", cpu), ("rss", format::bytes(process.rss_bytes))],
        vec![
            ("queue", format::count(writer.queue_used)),
            ("wal", format::bytes(writer.wal_bytes)),
        ],
        vec![("written", format::count(writer.records_written))],
    ];
    if wide {
        rows[0].push(("fds", process.open_fds.to_string()));
        rows[1][0].1 = format!("{}/{}", writer.queue_used, format::count(writer.queue_max));
        rows[2].push(("db", format::bytes(writer.database_bytes)));
    }
    rows
}

fn ttft(model: &Model) -> [String; 2] {
    let recent = model.history.recent(RECENT_SECONDS / 4);
    let shown = recent.ttft_us().map(|figures| figures.map(format::millis));
    shown.unwrap_or_else(|| ["-", "-"].map(str::to_owned))
}
