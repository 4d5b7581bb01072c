//! `ferrogate demo`: a simulated provider, a gateway with a throw-away database, a little traffic, and the console.
//!
//! Needs no account and no network; everything is on loopback and gone afterwards.

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use bytes::Bytes;
use ferrogate_api::Status;
use ferrogate_tui::Target;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::signal::unix::{SignalKind, signal};

use super::processes::Instance;
use super::tui;
use crate::config::ADMIN_SOCKET;

#[derive(Debug, clap::Args)]
pub(super) struct DemoArgs {
    /// Print addresses, key and curl lines instead of opening the console; runs until interrupted
    #[arg(long)]
    headless: bool,
    /// Where the gateway listens; another port of loopback when it is taken
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDR")]
    listen: SocketAddr,
}

const CONFIG: &str = include_str!("../../assets/demo.toml");
const KEY: &str = "dev-secret";
/// Between two requests of the demo's own traffic.
const PAUSE: Duration = Duration::from_millis(350);

pub(super) fn run(args: &DemoArgs) -> anyhow::Result<()> {
    let directory = tempfile::Builder::new()
        .prefix("ferrogate-demo-")
        .tempdir()
        .context("a temporary directory could not be made")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let demo = runtime.block_on(Demo::start(directory.path(), args.listen))?;
    let traffic = runtime.spawn(make_traffic(demo.status.listen.clone()));
    let shown = if args.headless {
        println!("{}", demo.instructions());
        runtime
            .block_on(told_to_end())
            .context("signals could not be listened for")
    } else {
        runtime.block_on(tui::open(Target::Socket(demo.socket.clone())))
    };
    traffic.abort();
    demo.end()?;
    shown
}

/// Waits for Ctrl-C, `kill` or the end of the terminal: whichever comes, gateway and data must not be left behind.
async fn told_to_end() -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hang_up.recv() => {}
    }
    Ok(())
}

/// What is running.
struct Demo {
    mock: Instance,
    gateway: Instance,
    socket: PathBuf,
    status: Status,
}

impl Demo {
    async fn start(directory: &Path, listen: SocketAddr) -> anyhow::Result<Self> {
        let (mock, mock_address) =
            Instance::mock(&["--delay-ms", "15"], &directory.join("mock.log"))?;
        let data = directory.join("data");
        let config = CONFIG
            .replace("@LISTEN@", &free_or_any(listen).to_string())
            .replace("@DATA@", &data.display().to_string())
            .replace("@MOCK@", &mock_address.to_string());
        let config_path = directory.join("ferrogate.toml");
        std::fs::write(&config_path, config).context("the configuration could not be written")?;
        let log = directory.join("gateway.log");
        let mut gateway = Instance::gateway(&config_path, &log)?;
        let socket = data.join(ADMIN_SOCKET);
        let status = gateway.ready(&socket, &log).await?;
        Ok(Self {
            mock,
            gateway,
            socket,
            status,
        })
    }

    fn instructions(&self) -> String {
        let base = format!("http://{}", self.status.listen);
        let auth = format!("-H 'Authorization: Bearer {KEY}'");
        let json = "-H 'Content-Type: application/json'";
        format!(
            "FerroGate is running, against a simulated provider.\n\
             gateway  {base}\n\
             admin    {base}/admin/v1/status\n\
             key      {KEY}\n\
             console  ferrogate tui --admin-socket {socket}\n\n\
             curl {base}/healthz\n\
             curl {base}/proxy/httpbin/get\n\
             curl {auth} {base}/v1/models\n\
             curl {base}/v1/chat/completions {auth} {json} \
             -d '{{\"model\":\"fast-chat\",\"messages\":[{{\"role\":\"user\",\"content\":\"hello\"}}]}}'\n\
             curl -N {base}/v1/chat/completions {auth} {json} \
             -d '{{\"model\":\"smart\",\"stream\":true,\"messages\":[{{\"role\":\"user\",\"content\":\"hello\"}}]}}'\n\
             curl {base}/v1/responses {auth} {json} -d '{{\"model\":\"fast-chat\",\"input\":\"hello\"}}'\n\
             curl {auth} '{base}/admin/v1/request-logs?limit=5'\n\n\
             Ctrl-C ends it and removes its data.",
            socket = self.socket.display(),
        )
    }

