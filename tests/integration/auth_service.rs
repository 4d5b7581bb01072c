//! The authorization service as a process of its own, and a gateway that asks it.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    net::TcpStream,
    process::Command,
};

use crate::support::{
    Answer, Ended, Gateway, KEY, Listener, PROVIDER_KEY, Process, Provider, Request, Socket,
    Target, chat_body, eventually, ferrogate, standard, within,
};

/// What the gateway presents to the service.
const TOKEN: &str = "t0ken-between-gateway-and-service";
/// The secret of a key that only the service knows.
const REMOTE: &str = "remote-secret";
const RESOLVE: &str = "/v1/auth/resolve-api-key";

const DATA: &str = r#"
tenants:
  - { id: acme, context: { organization_id: acme } }
api_keys:
  - id: remote
    # remote-secret
    secret_hash: sha256:ebe352d8b3576158b1c34cf337d0fd3dd81f52a1134cf86c8593d4f3a030df51
    tenant: { organization_id: acme, user_id: ann }
    scopes: [models.read, chat.completions]
roles:
  - { id: chat, permissions: [{ action: chat.completions, resource: "model:fast" }] }
bindings:
  - { id: b1, role_id: chat, tenant: { organization_id: acme }, subject: { type: api_key, api_key_id: remote } }
  - { id: b2, role_id: chat, subject: { type: api_key, api_key_id: dev } }
"#;

/// A running authorization service.
struct AuthService {
    process: Process,
    address: SocketAddr,
    directory: TempDir,
}

impl AuthService {
    /// Answers from [`DATA`], and only who presents [`TOKEN`].
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(data_in(&directory), DATA).unwrap();
        let mut command = ferrogate(&["auth", "serve", "--token-env", "TOKEN"]);
        command.env("TOKEN", TOKEN);
        Self::run(command, "127.0.0.1:0", directory).await
    }

    async fn run(mut command: Command, listen: &str, directory: TempDir) -> Self {
        command.args(["--listen", listen, "--data"]);
        command.arg(data_in(&directory));
        let mut process = Process::start(command, &directory.path().join("auth.log"));
        let mut lines = BufReader::new(process.stdout()).lines();
        let line = within("the service starts", lines.next_line()).await;
        let line = line.unwrap().unwrap_or_default();
        let address = line.strip_prefix("ferrogate-auth listening on http://");
        let address = address.unwrap_or_else(|| panic!("{line}{}", process.logged()));
        Self {
            address: address.parse().unwrap(),
            process,
            directory,
        }
    }

    /// Ends it the way a crash does.
    async fn kill(mut self) -> (SocketAddr, TempDir) {
        self.process.signal(Signal::SIGKILL);
        self.process.ended().await;
        (self.address, self.directory)
    }

    /// Has it read other data, and waits until it did.
    async fn reread(&self, data: &str) {
        let before = self.process.logged().len();
        fs::write(data_in(&self.directory), data).unwrap();
        self.process.signal(Signal::SIGHUP);
        eventually("the data is read again", || async {
            self.process
                .logged()
                .get(before..)
                .filter(|said| said.contains("data file"))
                .map(drop)
        })
        .await;
    }

    fn ask(&self, method: &str, path: &str) -> Request {
        Request::new(Target::Tcp(self.address), method, path)
    }

    async fn resolve(&self, secret: &str) -> Answer {
        let body = json!({"presented_key": secret});
        self.ask("POST", RESOLVE)
            .key(TOKEN)
            .json(&body)
            .send()
            .await
    }

    /// A gateway that asks this service; `settings` are further keys of `[auth_service]`.
    async fn gateway(&self, provider: &Provider, settings: &str) -> Gateway {
        gateway(
            &format!("http://{}", self.address),
            TOKEN,
            provider,
            settings,
        )
        .await
    }
}

fn data_in(directory: &TempDir) -> PathBuf {
    directory.path().join("data.yaml")
}

async fn gateway(endpoint: &str, token: &str, provider: &Provider, settings: &str) -> Gateway {
    let config = format!(
        r#"
        {}
        [auth_service]
        enabled = true
        endpoint = "{endpoint}"
        token_env = "AUTH_TOKEN"
        retry_backoff_millis = 1
        {settings}
        "#,
        standard(&provider.base_url())
    );
    let authority = tempfile::NamedTempFile::new().unwrap();
    fs::write(&authority, AUTHORITY).unwrap();
    let environment = [
        ("PROVIDER_KEY", PROVIDER_KEY),
        ("AUTH_TOKEN", token),
        // Read when the gateway starts: the machine need not have certificates.
        ("SSL_CERT_FILE", authority.path().to_str().unwrap()),
    ];
    Gateway::start_with(&config, &environment).await
}

