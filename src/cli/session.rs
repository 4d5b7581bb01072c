//! One gateway for the time of one command: its admin API, asked call by call, and how the answers are printed.

use std::{future::Future, sync::Arc};

use anyhow::anyhow;
use ferrogate_tui::{
    Target,
    client::{self, AdminApi, Answer, Call, ClientError},
};
use http::{Method, StatusCode};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::admin_target::AdminTargetArgs;
use super::out::{self, Format};
use super::units::Times;
use crate::clock::Clock;

/// Which gateway is asked, and how the answer is printed.
#[derive(Debug, clap::Args)]
pub(super) struct Common {
    /// How to print the result
    #[arg(
        short = 'o',
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    output: Format,
    #[command(flatten)]
    gateway: AdminTargetArgs,
}

/// What goes with a change.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct ChangeArgs {
    /// Why; it stands in the audit log and with the revision
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
    /// Change it only as long as it has this ETag, which `show --etag` prints
    #[arg(long, value_name = "ETAG")]
    pub(super) if_match: Option<String>,
}

/// Why, where nothing else goes with a change.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct ReasonArgs {
    /// Why; it stands in the audit log
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
}

impl From<ReasonArgs> for ChangeArgs {
    fn from(args: ReasonArgs) -> Self {
        Self {
            reason: args.reason,
            if_match: None,
        }
    }
}

/// A change of something.
#[derive(Debug)]
pub(super) struct Write<'w> {
    pub(super) method: Method,
    pub(super) resource: &'w str,
    pub(super) body: Option<Value>,
    pub(super) change: &'w ChangeArgs,
}

/// A connection to the gateway.
pub(super) struct Session {
    pub(super) api: Arc<dyn AdminApi>,
    pub(super) format: Format,
    runtime: Runtime,
}

impl Session {
    /// A client of the gateway that is meant. Nothing is sent yet.
    ///
    /// # Errors
    /// When none is named and none is found, or its address cannot be one.
    pub(super) fn open(common: Common) -> anyhow::Result<Self> {
        Self::to(&common.gateway.target()?, common.output)
    }

    /// A client of the gateway at `target`.
    ///
    /// # Errors
    /// When its address cannot be one, or the system has no certificates.
    pub(super) fn to(target: &Target, format: Format) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(Self {
            api: client::connect(target).map_err(explain)?,
            format,
            runtime,
        })
    }

    /// Asks for something.
    ///
    /// # Errors
    /// The gateway's, or why it could not be asked.
    pub(super) fn get(&self, resource: &str, query: &[(&str, &str)]) -> anyhow::Result<Answer> {
        self.call(Call {
            query,
            ..Call::new(Method::GET, resource)
        })
        .map_err(explain)
    }

    /// Changes something; waits for as long as the gateway takes.
    ///
    /// # Errors
    /// As [`Session::get`].
    pub(super) fn write(&self, write: Write<'_>) -> anyhow::Result<Answer> {
        let Write {
            method,
            resource,
            body,
            change,
        } = write;
        let mut headers = Vec::with_capacity(2);
        headers.extend(
            change
                .reason
                .as_deref()
                .map(|reason| ("x-ferrogate-reason", reason)),
        );
        headers.extend(change.if_match.as_deref().map(|tag| ("if-match", tag)));
        self.call(Call {
            body,
            headers: &headers,
            patient: true,
            ..Call::new(method, resource)
        })
        .map_err(explain)
    }

    /// Asks with a body, where that changes nothing.
    ///
    /// # Errors
    /// As [`Session::get`].
    pub(super) fn post(&self, resource: &str, body: Value) -> anyhow::Result<Answer> {
        self.write(Write {
            method: Method::POST,
            resource,
            body: Some(body),
            change: &ChangeArgs::default(),
        })
    }

    pub(super) fn call(&self, call: Call<'_>) -> Result<Answer, ClientError> {
        self.block_on(self.api.call(call))
    }

    pub(super) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Prints the answer's JSON as it came where that is asked for, else what `table` makes of it.
    ///
    /// # Errors
    /// When it could not be written.
    pub(super) fn show(
        &self,
        answer: &Answer,
        table: impl FnOnce(&Value) -> String,
    ) -> anyhow::Result<()> {
        match self.format {
            Format::Json => out::show(&format!("{}\n", answer.pretty())),
            Format::Table => out::show(&table(answer.json())),
        }
    }
}

/// Ages, seen from now.
pub(super) fn ages() -> Times {
    Times::Ages {
        now_unix_ms: Clock::system().unix_ms(),
    }
}

/// Dates with ages, seen from now.
pub(super) fn dates_and_ages() -> Times {
    Times::Full {
        now_unix_ms: Clock::system().unix_ms(),
    }
}

/// What the operator reads of a call that failed: the gateway's own words, with the code to look up and the request to
/// look for.
pub(super) fn explain(error: ClientError) -> anyhow::Error {
    let hint = match &error {
        ClientError::Refused { status, .. } if *status == StatusCode::UNAUTHORIZED => {
            Some(error.hint())
        }
        ClientError::Unreachable { .. }
        | ClientError::Foreign { .. }
        | ClientError::Decode { .. }
        | ClientError::Address { .. } => Some(error.hint()),
        _ => None,
    };
    let mut text = error.chain();
    if let ClientError::Refused { detail, .. } = &error {
        let param = detail.param.as_deref().map(|param| format!("{param}, "));
        text.push_str(&format!(
            " ({}{}, request {})",
            param.unwrap_or_default(),
            detail.code,
            detail.request_id
        ));
    }
    if let Some(hint) = hint {
        text.push_str("\n  ");
        text.push_str(hint);
    }
    anyhow!(text)
}

#[cfg(test)]
mod tests {
    use ferrogate_api::ErrorDetail;

    use super::*;

    #[test]
    fn a_refusal_is_told_with_what_to_look_up() {
        let refused = |status: u16| {
            explain(ClientError::Refused {
                status: StatusCode::from_u16(status).unwrap(),
                detail: Box::new(ErrorDetail {
                    message: "There is no key `x`.".to_owned(),
                    r#type: "invalid_request_error".to_owned(),
                    param: Some("id".to_owned()),
                    code: "resource_not_found".to_owned(),
                    request_id: "01a2".to_owned(),
                }),
            })
            .to_string()
        };
        let told = "There is no key `x`. (id, resource_not_found, request 01a2)";
        assert_eq!(refused(404), told);
        assert_eq!(
            refused(401),
            format!("{told}\n  pass the admin key: --admin-token, or FERROGATE_ADMIN_TOKEN")
        );
    }
}
