//! The console's core: one model, one message type, one pure update function, and the commands it asks for.

pub mod command;
pub mod connection;
pub mod filter;
pub mod history;
pub mod message;
pub mod model;
pub mod request_buffer;
pub mod update;

pub use command::Cmd;
pub use message::{Failure, Msg, PageFor};
pub use model::{Model, Screen, Toast};
pub use update::update;
