//! Real client libraries against the real gateway: runs what is in `tests/sdk`, one test here for each folder there.
//!
//! What a folder's `requirements.txt` and `package-lock.json` name is installed once, into a virtual environment below
//! Cargo's folder for tests, and again only when they change. What stands in its name is what was asked for, so two
//! versions of this checkout can share one target folder. Node.js comes from PyPI, too.
//!
//! Clients that are large to install are left out unless asked for: `tests/sdk/run --all`.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Output,
    time::Duration,
};

use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::process::Command;

use crate::support::{Gateway, Provider};

const TESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk");
const CONFIG: &str = include_str!("../sdk/gateway.toml");

/// The first Python that the pinned packages run on.
const PYTHON_MIN: &str = "import sys; sys.exit(sys.version_info < (3, 11))";
const INSTALL_TIME_LIMIT: Duration = Duration::from_secs(1200);
const TESTS_TIME_LIMIT: Duration = Duration::from_secs(600);

/// A proxy that nobody listens at: what a client tries to reach beside the gateway fails, and no test depends on it.
const NOWHERE: &str = "http://127.0.0.1:9";

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
    /// A virtual environment, with `node_modules` beside its own folders where the tests need them.
    environment: PathBuf,
}

impl Suite {
    /// The tests in `folder`, as soon as everything they need is there.
    async fn installed(folder: &str) -> Self {
        let tests = Path::new(TESTS).join(folder);
        let mut digest = Sha256::new();
        for name in ["requirements.txt", "package-lock.json"] {
            digest.update(fs::read(tests.join(name)).unwrap_or_default());
        }
        let digest = digest.finalize();
        let digits = digest.iter().take(8).map(|byte| format!("{byte:02x}"));
        let folders = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let name = format!("sdk-{folder}-{}", digits.collect::<String>());
        let environment = folders.join(name);
        let suite = Self { tests, environment };
        fs::create_dir_all(folders).unwrap();
        // Two test runs may share the folder: one installs, the other waits. The system unlocks it with the file.
        let lock = File::create(suite.environment.with_extension("lock")).unwrap();
        lock.lock().unwrap();
        // Written last, so that an installation that was broken off starts over.
        let complete = suite.environment.join("complete");
        if !complete.exists() {
            suite.install().await;
            File::create(complete).unwrap();
        }
        suite
    }

    async fn install(&self) {
        check_python().await;
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv", "--clear"]).arg(&self.environment);
        let made = output(venv, INSTALL_TIME_LIMIT).await;
        assert!(
            made.status.success(),
            "`python3 -m venv` failed; on Debian and Ubuntu it is in the package python3-venv:\n{}",
            said(&made)
        );
        let mut pip = Command::new(self.program("python"));
        // Only finished packages: nothing downloaded is run to build another.
        pip.args(["-m", "pip", "install", "--quiet", "--only-binary", ":all:"])
            .arg("--requirement")
            .arg(self.tests.join("requirements.txt"))
            .env("PIP_DISABLE_PIP_VERSION_CHECK", "1");
        self.fetch(pip, "requirements.txt", "PyPI").await;
        if self.has_node() {
            for name in ["package.json", "package-lock.json"] {
                fs::copy(self.tests.join(name), self.environment.join(name)).unwrap();
            }
            let mut npm = Command::new(self.program("npm"));
            // The same here: no package's own scripts.
            npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
                .current_dir(&self.environment)
                .env("PATH", self.path());
            self.fetch(npm, "package-lock.json", "npm's registry").await;
        }
    }

    async fn fetch(&self, command: Command, list: &str, registry: &str) {
        let fetched = output(command, INSTALL_TIME_LIMIT).await;
        assert!(
            fetched.status.success(),
            "{} could not be installed; the first run needs {registry}:\n{}",
            self.tests.join(list).display(),
            said(&fetched)
        );
    }

    /// Runs all of them against a gateway of their own. `one` of them is looked for: an empty folder passes, too.
    async fn run(&self, one: &str) {
        let provider = Provider::start().await;
        let simulator = format!("http://{}", provider.address());
        let gateway = Gateway::start(&CONFIG.replace("@PROVIDER@", &simulator)).await;
        let home = tempfile::tempdir().unwrap();
        let mut tests = if self.is_python() {
            self.unittest()
        } else {
            self.node_test(&home)
        };
        tests
            .env_clear()
            .env("PATH", self.path())
            .env("HOME", home.path())
            .env("PYTHONPATH", TESTS)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env(
                "FERROGATE_BASE_URL",
                format!("http://{}", gateway.address()),
            )
            .env(
                "FERROGATE_NODE_MODULES",
                self.environment.join("node_modules"),
            )
            .env("NO_PROXY", "127.0.0.1");
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            tests.env(name, NOWHERE);
        }
        let ran = output(tests, TESTS_TIME_LIMIT).await;
        assert!(ran.status.success(), "{}", said(&ran));
        assert!(said(&ran).contains(one), "{}", said(&ran));
    }

    fn unittest(&self) -> Command {
        let mut tests = Command::new(self.program("python"));
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
        let modules = self.environment.join("node_modules");
        std::os::unix::fs::symlink(modules, copy.join("node_modules")).unwrap();
        let mut tests = Command::new(self.program("node"));
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

    fn has_node(&self) -> bool {
        self.tests.join("package.json").exists()
    }

    fn program(&self, name: &str) -> PathBuf {
        self.environment.join("bin").join(name)
    }

    /// The environment's programs first.
    fn path(&self) -> String {
        let rest = std::env::var("PATH").unwrap_or_default();
        format!("{}:{rest}", self.environment.join("bin").display())
    }
}

async fn check_python() {
    let mut check = Command::new("python3");
    check.args(["-c", PYTHON_MIN]);
    let checked = tokio::time::timeout(INSTALL_TIME_LIMIT, check.status()).await;
    let usable = checked.unwrap().is_ok_and(|status| status.success());
    assert!(
        usable,
        "the client libraries' tests need Python 3.11 or later as `python3` \
         (Debian and Ubuntu: apt-get install python3 python3-venv)"
    );
}

async fn output(mut command: Command, time_limit: Duration) -> Output {
    let running = command.kill_on_drop(true).output();
    let ended = tokio::time::timeout(time_limit, running).await;
    ended.expect("it ends within its time limit").unwrap()
}

fn said(ran: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    text(&ran.stdout) + &text(&ran.stderr)
}
