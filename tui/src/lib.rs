//! FerroGate's terminal console, and the typed client of the admin API that it is built on.
//!
//! Elm core, component leaves: `app::update` is pure and turns a message into commands, `screens` read the model
//! and draw, `app::command` runs the commands as tasks that answer with messages, `run` ties the three together.
//! The console is a client of the admin API and of nothing else.

pub mod app;
pub mod client;
pub mod clock;
pub mod format;
pub mod keymap;
pub mod run;
pub mod screens;
pub mod terminal;
pub mod theme;
pub mod widgets;

pub use client::{AdminToken, Target};
pub use run::{Options, TuiError, run};
