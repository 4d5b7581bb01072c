//! What the tests are written with: processes under test, a client that shows what came over the wire, and one way to
//! wait.

mod client;
mod eventually;
mod gateway;
mod ledger;
mod process;
mod provider;
mod rig;
mod socket;
mod stream;
mod terminal;

pub(crate) use client::{Answer, Request, Target};
pub(crate) use eventually::{eventually, within};
pub(crate) use gateway::{Gateway, Stopped};
pub(crate) use ledger::Ledger;
pub(crate) use process::{Ended, Process, ferrogate};
pub(crate) use provider::Provider;
pub(crate) use rig::{KEY, PROVIDER_KEY, Rig, chat_body, gateway_for};
pub(crate) use socket::{Listener, Socket};
pub(crate) use stream::{Event, Opened};
pub(crate) use terminal::Terminal;
