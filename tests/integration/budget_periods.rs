//! Budgets whose period ends, under a clock that the test sets: the real server, in this process.

use std::{net::SocketAddr, path::PathBuf};

use ferrogate::live::LogTap;
use ferrogate::{clock::Clock, config, server};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Ended, Provider, Request, Target, eventually, ferrogate};

/// 2026-10-31T21:30:00Z. The clocks of Berlin went back on the 25th: October began there at 22:00Z and ends at 23:00Z.
const LAST_EVENING_MS: i64 = 1_793_482_200_000;
const MINUTE_MS: i64 = 60_000;

/// A gateway with a clock of the test's own. It ends with the process.
struct Timed {
    clock: Clock,
    address: SocketAddr,
    socket: PathBuf,
    directory: TempDir,
    _provider: Provider,
}

impl Timed {
    async fn start() -> Self {
        let provider = Provider::start().await;
        let directory = tempfile::tempdir().unwrap();
        let text = format!(
            r#"
            listen = "127.0.0.1:0"
            [admin]
            listen = "off"
            [storage]
            path = "{}"
            [[providers]]
            name = "sim"
            kind = "openai-compatible"
            base_url = "{}"
            [[models]]
            name = "fast"
            provider = "sim"
            provider_model = "gpt-4o-mini"
            [[tenants]]
            kind = "organization"
            id = "acme"
            budgets = [{{ tokens = 20, period = "month", time_zone = "Europe/Berlin" }}]
            [[api_keys]]
            id = "dev"
            key = "dev-secret"
            organization_id = "acme"
            "#,
            directory.path().display(),
            provider.base_url(),
        );
        let loaded = config::parse(&text, "ferrogate.toml", &|_| None).unwrap();
        let socket = loaded.config.admin.socket.clone();
        let clock = Clock::manual(LAST_EVENING_MS);
        let its_clock = clock.clone();
        std::thread::spawn(move || server::run(loaded.config, its_clock, LogTap::default()));
        let status = eventually("the gateway answers", || async {
            let target = Target::Unix(socket.clone());
            let answer = Request::new(target, "GET", "/admin/v1/status")
                .try_send()
                .await;
            answer.ok().filter(|answer| answer.status == 200)
        })
        .await;
        Self {
            address: status.json()["listen"].as_str().unwrap().parse().unwrap(),
            clock,
            socket,
            directory,
            _provider: provider,
        }
    }

    /// A request that uses sixteen tokens of the twenty: a second one does not fit.
    async fn ask(&self) -> u16 {
        let body = json!({
            "model": "fast", "max_tokens": 9,
            "messages": [{"role": "user", "content": "sim: tokens=8\nhello"}],
        });
        let answer = Request::new(Target::Tcp(self.address), "POST", "/v1/chat/completions")
            .key("dev-secret")
            .json(&body)
            .send()
            .await;
        if answer.status != 200 {
            assert_eq!(answer.refusal().1, "token_budget_exceeded");
        }
        answer.status
    }

    async fn budget(&self) -> Value {
        let target = Target::Unix(self.socket.clone());
        let path = "/admin/v1/budgets?account=organization:acme";
        let answer = Request::new(target, "GET", path).send().await;
        answer.json()["data"][0].clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_monthly_budget_begins_anew_once_at_the_local_end_of_a_month_with_a_change_of_clocks() {
    let gateway = Timed::start().await;
    let at = |minutes: i64| LAST_EVENING_MS + minutes * MINUTE_MS;
    let mut now = 0;
    let mut check = async |minutes: i64, expected: [u16; 2]| {
        gateway.clock.advance_ms((minutes - now) * MINUTE_MS);
        now = minutes;
        let asked = [gateway.ask().await, gateway.ask().await];
        assert_eq!(asked, expected, "after {minutes} minutes");
    };
    check(0, [200, 429]).await;
    // Midnight in summer time, which is over.
    check(30, [429, 429]).await;
    check(89, [429, 429]).await;
    // Midnight in Berlin.
    check(90, [200, 429]).await;
    // Midnight in UTC: no second beginning.
    check(150, [429, 429]).await;
    let budget = gateway.budget().await;
    let november_days = 30;
    let end = at(90) + november_days * 24 * 60 * MINUTE_MS;
    assert_eq!(budget["period_start_unix_ms"], at(90));
    assert_eq!(budget["period_end_unix_ms"], end);
    assert_eq!(budget["used"], 16);

    let path = gateway.directory.path().to_str().unwrap();
    let verified = Ended::of(ferrogate(&["ledger", "verify", "--data-dir", path]), "").await;
    assert_eq!(
        verified.code,
        Some(0),
        "{}{}",
        verified.stdout,
        verified.stderr
    );
}
