//! Real client libraries against the real gateway: runs what is in `tests/sdk`, one test here for each folder there.
//!
//! What a folder's `requirements.txt` and `package-lock.json` name is installed once, and again only when they change.
//! Node.js comes from PyPI, too.
//!
//! Clients that are large to install are left out unless asked for: `tests/sdk/run --all`.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;
use tokio::process::Command;

use crate::support::{
    Gateway, Provider,
    python::{self, Python},
};

const TESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk");
const CONFIG: &str = include_str!("../sdk/gateway.toml");

const TESTS_TIME_LIMIT: Duration = Duration::from_secs(600);

#[tokio::test]
async fn the_vendors_python_sdks_work_through_every_provider() {
    let suite = Suite::installed("python").await;
    suite.run("the_sdks_own_stream_helper").await;
}

#[tokio::test]
async fn langchain_and_llama_index_work_through_every_provider() {
    let suite = Suite::installed("frameworks").await;
    suite.run("test_an_agent_calls_its_tool").await;
}

#[tokio::test]
async fn the_node_sdks_work_through_every_provider() {
    let suite = Suite::installed("node").await;
    suite.run("responses: a later turn").await;
}

#[tokio::test]
#[ignore = "large to install: tests/sdk/run --all"]
async fn agent_frameworks_work_through_every_provider() {
    let suite = Suite::installed("agents").await;
    suite.run("test_an_agent_streams_and_hands_over").await;
}

#[tokio::test]
#[ignore = "large to install: tests/sdk/run --all"]
async fn crewai_works_through_every_provider() {
    let suite = Suite::installed("crewai").await;
    suite.run("test_a_crew_calls_its_tool").await;
}

#[tokio::test]
#[ignore = "large to install: tests/sdk/run --all"]
async fn coding_agents_work_through_every_provider() {
    let suite = Suite::installed("coding_agents").await;
    suite.run("test_it_runs_a_command").await;
}

/// One folder of tests, with what it needs.
struct Suite {
    tests: PathBuf,
    /// With `node_modules` beside its own folders where the tests need them.
    python: Python,
}

impl Suite {
    /// The tests in `folder`, as soon as everything they need is there.
    async fn installed(folder: &str) -> Self {
        let tests = Path::new(TESTS).join(folder);
        let name = format!("sdk-{folder}");
        let python = Python::installed_with(&name, &tests, async |python| {
            install_node_modules(python, &tests).await;
        });
        let python = python.await;
        Self { tests, python }
    }

    /// Runs all of them against a gateway of their own. `one` of them is looked for: an empty folder passes, too.
    async fn run(&self, one: &str) {
        let provider = Provider::start().await;
        let simulator = format!("http://{}", provider.address());
        let gateway = Gateway::start(&CONFIG.replace("@PROVIDER@", &simulator)).await;
        let home = tempfile::tempdir().unwrap();
        let mut tests = if self.is_python() {
            self.unittest(&home)
        } else {
            self.node_test(&home)
        };
        tests
            .env("PYTHONPATH", TESTS)
            .env(
                "FERROGATE_BASE_URL",
                format!("http://{}", gateway.address()),
            )
            .env("FERROGATE_NODE_MODULES", self.node_modules());
        let ran = python::run(tests, TESTS_TIME_LIMIT).await;
        assert!(ran.succeeded, "{}", ran.said);
        assert!(ran.said.contains(one), "{}", ran.said);
    }

    fn unittest(&self, home: &TempDir) -> Command {
        let mut tests = self.python.command("python", home.path());
        tests
            // The SDKs close their clients when they are collected, which unittest would report one by one.
            .args(["-W", "ignore", "-m", "unittest", "discover", "--verbose"])
            .arg("--start-directory")
            .arg(&self.tests);
        tests
    }

    /// Node looks for modules beside and above the file that imports them, so the tests go where the modules are.
    fn node_test(&self, home: &TempDir) -> Command {
        let copy = home.path().join("tests");
        fs::create_dir(&copy).unwrap();
        for file in fs::read_dir(&self.tests).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), copy.join(file.file_name())).unwrap();
        }
        std::os::unix::fs::symlink(self.node_modules(), copy.join("node_modules")).unwrap();
        let mut tests = self.python.command("node", home.path());
        tests
            .args(["--test", "--test-reporter", "spec"])
            .current_dir(copy);
        tests
    }

    fn is_python(&self) -> bool {
        let mut files = fs::read_dir(&self.tests).unwrap();
        files.any(|file| {
            file.unwrap()
                .path()
                .extension()
                .is_some_and(|ext| ext == "py")
        })
    }

    fn node_modules(&self) -> PathBuf {
        self.python.folder().join("node_modules")
    }
}

/// What `package-lock.json` names, where there is one.
async fn install_node_modules(python: &Python, tests: &Path) {
    if !tests.join("package.json").exists() {
        return;
    }
    for name in ["package.json", "package-lock.json"] {
        fs::copy(tests.join(name), python.folder().join(name)).unwrap();
    }
    let mut npm = Command::new(python.program("npm"));
    // As with Python's: no package's own scripts.
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(python.folder())
        .env("PATH", python.path());
    python::fetch(npm, &tests.join("package-lock.json"), "npm's registry").await;
}