fn chat(gateway: &Gateway, secret: &str) -> Request {
    ask(gateway, secret, "/v1/chat/completions", &chat_body("hello"))
}

fn embed(gateway: &Gateway, secret: &str) -> Request {
    let body = json!({"model": "embed", "input": "hello"});
    ask(gateway, secret, "/v1/embeddings", &body)
}

fn ask(gateway: &Gateway, secret: &str, path: &str, body: &Value) -> Request {
    gateway.request("POST", path).key(secret).json(body)
}

#[tokio::test]
async fn a_key_that_only_the_service_knows_opens_the_gateway_as_far_as_it_is_allowed_to() {
    let (service, provider) = (AuthService::start().await, Provider::start().await);
    let gateway = service.gateway(&provider, "decision_cache_secs = 0").await;
    let check = async |request: Request, status: u16, code: &str| {
        let answer = request.send().await;
        assert_eq!(answer.refusal(), (status, code.to_owned()));
        assert!(!answer.text().contains(REMOTE));
        answer
    };

    let answer = chat(&gateway, REMOTE).send().await.expect(200);
    let log = gateway.log_of(answer.request_id()).await;
    assert_eq!(log.api_key_id.as_deref(), Some("remote"));
    let tenant = log.tenant.unwrap();
    assert_eq!(tenant.organization_id.as_deref(), Some("acme"));
    assert_eq!(tenant.user_id.as_deref(), Some("ann"));
    let [event] = gateway
        .events_of(answer.request_id())
        .await
        .try_into()
        .unwrap();
    assert_eq!(&*event.api_key_id, "remote");
    chat(&gateway, KEY).send().await.expect(200);
    assert_eq!(provider.count("calls").await, 2);

    check(chat(&gateway, "nobody-s"), 401, "invalid_api_key").await;
    check(embed(&gateway, REMOTE), 403, "scope_denied").await;
    let denied = check(embed(&gateway, KEY), 403, "rbac_denied").await;
    for word in ["embeddings.create", "model:embed"] {
        assert!(denied.text().contains(word), "{}", denied.text());
    }
    let log = gateway.log_of(denied.request_id()).await;
    assert_eq!(log.error_code.as_deref(), Some("rbac_denied"));

    // What the service is told counts from the next request on, where nothing is kept.
    let off = DATA.replace("{ id: acme,", "{ id: acme, enabled: false,");
    service.reread(&off).await;
    check(chat(&gateway, REMOTE), 401, "invalid_api_key").await;
    chat(&gateway, KEY).send().await.expect(200);
    service.reread("roles: []").await;
    check(chat(&gateway, KEY), 403, "rbac_denied").await;
    assert_eq!(provider.count("calls").await, 3);

    for secret in [REMOTE, KEY, TOKEN, "nobody-s"] {
        assert!(!gateway.logged().contains(secret));
        assert!(!service.process.logged().contains(secret));
    }
}

#[tokio::test]
async fn while_the_service_is_away_only_what_it_decided_lately_holds() {
    let (service, provider) = (AuthService::start().await, Provider::start().await);
    let settings = "max_retries = 0\ndecision_cache_secs";
    let long = service
        .gateway(&provider, &format!("{settings} = 3600"))
        .await;
    let short = service.gateway(&provider, &format!("{settings} = 1")).await;
    for gateway in [&long, &short] {
        for secret in [REMOTE, KEY] {
            chat(gateway, secret).send().await.expect(200);
        }
        assert_eq!(embed(gateway, KEY).send().await.status, 403);
        assert_eq!(chat(gateway, "nobody-s").send().await.status, 401);
    }
    let (address, directory) = service.kill().await;

    let away = (503, "auth_service_unavailable".to_owned());
    for secret in [REMOTE, KEY] {
        chat(&long, secret).send().await.expect(200);
    }
    assert_eq!(embed(&long, KEY).send().await.status, 403);
    assert_eq!(chat(&long, "nobody-s").send().await.status, 401);
    let undecided = chat(&long, "another-s").send().await;
    assert_eq!(undecided.refusal(), away);
    assert_eq!(undecided.header("x-should-retry"), "true");

    for ask in [chat, embed] {
        eventually("what was decided is too old", || async {
            let answer = ask(&short, KEY).send().await;
            (answer.status == 503).then(|| assert_eq!(answer.refusal(), away))
        })
        .await;
    }
    let calls = provider.count("calls").await;
    for secret in [REMOTE, KEY, "nobody-s"] {
        assert_eq!(chat(&short, secret).send().await.refusal(), away);
    }
    assert_eq!(provider.count("calls").await, calls);

    let mut command = ferrogate(&["auth", "serve", "--token-env", "TOKEN"]);
    command.env("TOKEN", TOKEN);
    let _service = AuthService::run(command, &address.to_string(), directory).await;
    for secret in [REMOTE, KEY] {
        chat(&short, secret).send().await.expect(200);
    }
    assert_eq!(chat(&short, "nobody-s").send().await.status, 401);
    assert!(
        short
            .logged()
            .contains("the authorization service answers again")
    );
}

