//! A scripted gateway: the same messages at the same times in every run, and the console they are told to.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ferrogate_api::{
    CacheStats, ClusterStatus, Event, InFlight, InFlightRequest, LiveStatus, Outcome, Page, Phase,
    ProcessStatus, RequestLog, Second, Status, Tokens, UsageSource, WriterStatus,
};
use ferrogate_tui::{
    app::{Cmd, Failure, Model, Msg, PageFor, update},
    screens::view,
    theme::{Depth, Theme},
};
use ratatui::{Terminal, backend::TestBackend, layout::Size};

/// 2026-08-23 12:04:31.204 UTC.
pub(crate) const NOW: i64 = 1_787_486_671_204;

/// The console, its clock, and the commands it has asked for.
pub(crate) struct Console {
    pub(crate) model: Model,
    pub(crate) commands: Vec<Cmd>,
    generation: u64,
}

impl Console {
    /// Just started, nothing answered yet.
    pub(crate) fn started(width: u16, height: u16) -> Self {
        let model = Model::new(
            "/run/ferrogate/admin.sock".to_owned(),
            Size { width, height },
            NOW,
            7,
        );
        let mut console = Self {
            model,
            commands: Vec::new(),
            generation: 0,
        };
        console.send(Msg::Started);
        console
    }

    /// Connected to a gateway that has seen no request.
    pub(crate) fn connected(width: u16, height: u16) -> Self {
        let mut console = Self::started(width, height);
        console.connect(Vec::new());
        console
    }

    /// Five minutes of traffic, some requests in flight, some just finished.
    pub(crate) fn live(width: u16, height: u16) -> Self {
        let mut console = Self::started(width, height);
        console.at(NOW - 300_000);
        console.connect(Vec::new());
        for back in (0..300).rev() {
            console.at(NOW - back * 1_000);
            console.event(Event::Second(second(300 - back)));
        }
        for log in (0..60).rev().map(request) {
            console.event(Event::Finished(Arc::new(log)));
        }
        console.event(Event::InFlight(in_flight()));
        let mut status = status();
        status.now_unix_ms += 2_000;
        status.process.cpu_ms += 380;
        let answer = Ok((Box::new(status), 12_000));
        console.send_current(|generation| Msg::StatusAnswered { generation, answer });
        console
    }

    pub(crate) fn at(&mut self, unix_ms: i64) {
        self.send(Msg::Tick { unix_ms });
    }

    pub(crate) fn send(&mut self, message: Msg) {
        let commands = update(&mut self.model, message);
        for command in &commands {
            if let Cmd::Connect { generation } = command {
                self.generation = *generation;
            }
        }
        self.commands.extend(commands);
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.send_current(|generation| Msg::Event { generation, event });
    }

    /// The gateway answers, and the back-fill brings these requests.
    pub(crate) fn connect(&mut self, back_fill: Vec<RequestLog>) {
        self.send_current(|generation| Msg::Connected {
            generation,
            status: Box::new(status()),
            round_trip_us: 12_000,
        });
        self.send_current(|generation| Msg::PageAnswered {
            page_for: PageFor::BackFill { generation },
            answer: Ok(Arc::new(Page::new(back_fill, None))),
        });
    }

    pub(crate) fn lose(&mut self, message: &str, hint: &'static str) {
        let failure = Failure {
            message: message.to_owned(),
            hint,
        };
        self.send_current(|generation| Msg::Lost {
            generation,
            failure,
        });
    }

    pub(crate) fn press(&mut self, code: KeyCode) {
        self.send(Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)));
    }

    pub(crate) fn keys(&mut self, letters: &str) {
        for letter in letters.chars() {
            self.press(KeyCode::Char(letter));
        }
    }

    pub(crate) fn screen(&self) -> String {
        let Size { width, height } = self.model.size;
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let theme = Theme::dark(Depth::TrueColor);
        terminal
            .draw(|frame| view(&self.model, &theme, frame))
            .unwrap();
        let text = terminal.backend().to_string();
        // Quotes around each row would only be noise in the snapshots.
        let rows = text.lines().map(|row| row.trim_matches('"').trim_end());
        rows.collect::<Vec<_>>().join("\n")
    }

    fn send_current(&mut self, message: impl FnOnce(u64) -> Msg) {
        self.send(message(self.generation));
    }
}

pub(crate) fn status() -> Status {
    Status {
        service: "ferrogate".to_owned(),
        version: "0.1.0".to_owned(),
        started_at_unix_ms: NOW - 1_051_200_000,
        now_unix_ms: NOW,
        listen: "0.0.0.0:8080".to_owned(),
        admin_listen: Some("127.0.0.1:2019".to_owned()),
        admin_socket: Some("/run/ferrogate/admin.sock".to_owned()),
        ready: true,
        draining: false,
        drain_reason: None,
        config_revision: 17,
        live: LiveStatus::default(),
        retention: Vec::new(),
        providers: 3,
        models: 5,
        api_keys: 14,
        upstreams: 2,
        routes: 3,
        in_flight: 7,
        process: ProcessStatus {
            pid: 812,
            rss_bytes: 39 << 20,
            open_fds: 212,
            threads: 9,
            cpu_ms: 81_220,
        },
        writer: WriterStatus {
            queue_used: 12,
            queue_max: 65_536,
            records_written: 1_204_881,
            logs_dropped: 0,
            commit_failures: 0,
            wal_bytes: 8 << 20,
            database_bytes: 1_300_000_000,
            ..WriterStatus::default()
        },
        cluster: ClusterStatus::default(),
        cache: CacheStats::default(),
    }
}

