//! What one event of a stream means to the relay.

use crate::error::RequestError;

/// What one event of a stream means to the relay.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen {
    /// A comment, a role, a `created`: nothing a client could not do without if the stream died now.
    Preamble,
    /// Text, tool call, reasoning, refusal or a finish reason.
    Content,
    /// The usage event, which only the gateway asked for: not for the client.
    Hidden,
    /// The dialect's closing event: after it nothing follows.
    Terminal,
    /// The provider reports that it failed; the event is itself the dialect's closing one.
    Failed(Box<RequestError>),
}
