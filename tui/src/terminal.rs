//! The terminal: taken over on start, given back however the console ends.

use std::{
    io::{self, BufWriter, IsTerminal, Stdout, Write},
    sync::Once,
};

use crossterm::{
    cursor::Show,
    execute, queue,
    terminal::{
        BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
        disable_raw_mode, enable_raw_mode,
    },
};
use ratatui::{
    Frame, Terminal,
    backend::CrosstermBackend,
    layout::{Position, Rect, Size},
};

/// Raw mode on the alternate screen; dropping it restores the terminal.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<BufWriter<Stdout>>>,
}

/// The largest frame that was measured is a quarter of it: a frame is one write.
const FRAME_BYTES: usize = 64 << 10;

impl Screen {
    pub fn open() -> io::Result<Self> {
        if !io::stdout().is_terminal() {
            return Err(io::Error::other("standard output is not a terminal"));
        }
        restore_on_panic();
        // The theme leaves colours out under NO_COLOR; crossterm's own way of doing it also erases bold and reverse.
        crossterm::style::force_color_output(true);
        enable_raw_mode()?;
        let guard = Restore;
        execute!(io::stdout(), EnterAlternateScreen)?;
        let out = BufWriter::with_capacity(FRAME_BYTES, io::stdout());
        // No `clear` here or below: it asks the terminal where the cursor is, and the event stream takes the answer.
        // The alternate screen is empty anyway.
        let terminal = Terminal::new(CrosstermBackend::new(out))?;
        std::mem::forget(guard);
        Ok(Self { terminal })
    }

    /// Draws one frame in one piece, so that the terminal never shows half of it.
    pub fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        let drawn = self.terminal.draw(draw).map(|_| ());
        execute!(self.terminal.backend_mut(), EndSynchronizedUpdate)?;
        drawn
    }

    pub fn size(&self) -> io::Result<Size> {
        self.terminal.size()
    }

    /// Gives the terminal back, stops the process as `^z` does, and takes the terminal again on `fg`.
    pub fn suspend(&mut self) -> io::Result<()> {
        restore();
        nix::sys::signal::raise(nix::sys::signal::Signal::SIGTSTP)?;
        enable_raw_mode()?;
        execute!(io::stdout(), EnterAlternateScreen)?;
        // The screen is empty now: forget what was drawn on it.
        let size = self.terminal.size()?;
        self.terminal.resize(Rect::from((Position::ORIGIN, size)))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// Restores when opening fails half-way.
struct Restore;

impl Drop for Restore {
    fn drop(&mut self) {
        restore();
    }
}

/// A terminal that is gone cannot be restored: failures have nobody to be told to.
fn restore() {
    let mut out = io::stdout();
    execute!(out, LeaveAlternateScreen, Show).ok();
    disable_raw_mode().ok();
    out.flush().ok();
}

/// A panic's message must be readable: the terminal is restored before it is printed.
fn restore_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            before(panic);
        }));
    });
}
