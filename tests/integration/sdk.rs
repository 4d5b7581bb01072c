//! The real client library against the real gateway: runs `tests/sdk` with the `openai` package of PyPI.
//!
//! The package is installed once, into a virtual environment below Cargo's folder for tests, and again only when
//! `tests/sdk/requirements.txt` changes. What stands in its name is what was asked for, so two versions of this
//! checkout can share one target folder.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Output,
    time::Duration,
};

use sha2::{Digest, Sha256};
use tokio::process::Command;

use crate::support::{Gateway, Provider};

const TESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk");
const REQUIREMENTS: &str = include_str!("../sdk/requirements.txt");
const CONFIG: &str = include_str!("../sdk/gateway.toml");

/// The first Python that the pinned packages run on.
const PYTHON_MIN: &str = "import sys; sys.exit(sys.version_info < (3, 11))";
const INSTALL_TIME_LIMIT: Duration = Duration::from_secs(600);
const TESTS_TIME_LIMIT: Duration = Duration::from_secs(120);

#[tokio::test]
async fn the_openai_python_sdk_works_as_with_openai() {
    let python = python_with_the_sdk().await;
    let provider = Provider::start().await;
    let gateway = Gateway::start(&CONFIG.replace("@PROVIDER@", &provider.base_url())).await;
    let mut tests = Command::new(python);
    // What an operator may have set for the real service must not lead the tests there.
    for name in ["OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"] {
        tests.env_remove(name);
    }
    tests
        // The SDK closes its clients when they are collected, which unittest would report one by one.
        .args(["-W", "ignore::ResourceWarning", "-m", "unittest"])
        .args(["discover", "--verbose", "--start-directory", TESTS])
        .env(
            "FERROGATE_BASE_URL",
            format!("http://{}", gateway.address()),
        )
        .env("NO_PROXY", "*")
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let ran = output(tests, TESTS_TIME_LIMIT).await;
    assert!(ran.status.success(), "{}", said(&ran));
    // An empty folder passes, too.
    assert!(
        said(&ran).contains("the_sdks_own_stream_helper"),
        "{}",
        said(&ran)
    );
}

/// The interpreter of a virtual environment that has everything in `requirements.txt`.
async fn python_with_the_sdk() -> PathBuf {
    let digest = Sha256::digest(REQUIREMENTS);
    let name = digest.iter().take(8).map(|byte| format!("{byte:02x}"));
    let folders = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folder = folders.join(format!("sdk-{}", name.collect::<String>()));
    let python = folder.join("bin/python");
    fs::create_dir_all(folders).unwrap();
    // Two test runs may share the folder: one installs, the other waits. The system unlocks it with the file.
    let lock = File::create(folder.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    // Written last, so that an installation that was broken off starts over.
    let complete = folder.join("complete");
    if !complete.exists() {
        install(&folder, &python).await;
        File::create(complete).unwrap();
    }
    python
}

async fn install(folder: &Path, python: &Path) {
    let mut check = Command::new("python3");
    check.args(["-c", PYTHON_MIN]);
    let checked = tokio::time::timeout(INSTALL_TIME_LIMIT, check.status()).await;
    let usable = checked.unwrap().is_ok_and(|status| status.success());
    assert!(
        usable,
        "the client library's tests need Python 3.11 or later as `python3` \
         (Debian and Ubuntu: apt-get install python3 python3-venv)"
    );
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv", "--clear"]).arg(folder);
    let made = output(venv, INSTALL_TIME_LIMIT).await;
    assert!(
        made.status.success(),
        "`python3 -m venv` failed; on Debian and Ubuntu it is in the package python3-venv:\n{}",
        said(&made)
    );
    let mut pip = Command::new(python);
    // Only finished packages: nothing downloaded is run to build another.
    pip.args(["-m", "pip", "install", "--quiet", "--only-binary", ":all:"])
        .arg("--requirement")
        .arg(Path::new(TESTS).join("requirements.txt"))
        .env("PIP_DISABLE_PIP_VERSION_CHECK", "1");
    let installed = output(pip, INSTALL_TIME_LIMIT).await;
    assert!(
        installed.status.success(),
        "tests/sdk/requirements.txt could not be installed; the first run needs PyPI:\n{}",
        said(&installed)
    );
}

async fn output(mut command: Command, time_limit: Duration) -> Output {
    let running = command.kill_on_drop(true).output();
    let ended = tokio::time::timeout(time_limit, running).await;
    ended.expect("Python ends within its time limit").unwrap()
}

fn said(ran: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    text(&ran.stdout) + &text(&ran.stderr)
}