#[tokio::test]
async fn a_gateway_that_the_service_does_not_let_in_lets_nobody_in() {
    let (service, provider) = (AuthService::start().await, Provider::start().await);
    let endpoint = format!("http://{}", service.address);
    let gateway = gateway(&endpoint, "another-token", &provider, "").await;
    for secret in [REMOTE, KEY, "nobody-s"] {
        let answer = chat(&gateway, secret).send().await;
        let expected = (503, "auth_service_unavailable".to_owned());
        assert_eq!(answer.refusal(), expected, "{secret}");
    }
    assert_eq!(provider.count("calls").await, 0);
    assert!(gateway.logged().contains("it answered with status 401"));
    assert!(!gateway.logged().contains("another-token"));
}

#[tokio::test]
async fn an_https_endpoint_is_spoken_to_in_tls() {
    let (listener, provider) = (Listener::open().await, Provider::start().await);
    let endpoint = format!("https://localhost:{}", listener.address().port());
    let gateway = gateway(&endpoint, TOKEN, &provider, "max_retries = 0").await;
    let serving = async {
        let mut stream = listener.accept_stream().await;
        let mut record = [0; 5];
        stream.read_exact(&mut record).await.unwrap();
        let mut hello = vec![0; usize::from(u16::from_be_bytes([record[3], record[4]]))];
        stream.read_exact(&mut hello).await.unwrap();
        (record, hello)
    };
    let (answer, (record, hello)) = tokio::join!(chat(&gateway, KEY).send(), serving);
    assert_eq!(answer.refusal(), (503, "auth_service_unavailable".into()));
    // A handshake record, whose hello names the host that the certificate must be for.
    assert_eq!(record[..2], [22, 3]);
    let named = hello.windows(9).any(|at| at == b"localhost");
    assert!(named, "{hello:?}");
}

#[tokio::test]
async fn other_data_is_taken_whole_or_not_at_all() {
    let service = AuthService::start().await;
    service.resolve(REMOTE).await.expect(200);

    service
        .reread("api_keys: [{id: other, secret: other-secret, scope: [x]}]")
        .await;
    let logged = service.process.logged();
    assert!(
        logged.contains("api_keys[0].scope is not known; did you mean `scopes`?"),
        "{logged}"
    );
    service.resolve(REMOTE).await.expect(200);
    service.resolve("other-secret").await.expect(401);

    service
        .reread("api_keys: [{id: other, secret: other-secret}]")
        .await;
    service.resolve("other-secret").await.expect(200);
    service.resolve(REMOTE).await.expect(401);
    let logged = service.process.logged();
    assert!(
        logged.contains("api_keys[0].secret stands in clear"),
        "{logged}"
    );
    assert!(!logged.contains("other-secret"));

    fs::remove_file(data_in(&service.directory)).unwrap();
    let before = service.process.logged().len();
    service.process.signal(Signal::SIGHUP);
    eventually("the missing file is noticed", || async {
        let said = service.process.logged();
        said.get(before..)?.contains("stays in force").then_some(())
    })
    .await;
    service.resolve("other-secret").await.expect(200);
}

