//! `ferrogate status`: the gateway at a glance.

use super::details;
use super::session::{self, Common, Session};

/// The gateway at a glance
#[derive(Debug, clap::Args)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    common: Common,
}

/// Prints it.
///
/// # Errors
/// The gateway's, or why it could not be asked.
pub(super) fn run(args: StatusArgs) -> anyhow::Result<()> {
    let session = Session::open(args.common)?;
    let answer = session.get("status", &[])?;
    session.show(&answer, |status| {
        details::of(status, session::dates_and_ages())
    })
}
