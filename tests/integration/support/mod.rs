//! What the tests are written with: processes under test, a client that shows what came over the wire, and one way to
//! wait.

mod candidates;
mod changes;
mod client;
mod dialect;
mod eventually;
mod gateway;
mod ledger;
mod pair;
mod process;
mod provider;
pub(crate) mod python;
mod redis;
mod requests;
mod rig;
mod socket;
mod stream;
mod terminal;

pub(crate) use candidates::{first_then_second, provider_of, routed, routed_body};
pub(crate) use changes::{find_in_files, take_entry};
pub(crate) use client::{Answer, Request, Target};
pub(crate) use dialect::{Call, Dialect};
pub(crate) use eventually::{eventually, within};
pub(crate) use gateway::{Gateway, Stopped};
pub(crate) use ledger::Ledger;
pub(crate) use pair::{Pair, events_of, model_of, pair_rig, pair_rig_with};
pub(crate) use process::{Ended, Process, ferrogate};
pub(crate) use provider::Provider;
pub(crate) use redis::Redis;
pub(crate) use requests::set;
pub(crate) use rig::{ENVIRONMENT, KEY, PROVIDER_KEY, Rig, chat_body, gateway_for, standard};
pub(crate) use socket::{Listener, Socket};
pub(crate) use stream::{Event, Opened};
pub(crate) use terminal::Terminal;