#[tokio::test]
async fn a_question_that_is_on_its_way_is_answered_before_the_service_leaves() {
    let mut service = AuthService::start().await;
    let body = json!({"presented_key": REMOTE}).to_string();
    let mut socket = Socket::connect(service.address).await;
    socket
        .send(format!(
            "POST {RESOLVE} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {TOKEN}\r\nexpect: 100-continue\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        ))
        .await;
    assert!(socket.read_head().await.starts_with("HTTP/1.1 100 "));

    service.process.signal(Signal::SIGTERM);
    eventually("nobody new is let in", || async {
        TcpStream::connect(service.address).await.err()
    })
    .await;
    socket.send(&body).await;
    let (head, answer) = socket.read_message().await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(answer.contains("\"api_key_id\":\"remote\""), "{answer}");
    assert_eq!(service.process.ended().await.code(), Some(0));
}

#[tokio::test]
async fn the_executable_is_the_service_under_its_second_name() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(data_in(&directory), DATA).unwrap();
    let link = directory.path().join("ferrogate-auth");
    symlink(env!("CARGO_BIN_EXE_ferrogate"), &link).unwrap();
    let second_name = |arguments: &[&str]| {
        let mut command = Command::new(&link);
        command.args(arguments).env_clear().kill_on_drop(true);
        command
    };

    let ended = Ended::of(second_name(&["run", "--config", "x.toml"]), "").await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let ended = Ended::of(second_name(&["--help"]), "").await;
    assert_eq!(ended.code, Some(0));
    assert!(ended.stdout.contains("Usage: ferrogate-auth"), "{ended:?}");

    let command = second_name(&["serve"]);
    let service = AuthService::run(command, "127.0.0.1:0", directory).await;
    let answer = service.ask("GET", "/healthz").send().await.expect(200);
    assert_eq!(
        answer.json(),
        json!({"service": "ferrogate-auth", "status": "ok"})
    );
    // Without a token everybody on this machine may ask.
    let tenants = service.ask("GET", "/v1/tenants").send().await.expect(200);
    assert_eq!(tenants.json()["tenants"][0]["id"], "acme");
}

#[tokio::test]
async fn what_would_be_open_or_wrong_is_refused_before_anything_listens() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| -> PathBuf {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let check = async |data: &Path, arguments: &[&str], environment: &[(&str, &str)], expected| {
        let mut command = ferrogate(&["auth", "serve", "--data"]);
        command.arg(data).args(arguments);
        command.envs(environment.iter().copied());
        let ended = Ended::of(command, "").await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        for part in expected {
            assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
        }
        assert_eq!(ended.stdout, "");
        assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
    };
    let good = file("good.yaml", DATA);
    let open = ["--listen", "0.0.0.0:0"];
    check(
        &good,
        &open,
        &[],
        ["0.0.0.0:0 is open to others", "--token-env"],
    )
    .await;
    let unset = ["--token-env", "TOKEN"];
    check(&good, &unset, &[], ["variable TOKEN", "not found"]).await;
    check(
        &good,
        &unset,
        &[("TOKEN", "")],
        ["token in TOKEN is empty", ""],
    )
    .await;
    let two_lines = file("token", "hunter2\nhunter2\n");
    let from_file = ["--token-file", two_lines.to_str().unwrap()];
    check(&good, &from_file, &[], ["no bearer token has", ""]).await;

    let wrong = file(
        "wrong.yaml",
        "api_keys:\n  - id: a\n    secret: hunter2\n    enabld: true\n  - secret: hunter2\nroles: x\n",
    );
    check(
        &wrong,
        &[],
        &[],
        [
            "line 4: api_keys[0].enabld is not known; did you mean `enabled`?",
            "line 5: api_keys[1].id is missing",
        ],
    )
    .await;
    check(
        &wrong,
        &[],
        &[],
        ["line 6: roles must be a list", "cannot be used"],
    )
    .await;
    let missing = directory.path().join("missing.yaml");
    check(&missing, &[], &[], ["cannot read", "missing.yaml"]).await;
}

/// A certificate, so that there is one to trust; nothing is signed by it.
const AUTHORITY: &str = "\
-----BEGIN CERTIFICATE-----
MIIBnTCCAUOgAwIBAgIUYQLPy2fAhWcM448VaWmWbty8/TUwCgYIKoZIzj0EAwIw
IzEhMB8GA1UEAwwYbm8gYXV0aG9yaXR5IG9mIGFueXRoaW5nMCAXDTI2MTEyNjE5
NTU0MVoYDzIxMjYxMTAyMTk1NTQxWjAjMSEwHwYDVQQDDBhubyBhdXRob3JpdHkg
b2YgYW55dGhpbmcwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAS9b8gD2a7ol4/7
fcWWkWx01qBpRdPOAF8LSINQnOPiCgn8ZaUNOTPyunAvZh54KHpTX4qCoyFPEnrq
C+hbbppso1MwUTAdBgNVHQ4EFgQUYpE/D4ORJM8wVaS2LIrUH+bya38wHwYDVR0j
BBgwFoAUYpE/D4ORJM8wVaS2LIrUH+bya38wDwYDVR0TAQH/BAUwAwEB/zAKBggq
hkjOPQQDAgNIADBFAiB63Cs+WGh7/CWulMBkK1fbKPhcU0jnXKAuLbPGHlTNpQIh
ANnK5IM/tFONHTUPaSl0pdaB6CU4PVmyYCBNzRkALYwS
-----END CERTIFICATE-----
";
