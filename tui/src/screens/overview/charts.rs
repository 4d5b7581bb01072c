//! The three charts: requests, latency, tokens.

use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Layout, Rect},
    style::Style,
    text::{Line, Span},
    widgets::Widget,
};

use crate::{
    app::{Model, history::Bucket},
    format,
    screens::overview::NOW_SECONDS,
    theme::Theme,
    widgets::{
        area_chart::{AreaChart, Band, plot_columns},
        panel::panel,
    },
};

pub(super) fn view(model: &Model, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let [left, middle, right] = Layout::horizontal([Constraint::Fill(1); 3]).areas(area);
    requests(model, theme, left, buffer);
    latency(model, theme, middle, buffer);
    tokens(model, theme, right, buffer);
}

fn requests(model: &Model, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let now = model.history.recent(NOW_SECONDS);
    let over = model.history.recent(model.overview.range.seconds());
    let rate = format::rate(now.per_second_milli(now.requests));
    let figure = vec![Span::styled(rate, theme.accent)];
    let inner = panel("requests/s", figure, theme, area, buffer);
    let facts = vec![
        (
            "avg",
            format::rate(over.per_second_milli(over.requests)),
            theme.text,
        ),
        ("peak", format::count(over.requests_peak), theme.text),
        ("in all", format::count(over.requests), theme.text),
    ];
    let plot = legend(facts, theme, inner, buffer);
    let band = |bucket: &Bucket| Some(bucket.per_second_milli(bucket.requests));
    chart(model, theme, [(band, theme.accent)], format::rate).draw(plot, buffer);
}

fn latency(model: &Model, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let now = model.history.recent(NOW_SECONDS * 2);
    let shown = now.latency_us().map(|figures| figures.map(format::millis));
    let shown_any = shown.is_some();
    let [p50, p95, p99] = shown.unwrap_or_else(|| ["-", "-", "-"].map(str::to_owned));
    let figure = match shown_any {
        true => vec![Span::styled(format!("p95 {p95} ms"), theme.accent)],
        false => Vec::new(),
    };
    let inner = panel("latency", figure, theme, area, buffer);
    let [low, middle, high] = theme.percentiles;
    let facts = vec![("p50", p50, low), ("p95", p95, middle), ("p99", p99, high)];
    let plot = legend(facts, theme, inner, buffer);
    type Value = fn(&Bucket) -> Option<u64>;
    let bands: [(Value, Style); 3] = [
        (|bucket| bucket.latency_us().map(|[p50, _, _]| p50), low),
        (|bucket| bucket.latency_us().map(|[_, p95, _]| p95), middle),
        (|bucket| bucket.latency_us().map(|[_, _, p99]| p99), high),
    ];
    chart(model, theme, bands, format::millis_short).draw(plot, buffer);
}

fn tokens(model: &Model, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let now = model.history.recent(NOW_SECONDS);
    let rate = |tokens| format::rate(now.per_second_milli(tokens));
    let total = rate(now.input_tokens + now.output_tokens);
    let figure = vec![Span::styled(total, theme.accent)];
    let inner = panel("tokens/s", figure, theme, area, buffer);
    let facts = vec![
        ("in", rate(now.input_tokens), theme.calm),
        ("out", rate(now.output_tokens), theme.cool),
    ];
    let plot = legend(facts, theme, inner, buffer);
    type Value = fn(&Bucket) -> Option<u64>;
    // Output in front, input on top of it.
    let bands: [(Value, Style); 2] = [
        (
            |bucket| Some(bucket.per_second_milli(bucket.output_tokens)),
            theme.cool,
        ),
        (
            |bucket| Some(bucket.per_second_milli(bucket.output_tokens + bucket.input_tokens)),
            theme.calm,
        ),
    ];
    chart(model, theme, bands, format::rate).draw(plot, buffer);
}

/// The row of figures above a chart; returns what is left for the chart.
fn legend(
    facts: Vec<(&'static str, String, Style)>,
    theme: &Theme,
    area: Rect,
    buffer: &mut Buffer,
) -> Rect {
    let [top, rest] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    let mut spans = Vec::new();
    let mut used = 0;
    for (name, value, style) in facts {
        used += name.len() + value.len() + 3;
        if used > usize::from(area.width) {
            break;
        }
        spans.push(Span::styled(format!(" {name} "), theme.muted));
        spans.push(Span::styled(value, style));
        spans.push(Span::raw(" "));
    }
    Line::from(spans).render(top, buffer);
    rest
}

struct HistoryChart<'a, F, const N: usize> {
    model: &'a Model,
    theme: &'a Theme,
    bands: [(F, Style); N],
    unit: fn(u64) -> String,
}

fn chart<'a, F: Fn(&Bucket) -> Option<u64>, const N: usize>(
    model: &'a Model,
    theme: &'a Theme,
    bands: [(F, Style); N],
    unit: fn(u64) -> String,
) -> HistoryChart<'a, F, N> {
    HistoryChart {
        model,
        theme,
        bands,
        unit,
    }
}

impl<F: Fn(&Bucket) -> Option<u64>, const N: usize> HistoryChart<'_, F, N> {
    fn draw(self, area: Rect, buffer: &mut Buffer) {
        let (buckets, seconds_per_column) = self
            .model
            .history
            .buckets(self.model.overview.range, plot_columns(area.width));
        let values = |value_of: &F| {
            buckets
                .iter()
                .map(|bucket| (bucket.seconds > 0).then(|| value_of(bucket).unwrap_or(0)))
                .collect()
        };
        let bands = self
            .bands
            .iter()
            .map(|(value_of, style)| Band {
                values: values(value_of),
                style: *style,
            })
            .collect();
        AreaChart {
            bands,
            theme: self.theme,
            unit: self.unit,
            seconds_per_column,
        }
        .render(area, buffer);
    }
}
