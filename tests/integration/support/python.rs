//! Programs from PyPI that tests run: in virtual environments below Cargo's folder for tests, each of which is
//! installed once, and again only when what it is asked for changes. That stands in its name, so that two versions of
//! this checkout can share one target folder.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::Duration,
};

use sha2::{Digest, Sha256};
use tokio::process::Command;

/// The first Python that the pinned packages run on.
const PYTHON_MIN: &str = "import sys; sys.exit(sys.version_info < (3, 11))";
const INSTALL_TIME_LIMIT: Duration = Duration::from_secs(1200);

/// A proxy that nobody listens at: what a program tries to reach beside the gateway fails, and no test depends on it.
const NOWHERE: &str = "http://127.0.0.1:9";

/// A virtual environment.
pub(crate) struct Python(PathBuf);

/// How a program ended, and everything it said.
pub(crate) struct Ran {
    pub(crate) succeeded: bool,
    pub(crate) said: String,
}

impl Python {
    /// The one called `name` with what `requirements.txt` in `tests` names, as soon as it is there.
    pub(crate) async fn installed(name: &str, tests: &Path) -> Self {
        Self::installed_with(name, tests, async |_| {}).await
    }

    /// The same where `more` installs what `package-lock.json` in `tests` names.
    pub(crate) async fn installed_with(
        name: &str,
        tests: &Path,
        more: impl AsyncFnOnce(&Self),
    ) -> Self {
        let mut digest = Sha256::new();
        for list in ["requirements.txt", "package-lock.json"] {
            digest.update(fs::read(tests.join(list)).unwrap_or_default());
        }
        let digest = digest.finalize();
        let digits = digest.iter().take(8).map(|byte| format!("{byte:02x}"));
        let folders = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let python = Self(folders.join(format!("{name}-{}", digits.collect::<String>())));
        fs::create_dir_all(folders).unwrap();
        // Two test runs may share the folder: one installs, the other waits. The system unlocks it with the file.
        let lock = File::create(python.0.with_extension("lock")).unwrap();
        lock.lock().unwrap();
        // Written last, so that an installation that was broken off starts over.
        let complete = python.0.join("complete");
        if !complete.exists() {
            python.install(tests).await;
            more(&python).await;
            File::create(complete).unwrap();
        }
        python
    }

    async fn install(&self, tests: &Path) {
        check_python().await;
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv", "--clear"]).arg(&self.0);
        let made = run(venv, INSTALL_TIME_LIMIT).await;
        assert!(
            made.succeeded,
            "`python3 -m venv` failed; on Debian and Ubuntu it is in the package python3-venv:\n{}",
            made.said
        );
        let requirements = tests.join("requirements.txt");
        let mut pip = Command::new(self.program("python"));
        // Only finished packages: nothing downloaded is run to build another.
        pip.args(["-m", "pip", "install", "--quiet", "--only-binary", ":all:"])
            .arg("--requirement")
            .arg(&requirements)
            .env("PIP_DISABLE_PIP_VERSION_CHECK", "1");
        fetch(pip, &requirements, "PyPI").await;
    }

    /// The folder that it is in.
    pub(crate) fn folder(&self) -> &Path {
        &self.0
    }

    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.0.join("bin").join(name)
    }

    /// The environment's programs first.
    pub(crate) fn path(&self) -> String {
        let rest = std::env::var("PATH").unwrap_or_default();
        format!("{}:{rest}", self.0.join("bin").display())
    }

    /// One of its programs, with nothing of the test's own environment and no way to anything but 127.0.0.1.
    pub(crate) fn command(&self, program: &str, home: &Path) -> Command {
        let mut command = Command::new(self.program(program));
        command
            .env_clear()
            .env("PATH", self.path())
            .env("HOME", home)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("NO_PROXY", "127.0.0.1");
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            command.env(name, NOWHERE);
        }
        command
    }
}

async fn check_python() {
    let mut check = Command::new("python3");
    check.args(["-c", PYTHON_MIN]);
    let checked = tokio::time::timeout(INSTALL_TIME_LIMIT, check.status()).await;
    let usable = checked.unwrap().is_ok_and(|status| status.success());
    assert!(
        usable,
        "these tests need Python 3.11 or later as `python3` \
         (Debian and Ubuntu: apt-get install python3 python3-venv)"
    );
}

/// Installs with `command` what `list` names.
pub(crate) async fn fetch(command: Command, list: &Path, registry: &str) {
    let fetched = run(command, INSTALL_TIME_LIMIT).await;
    assert!(
        fetched.succeeded,
        "{} could not be installed; the first run needs {registry}:\n{}",
        list.display(),
        fetched.said
    );
}

/// Runs `command` to its end.
pub(crate) async fn run(mut command: Command, time_limit: Duration) -> Ran {
    let running = command.kill_on_drop(true).output();
    let ended = tokio::time::timeout(time_limit, running).await;
    let output = ended.expect("it ends within its time limit").unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    Ran {
        succeeded: output.status.success(),
        said: text(&output.stdout) + &text(&output.stderr),
    }
}
