//! A terminal of 120 by 40 characters, and a program in it.

use std::{
    fs::File,
    io::{Read, Write},
    os::fd::OwnedFd,
    process::Stdio,
};

use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    pty::{Winsize, openpty},
};
use tokio::process::{Child, Command};

use super::{eventually, within};

const ROWS: u16 = 40;
const COLUMNS: u16 = 120;

/// The program and what its screen shows.
pub(crate) struct Terminal {
    keyboard_and_screen: File,
    screen: vt100::Parser,
    child: Child,
}

impl Terminal {
    /// Runs `ferrogate` with `arguments`.
    pub(crate) fn run(arguments: &[&str]) -> Self {
        let size = Winsize {
            ws_row: ROWS,
            ws_col: COLUMNS,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let pair = openpty(&size, None).unwrap();
        let end = |fd: &OwnedFd| Stdio::from(fd.try_clone().unwrap());
        // A terminal of its own, whatever the tests themselves run in.
        let child = Command::new("setsid")
            .args(["--ctty", env!("CARGO_BIN_EXE_ferrogate")])
            .args(arguments)
            .env("TERM", "xterm-256color")
            .env_remove("NO_COLOR")
            .stdin(end(&pair.slave))
            .stdout(end(&pair.slave))
            .stderr(end(&pair.slave))
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        fcntl(&pair.master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        Self {
            keyboard_and_screen: pair.master.into(),
            screen: vt100::Parser::new(ROWS, COLUMNS, 0),
            child,
        }
    }

    /// Waits until the screen shows all of `texts`.
    pub(crate) async fn shows(&mut self, texts: &[&str]) {
        eventually(&format!("the screen shows {texts:?}"), || {
            let screen = self.look();
            let shown = texts.iter().all(|text| screen.contains(text));
            std::future::ready(shown.then_some(()))
        })
        .await;
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.keyboard_and_screen.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until the program has ended, and gives its exit code.
    pub(crate) async fn ended(mut self) -> Option<i32> {
        let status = within("the program ends", self.child.wait()).await;
        status.unwrap().code()
    }

    fn look(&mut self) -> String {
        let mut piece = [0; 64 * 1024];
        while let Ok(read @ 1..) = self.keyboard_and_screen.read(&mut piece) {
            self.screen.process(&piece[..read]);
        }
        self.screen.screen().contents()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the screen\n{}", self.look());
        }
    }
}
