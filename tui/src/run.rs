//! The loop: keys, answers and the clock become messages, messages change the model, the model is drawn.
//!
//! It draws only after something changed. A key is answered at once; what the gateway sends is drawn at most ten
//! times a second, with everything that came in between. While nothing happens it wakes once a second, for the clock.

use std::{io, time::Duration};

use crossterm::event::{Event as TerminalEvent, EventStream};
use futures_util::StreamExt;
use ratatui::layout::Size;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use crate::{
    app::{Cmd, Model, Msg, command::Commands, update},
    client::{self, ClientError, Target},
    clock, screens,
    terminal::Screen,
    theme::{Depth, Theme},
};

const FRAME_TIME_FOR_DATA: Duration = Duration::from_millis(100);
const FRAME_TIME_FOR_KEYS: Duration = Duration::from_millis(16);
/// Answers that wait to be read; a full channel holds the feed back, and the gateway then skips and says so.
const ANSWERS_MAX: usize = 1_024;
const ANSWERS_PER_WAKE: usize = 256;

/// How the console is started.
#[derive(Debug, Clone)]
pub struct Options {
    pub target: Target,
}

/// Why the console could not run.
#[derive(Debug, thiserror::Error)]
pub enum TuiError {
    #[error("the admin API cannot be used")]
    Client(#[source] ClientError),
    #[error("the terminal cannot be used")]
    Terminal(#[source] io::Error),
    #[error("signals cannot be received")]
    Signals(#[source] io::Error),
}

/// Runs the console until the operator leaves it. An unreachable gateway is no error: it keeps trying.
pub async fn run(options: Options) -> Result<(), TuiError> {
    let api = client::connect(&options.target).map_err(TuiError::Client)?;
    let mut ends = EndSignals::new().map_err(TuiError::Signals)?;
    let screen = Screen::open().map_err(TuiError::Terminal)?;
    let (answers_in, mut answers) = mpsc::channel(ANSWERS_MAX);
    let size = screen.size().map_err(TuiError::Terminal)?;
    let mut console = Console {
        model: new_model(&options.target, size),
        theme: theme(),
        commands: Commands::new(api, answers_in),
        screen,
        next_frame: None,
        drawn_at: Instant::now(),
    };
    let mut keys = EventStream::new();
    let mut clock_tick = interval(Duration::from_secs(1));
    clock_tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut waiting = Vec::new();

    let mut running = console.handle(Msg::Started)?;
    while running {
        let frame_at = console.next_frame;
        running = tokio::select! {
            biased;
            () = ends.received() => false,
            event = keys.next() => match event {
                Some(Ok(event)) => console.handle_terminal(event)?,
                Some(Err(error)) => return Err(TuiError::Terminal(error)),
                // The terminal has gone.
                None => false,
            },
            _ = answers.recv_many(&mut waiting, ANSWERS_PER_WAKE) => {
                console.handle_answers(&mut waiting)?
            }
            _ = clock_tick.tick() => {
                console.tick()?
            }
            () = sleep_until(frame_at.unwrap_or_else(Instant::now)), if frame_at.is_some() => {
                console.draw()?;
                true
            }
        };
    }
    Ok(())
}

struct Console {
    model: Model,
    theme: Theme,
    commands: Commands,
    screen: Screen,
    /// When the next frame is due; `None` while the screen shows the model as it is.
    next_frame: Option<Instant>,
    drawn_at: Instant,
}

impl Console {
    /// Applies a message and starts what it asks for; `false` ends the console.
    fn handle(&mut self, message: Msg) -> Result<bool, TuiError> {
        let mut commands = update(
            &mut self.model,
            Msg::Tick {
                unix_ms: clock::unix_ms(),
            },
        );
        commands.extend(update(&mut self.model, message));
        self.start(commands)
    }

    fn start(&mut self, commands: Vec<Cmd>) -> Result<bool, TuiError> {
        for command in commands {
            match command {
                Cmd::Quit => return Ok(false),
                Cmd::Suspend => {
                    self.screen.suspend().map_err(TuiError::Terminal)?;
                    self.due_within(Duration::ZERO);
                }
                command => self.commands.start(command),
            }
        }
        Ok(true)
    }

    fn handle_terminal(&mut self, event: TerminalEvent) -> Result<bool, TuiError> {
        let message = match event {
            TerminalEvent::Key(key) => Msg::Key(key),
            TerminalEvent::Resize(width, height) => Msg::Resized(Size { width, height }),
            TerminalEvent::FocusGained
            | TerminalEvent::FocusLost
            | TerminalEvent::Mouse(_)
            | TerminalEvent::Paste(_) => return Ok(true),
        };
        self.due_within(FRAME_TIME_FOR_KEYS);
        self.handle(message)
    }

    fn handle_answers(&mut self, waiting: &mut Vec<Msg>) -> Result<bool, TuiError> {
        self.due_within(FRAME_TIME_FOR_DATA);
        for message in waiting.drain(..) {
            if !self.handle(message)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn tick(&mut self) -> Result<bool, TuiError> {
        self.due_within(FRAME_TIME_FOR_DATA);
        let unix_ms = clock::unix_ms();
        let commands = update(&mut self.model, Msg::Tick { unix_ms });
        self.start(commands)
    }

    /// Asks for a frame, at the earliest so long after the last one. The earliest wish wins.
    fn due_within(&mut self, frame_time: Duration) {
        let due = self.drawn_at + frame_time;
        self.next_frame = Some(self.next_frame.map_or(due, |earlier| earlier.min(due)));
    }

    fn draw(&mut self) -> Result<(), TuiError> {
        let (model, theme) = (&self.model, &self.theme);
        self.screen
            .draw(|frame| screens::view(model, theme, frame))
            .map_err(TuiError::Terminal)?;
        self.drawn_at = Instant::now();
        self.next_frame = None;
        Ok(())
    }
}

fn new_model(target: &Target, size: Size) -> Model {
    let now_unix_ms = clock::unix_ms();
    let jitter_seed = now_unix_ms.unsigned_abs() ^ (u64::from(std::process::id()) << 32);
    Model::new(target.to_string(), size, now_unix_ms, jitter_seed)
}

fn theme() -> Theme {
    let variable = |name| std::env::var(name).ok();
    Theme::dark(Depth::detect(
        variable("NO_COLOR").as_deref(),
        variable("COLORTERM").as_deref(),
        variable("TERM").as_deref(),
    ))
}

/// The signals that end the console; they must restore the terminal too.
struct EndSignals {
    terminate: Signal,
    hangup: Signal,
    interrupt: Signal,
}

impl EndSignals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
