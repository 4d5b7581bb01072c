//! What can go wrong between a client and the admin API, and what the operator can do about it.

use std::{error::Error as _, io, time::Duration};

use ferrogate_api::ErrorDetail;
use http::StatusCode;

/// A call of the admin API that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("`{url}` is not an http:// or https:// address")]
    Address { url: String },
    #[error("the admin key contains a character that cannot be sent in a header")]
    Token,
    #[error("what `{name}` is to carry cannot be sent in a header: it must be one line")]
    Header { name: String },
    #[error("the system's certificate store could not be read")]
    Certificates {
        #[source]
        source: io::Error,
    },
    #[error("cannot reach the gateway at {target}")]
    Unreachable {
        target: String,
        #[source]
        source: hyper_util::client::legacy::Error,
    },
    #[error("the gateway did not answer within {} s", .limit.as_secs())]
    TimedOut { limit: Duration },
    #[error("{}", .detail.message)]
    Refused {
        status: StatusCode,
        detail: Box<ErrorDetail>,
    },
    #[error("{path} answered {status}: this is not FerroGate's admin API")]
    Foreign { path: String, status: StatusCode },
    #[error("the answer of {path} could not be read")]
    Body {
        path: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("the answer of {path} is not what the admin API promises")]
    Decode {
        path: String,
        #[source]
        source: serde_json::Error,
    },
    #[error("an event of the live feed is larger than {limit_bytes} bytes")]
    EventTooLarge { limit_bytes: usize },
    #[error("the gateway closed the live feed")]
    FeedEnded,
    #[error("the live feed was silent for {} s", .limit.as_secs())]
    FeedSilent { limit: Duration },
}

impl ClientError {
    /// The error and its causes in one line, without saying the same thing twice.
    pub fn chain(&self) -> String {
        let mut line = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !line.contains(&text) {
                line.push_str(": ");
                line.push_str(&text);
            }
            cause = error.source();
        }
        line
    }

    /// The innermost cause: what the operating system or the peer said.
    pub fn root_cause(&self) -> String {
        let mut innermost: &dyn std::error::Error = self;
        while let Some(cause) = innermost.source() {
            innermost = cause;
        }
        innermost.to_string()
    }

    /// What the operator can do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Refused { status, .. } if *status == StatusCode::UNAUTHORIZED => {
                "pass the admin key: --admin-token, or FERROGATE_ADMIN_TOKEN"
            }
            Self::Refused { status, .. } if *status == StatusCode::FORBIDDEN => {
                "this key may not read the admin API: use an admin key"
            }
            Self::Unreachable { .. } => match self.io_kind() {
                Some(io::ErrorKind::NotFound) => {
                    "no gateway made this socket: `ferrogate run` or `ferrogate demo` starts one"
                }
                Some(io::ErrorKind::PermissionDenied) => {
                    "run as root or as the gateway's user, or use --admin-url with --admin-token"
                }
                Some(io::ErrorKind::ConnectionRefused) => {
                    "nothing listens there: is the gateway running?"
                }
                _ => "check the address, and that the gateway is running",
            },
            Self::Foreign { .. } | Self::Decode { .. } => {
                "check the address: it must be the gateway's admin listener"
            }
            Self::Address { .. } => "for example --admin-url http://127.0.0.1:2019",
            _ => "it is tried again by itself",
        }
    }

    /// Whether there was a connection, and it ended before the answer was whole.
    pub fn is_broken_connection(&self) -> bool {
        match self {
            Self::Unreachable { source, .. } => !source.is_connect(),
            Self::Body { .. } => true,
            _ => false,
        }
    }

    /// Whether nobody listens there: no such socket, or nobody behind it.
    pub fn is_nobody_there(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
            && matches!(
                self.io_kind(),
                Some(io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
            )
    }

    fn io_kind(&self) -> Option<io::ErrorKind> {
        let mut cause = self.source();
        while let Some(error) = cause {
            if let Some(io) = error.downcast_ref::<io::Error>() {
                return Some(io.kind());
            }
            cause = error.source();
        }
        None
    }
}