    fn end(self) -> anyhow::Result<()> {
        self.gateway.end()?;
        self.mock.end()
    }
}

/// `wanted`, or any port of the same address when somebody has it already: a demo works on the first try.
fn free_or_any(wanted: SocketAddr) -> SocketAddr {
    match TcpListener::bind(wanted) {
        Ok(_free) => wanted,
        Err(_taken) => SocketAddr::new(wanted.ip(), 0),
    }
}

/// One request of the demo's traffic.
struct Call {
    path: &'static str,
    key: &'static str,
    body: &'static str,
}

/// Something of everything: streams, a slow model, embeddings, a model that breaks, a key at its limit, mistakes.
const CALLS: [Call; 10] = [
    Call {
        path: "/v1/chat/completions",
        key: KEY,
        body: r#"{"model":"fast-chat","messages":[{"role":"user","content":"What does a gateway do?"}]}"#,
    },
    Call {
        path: "/v1/chat/completions",
        key: KEY,
        body: r#"{"model":"fast-chat","stream":true,"messages":[{"role":"user","content":"Tell me about rivers and the people who cross them."}]}"#,
    },
    Call {
        path: "/v1/chat/completions",
        key: KEY,
        body: r#"{"model":"smart","stream":true,"messages":[{"role":"user","content":"Think about iron."}]}"#,
    },
    Call {
        path: "/v1/embeddings",
        key: KEY,
        body: r#"{"model":"embed","input":["a gate","a wall","a road"]}"#,
    },
    Call {
        path: "/v1/responses",
        key: KEY,
        body: r#"{"model":"fast-chat","input":"hello"}"#,
    },
    Call {
        path: "/v1/chat/completions",
        key: "ci-secret",
        body: r#"{"model":"fast-chat","messages":[{"role":"user","content":"Summarise the build log."}]}"#,
    },
    Call {
        path: "/v1/responses",
        key: KEY,
        body: r#"{"model":"smart","stream":true,"input":"Name three bridges."}"#,
    },
    Call {
        path: "/v1/chat/completions",
        key: "ci-secret",
        body: r#"{"model":"fast-chat","messages":[{"role":"user","content":"And the test log."}]}"#,
    },
    Call {
        path: "/v1/chat/completions",
        key: KEY,
        body: r#"{"model":"flaky","stream":true,"messages":[{"role":"user","content":"Break, please."}]}"#,
    },
    Call {
        path: "/v1/chat/completions",
        key: "ci-secret",
        body: r#"{"model":"smart","messages":[{"role":"user","content":"May I?"}]}"#,
    },
];

async fn make_traffic(address: String) {
    let client: Client<HttpConnector, Full<Bytes>> =
        Client::builder(TokioExecutor::new()).build_http();
    for call in CALLS.iter().cycle() {
        let client = client.clone();
        let uri = format!("http://{address}{}", call.path);
        // Side by side, so that there is always something in flight to look at.
        #[expect(
            clippy::disallowed_methods,
            reason = "the demo's own client, ended with its runtime"
        )]
        tokio::task::spawn(async move {
            if let Err(error) = send(&client, &uri, call).await {
                tracing::debug!(%error, "a demo request failed");
            }
        });
        tokio::time::sleep(PAUSE).await;
    }
}

async fn send(
    client: &Client<HttpConnector, Full<Bytes>>,
    uri: &str,
    call: &Call,
) -> anyhow::Result<()> {
    let request = Request::builder()
        .method(Method::POST)
        .uri(uri)
        .header(header::AUTHORIZATION, format!("Bearer {}", call.key))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::from(call.body))?;
    client.request(request).await?.into_body().collect().await?;
    Ok(())
}
