//! The dashboard: that it is served, and, in a real browser, that it works (`tests/browser`).
//!
//! The browser is Debian's `chromium` with `chromium-driver`, or what `FERROGATE_CHROMIUM` and `FERROGATE_CHROMEDRIVER`
//! name. Where there is none the test says so and passes, but for a CI (`CI` is set), where it fails. Python's client is
//! installed once, as the clients of [`mod@crate::sdk`] are.
//!
//! `FERROGATE_SCREENSHOTS=docs cargo test --test integration dashboard` renews the pictures of the documentation.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use crate::support::{
    Answer, Gateway, Provider, Request, Target,
    python::{self, Python},
};

const TESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser");
const CONFIG: &str = include_str!("../browser/gateway.toml");

const TESTS_TIME_LIMIT: Duration = Duration::from_secs(900);

#[tokio::test]
async fn the_page_is_served_without_a_key_and_the_api_below_it_is_not() {
    let (_provider, gateway) = started().await;
    let get = |path: &str| Request::new(Target::Tcp(gateway.admin_address()), "GET", path);
    for path in ["/admin", "/admin/", "/admin/dashboard"] {
        let page = get(path).send().await.expect(200);
        assert!(page.text().starts_with("<!doctype html>"), "{path}");
        check_headers(&page);
        let known = get(path).header("if-none-match", page.header("etag"));
        let again = known.send().await.expect(304);
        assert_eq!(again.text(), "");
        check_headers(&again);
    }
    // A link to it may stand on another site's page; what that page sends to the API is another matter.
    let linked = get("/admin").header("sec-fetch-site", "cross-site");
    linked.send().await.expect(200);
    assert_eq!(get("/admin/v1/status").send().await.status, 401);
    let post = Request::new(Target::Tcp(gateway.admin_address()), "POST", "/admin");
    assert_eq!(post.send().await.status, 405);
    // This machine's own gateway listener shows it, too.
    gateway.request("GET", "/admin").send().await.expect(200);
}

fn check_headers(page: &Answer) {
    let policy = page.header("content-security-policy");
    for part in [
        "default-src 'none'",
        "script-src 'sha256-",
        "style-src 'sha256-",
        "connect-src 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header("cache-control"), "no-cache");
    assert_eq!(page.header("x-frame-options"), "DENY");
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert_eq!(page.header("referrer-policy"), "no-referrer");
}

#[tokio::test]
async fn people_without_a_terminal_operate_the_gateway_in_a_browser() {
    let Some(browser) = Browser::found() else {
        assert!(
            std::env::var_os("CI").is_none(),
            "the dashboard's test needs a browser (Debian: apt-get install chromium chromium-driver)"
        );
        eprintln!(
            "SKIPPED: the dashboard was not looked at, because there is no `chromium` or no `chromedriver` \
             (Debian: apt-get install chromium chromium-driver)"
        );
        return;
    };
    let python = Python::installed("browser", Path::new(TESTS)).await;
    let (_provider, gateway) = started().await;
    let home = tempfile::tempdir().unwrap();
    let mut tests = python.command("python", home.path());
    tests
        .args(["-m", "unittest", "--verbose"])
        .args(["test_dashboard", "test_alerts"])
        .current_dir(TESTS)
        .env("TMPDIR", home.path())
        .env("SE_OFFLINE", "true")
        .env("SE_AVOID_STATS", "true")
        .env("FERROGATE_CHROMIUM", browser.chromium)
        .env("FERROGATE_CHROMEDRIVER", browser.driver)
        .env(
            "FERROGATE_BASE_URL",
            format!("http://{}", gateway.address()),
        )
        .env(
            "FERROGATE_ADMIN_URL",
            format!("http://{}", gateway.admin_address()),
        )
        .env("NO_PROXY", "127.0.0.1,localhost");
    if let Some(folder) = std::env::var_os("FERROGATE_SCREENSHOTS") {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        tests.env("FERROGATE_SCREENSHOTS", folder);
    }
    let ran = python::run(tests, TESTS_TIME_LIMIT).await;
    let said = &ran.said;
    assert!(ran.succeeded, "{said}\n{}", gateway.logged());
    // Nothing that was looked for and not found passes.
    for one in [
        "test_drain_and_back",
        "test_an_alert_that_fires_is_shown_and_acknowledged",
    ] {
        assert!(said.contains(one), "{said}");
    }
}

async fn started() -> (Provider, Gateway) {
    let provider = Provider::start().await;
    let simulator = format!("http://{}", provider.address());
    let gateway = Gateway::start(&CONFIG.replace("@PROVIDER@", &simulator)).await;
    (provider, gateway)
}

/// A Chromium, and the program that drives it.
struct Browser {
    chromium: PathBuf,
    driver: PathBuf,
}

impl Browser {
    fn found() -> Option<Self> {
        Some(Self {
            chromium: program("FERROGATE_CHROMIUM", &["chromium", "chromium-browser"])?,
            driver: program("FERROGATE_CHROMEDRIVER", &["chromedriver"])?,
        })
    }
}

/// What the variable names, or the first of `names` that is on the path.
fn program(variable: &str, names: &[&str]) -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(variable) {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH")?;
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|file| file.is_file())
}