/// A second of traffic that rises and falls, with noise that is the same every time.
fn second(index: i64) -> Arc<Second> {
    let index = index.unsigned_abs();
    let wave = |length: u64, height: u64| {
        let place = index % length;
        place.min(length - place) * 2 * height / length
    };
    let noise = |span: u64| (index * 7_919 + index * index * 31) % 101 * span / 100;
    let requests = 210 + wave(140, 160) + wave(37, 40) + noise(35);
    let p50 = 180_000 + wave(90, 60_000) + noise(20_000);
    let burst = if (190..204).contains(&index) { 9 } else { 0 };
    let spike = if index % 71 < 4 { 900_000 } else { 0 };
    Arc::new(Second {
        at_unix_ms: NOW - 300_000 + i64::try_from(index).unwrap() * 1_000,
        requests,
        client_errors: 2 + noise(3),
        rate_limited: 1 + noise(2),
        server_errors: burst + u64::from(index.is_multiple_of(47)),
        input_tokens: requests * 52,
        output_tokens: requests * 39 + noise(1_800),
        cost_nanos: 11_000_000 + i64::try_from(wave(80, 9_000_000)).unwrap(),
        latency_p50_us: p50,
        latency_p95_us: p50 * 3 + noise(160_000) + spike / 2,
        latency_p99_us: p50 * 5 + noise(300_000) + spike,
        ttft_p50_us: 160_000 + noise(40_000),
        ttft_p99_us: 390_000 + noise(200_000) + spike / 3,
        in_flight: 7,
    })
}

/// The request that ended so many steps ago.
pub(crate) fn request(back: i64) -> RequestLog {
    let kind = back.rem_euclid(9);
    let (status, outcome, error_code) = match kind {
        1 => (429, Outcome::Refused, Some("rate_limit_exceeded")),
        4 => (502, Outcome::UpstreamError, Some("provider_timeout")),
        7 => (403, Outcome::Refused, Some("model_not_allowed")),
        _ => (200, Outcome::Complete, None),
    };
    let asked = outcome != Outcome::Refused;
    let (model, provider, provider_model) = match kind {
        3 | 4 => ("smart", "gemini", "gemini-pro"),
        6 => ("embed", "openai", "text-embedding-3-small"),
        _ => ("fast-chat", "openai", "gpt-4o-mini"),
    };
    let stream = asked && status == 200 && kind != 6;
    let steps = back.unsigned_abs();
    let duration_us = match kind {
        1 | 7 => 1_140,
        4 => 3_004_200,
        3 => 1_840_300,
        _ => 540_000 + steps * 3_137 % 90_000,
    };
    RequestLog {
        request_id: format!("0198d6c2-4f1e-7a3b-8c9d-{:012x}", 0xa1b2_c3d4 - back),
        client_request_id: (kind == 3).then(|| "etl-2026-08-23-000871".to_owned()),
        trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".to_owned(),
        started_at_unix_ms: NOW - 700 - back * 187,
        duration_us,
        ttft_us: (asked && status == 200).then_some(duration_us / 4),
        overhead_us: Some(310),
        method: "POST".into(),
        path: if kind == 6 {
            "/v1/embeddings"
        } else {
            "/v1/chat/completions"
        }
        .to_owned(),
        endpoint: if kind == 6 {
            "embeddings"
        } else {
            "chat.completions"
        }
        .into(),
        status,
        error_code: error_code.map(Into::into),
        outcome,
        stream,
        api_key_id: Some(
            ["kid_7f2", "kid_19c", "kid_a10"][usize::try_from(back.rem_euclid(3)).unwrap()].into(),
        ),
        model: Some(model.into()),
        provider: asked.then(|| provider.into()),
        provider_model: asked.then(|| provider_model.into()),
        attempts: match kind {
            1 | 7 => 0,
            3 => 2,
            _ => 1,
        },
        tokens: Tokens {
            input: if asked { 812 + steps * 29 % 1_400 } else { 0 },
            output: if stream { 204 + steps * 17 % 700 } else { 0 },
            cache_read: if kind == 3 { 640 } else { 0 },
            ..Tokens::default()
        },
        usage_source: if asked {
            UsageSource::Provider
        } else {
            UsageSource::None
        },
        cost_nanos: asked.then_some(if kind == 3 { 21_020_000 } else { 240_000 }),
        request_bytes: 3_412,
        response_bytes: if stream { 48_220 } else { 911 },
        client_address: Some("10.0.0.7".to_owned()),
        ..RequestLog::default()
    }
}

fn in_flight() -> Arc<InFlight> {
    let rows = [
        (48_200, Phase::Answering, "smart", "anthropic", "kid_a10"),
        (3_100, Phase::Waiting, "smart", "gemini", "kid_7f2"),
        (900, Phase::Answering, "fast-chat", "openai", "kid_7f2"),
        (420, Phase::Waiting, "fast-chat", "openai", "kid_19c"),
        (210, Phase::Waiting, "embed", "openai", "kid_a10"),
        (60, Phase::Receiving, "", "", ""),
    ];
    let name = |text: &str| (!text.is_empty()).then(|| text.into());
    let requests = rows
        .iter()
        .zip(0..)
        .map(
            |((age_ms, phase, model, provider, key), index)| InFlightRequest {
                request_id: format!("0198d6c2-0000-7000-8000-{index:012x}"),
                started_at_unix_ms: NOW - age_ms,
                phase: *phase,
                method: "POST".into(),
                path: "/v1/chat/completions".to_owned(),
                endpoint: "chat.completions".into(),
                api_key_id: name(key),
                model: name(model),
                provider: name(provider),
                tenant: None,
            },
        )
        .collect();
    Arc::new(InFlight { total: 7, requests })
}
