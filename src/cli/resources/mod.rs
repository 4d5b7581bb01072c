//! The twins of the admin API's resources: one implementation of list, show, create, update, enable, disable and delete
//! for all kinds, and beside it what a kind alone can do.

mod alerts;
mod document;
mod fields;
mod keys;
mod kind;
mod mcp_servers;
mod models;
mod policies;
mod profiles;
mod providers;
mod routes;
mod tenants;
mod upstreams;

pub(super) use self::alerts::{AlertsArgs, run as run_alerts};
pub(super) use self::fields::{decimal, number};
pub(super) use self::keys::{KeysArgs, run as run_keys};
pub(super) use self::policies::{PoliciesArgs, run as run_policies};
pub(super) use self::providers::{ProvidersArgs, run as run_providers};
pub(super) use self::{
    mcp_servers::McpServers, models::Models, profiles::Profiles, routes::Routes, tenants::Tenants,
    upstreams::Upstreams,
};

use anyhow::bail;
use ferrogate_tui::client::Answer;
use http::Method;
use serde_json::{Map, Value, json};

use self::{
    document::{DocumentArgs, merge, without_nulls},
    fields::Flags,
    kind::{Kind, Resource},
};
use super::details;
use super::listing::{self, ListArgs};
use super::out;
use super::session::{self, ChangeArgs, Common, Session, Write};

/// A kind that has no commands but those that all have.
#[derive(Debug, clap::Args)]
pub(super) struct ResourceArgs<R: Resource> {
    #[command(subcommand)]
    command: ResourceCommand<R>,
    #[command(flatten)]
    common: Common,
}

/// What can be done with every kind.
#[derive(Debug, clap::Subcommand)]
pub(super) enum ResourceCommand<R: Resource> {
    /// List them
    #[command(alias = "ls")]
    List(ListArgs),
    /// Show one, with everything that is known of it
    #[command(alias = "get")]
    Show(ShowArgs),
    /// Make one
    Create(CreateArgs<R>),
    /// Change some of its fields; lists and tables are replaced whole
    Update(UpdateArgs<R>),
    /// Switch it on again
    Enable(NamedArgs),
    /// Switch it off, at once
    Disable(NamedArgs),
    /// Delete it, for good
    #[command(alias = "rm")]
    Delete(DeleteArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct ShowArgs {
    /// Its id or name; a tenant's has its kind in front, as in organization:acme
    name: String,
    /// Print the ETag alone, for --if-match
    #[arg(long)]
    etag: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct CreateArgs<R: Resource> {
    #[command(flatten)]
    flags: Flags<R>,
    #[command(flatten)]
    document: DocumentArgs,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct UpdateArgs<R: Resource> {
    /// Its id or name; a tenant's has its kind in front, as in organization:acme
    #[arg(value_name = "NAME")]
    of: String,
    /// Replace it: what is not given gets its default
    #[arg(long)]
    replace: bool,
    /// Take a field away; can be repeated
    #[arg(long = "unset", value_name = "FIELD", conflicts_with = "replace")]
    unset: Vec<String>,
    #[command(flatten)]
    flags: Flags<R>,
    #[command(flatten)]
    document: DocumentArgs,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct NamedArgs {
    /// Its id or name; a tenant's has its kind in front, as in organization:acme
    name: String,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct DeleteArgs {
    /// Ids or names; a tenant's has its kind in front, as in organization:acme
    #[arg(required = true)]
    names: Vec<String>,
    #[command(flatten)]
    change: ChangeArgs,
}

/// Runs a command of a kind that has only those.
///
/// # Errors
/// The gateway's, or why it could not be asked.
pub(super) fn run<R: Resource>(args: ResourceArgs<R>) -> anyhow::Result<()> {
    let session = Session::open(args.common)?;
    args.command.run(&session)
}

impl<R: Resource> ResourceCommand<R> {
    fn run(self, session: &Session) -> anyhow::Result<()> {
        match self {
            Self::List(args) => list(session, R::KIND, &args),
            Self::Show(args) => show(session, R::KIND, &args),
            Self::Create(args) => {
                let document = args.document.document(R::KIND, args.flags.read()?)?;
                create(session, R::KIND, document, &args.change)
            }
            Self::Update(args) => {
                let document = args.document.document(R::KIND, args.flags.read()?)?;
                let update = Update {
                    name: &args.of,
                    document,
                    unset: &args.unset,
                    replace: args.replace,
                };
                update.run(session, R::KIND, args.change)
            }
            Self::Enable(args) => switch(session, R::KIND, &args, true),
            Self::Disable(args) => switch(session, R::KIND, &args, false),
            Self::Delete(args) => delete(session, R::KIND, &args),
        }
    }
}

fn list(session: &Session, kind: &Kind, args: &ListArgs) -> anyhow::Result<()> {
    listing::show(session, kind.path, args, (kind.columns, session::ages()))
}

fn show(session: &Session, kind: &Kind, args: &ShowArgs) -> anyhow::Result<()> {
    let answer = session.get(&kind.path_of(&args.name)?, &[])?;
    if args.etag {
        let Some(etag) = &answer.etag else {
            bail!("the gateway gave no ETag for {} {}", kind.noun, args.name);
        };
        return out::show(&format!("{etag}\n"));
    }
    session.show(&answer, |one| details::of(one, session::dates_and_ages()))
}

fn create(
    session: &Session,
    kind: &Kind,
    mut document: Map<String, Value>,
    change: &ChangeArgs,
) -> anyhow::Result<()> {
    kind.fill_in(&mut document);
    let answer = session.write(Write {
        method: Method::POST,
        resource: kind.path,
        body: Some(Value::Object(document)),
        change,
    })?;
    show_made(session, &answer)
}

/// Prints what was made or changed, and what has to be done with a secret that stands in it.
fn show_made(session: &Session, answer: &Answer) -> anyhow::Result<()> {
    session.show(answer, |one| details::of(one, session::dates_and_ages()))?;
    if answer.json().get("secret").is_some_and(Value::is_string) {
        eprintln!(
            "Keep the secret now: the gateway has its hash alone, and cannot show it a second time."
        );
    }
    Ok(())
}

/// A change of one resource.
struct Update<'u> {
    name: &'u str,
    document: Map<String, Value>,
    unset: &'u [String],
    replace: bool,
}

impl Update<'_> {
    fn run(mut self, session: &Session, kind: &Kind, mut change: ChangeArgs) -> anyhow::Result<()> {
        if self.document.is_empty() && self.unset.is_empty() {
            bail!("nothing was said that is to change; `--help` shows what can");
        }
        let resource = kind.path_of(self.name)?;
        if self.replace {
            kind.fill_in(&mut self.document);
        } else {
            self.keep_rest_of_tables(session, &resource, &mut change)?;
        }
        for key in self.unset {
            document::set_at(&mut self.document, key, Value::Null);
        }
        let answer = session.write(Write {
            method: if self.replace {
                Method::PUT
            } else {
                Method::PATCH
            },
            resource: &resource,
            body: Some(Value::Object(self.document)),
            change: &change,
        })?;
        show_made(session, &answer)
    }

    /// A PATCH replaces tables whole, but who changes the hours of a policy does not mean to take away its days: what
    /// is there now stays under what is said. Should somebody change it in between, nothing is done.
    fn keep_rest_of_tables(
        &mut self,
        session: &Session,
        resource: &str,
        change: &mut ChangeArgs,
    ) -> anyhow::Result<()> {
        let unset_inside = self.unset.iter().filter_map(|key| key.split_once('.'));
        let tables: Vec<String> = self
            .document
            .iter()
            .filter(|(_, value)| value.is_object())
            .map(|(key, _)| key.clone())
            .chain(unset_inside.map(|(table, _)| table.to_owned()))
            .collect();
        if tables.is_empty() {
            return Ok(());
        }
        let now = session.get(resource, &[])?;
        for table in tables {
            let there = without_nulls(now.json().get(&table).unwrap_or(&Value::Null));
            if let Value::Object(mut whole) = there {
                if let Some(Value::Object(said)) = self.document.remove(&table) {
                    merge(&mut whole, said);
                }
                self.document.insert(table, Value::Object(whole));
            }
        }
        if change.if_match.is_none() {
            change.if_match = now.etag;
        }
        Ok(())
    }
}

/// Keys have calls of their own for it; for all others it is a field.
fn switch(session: &Session, kind: &Kind, args: &NamedArgs, on: bool) -> anyhow::Result<()> {
    let resource = kind.path_of(&args.name)?;
    let word = if on { "enable" } else { "disable" };
    let (method, resource, body) = if kind.path == keys::PATH {
        (Method::POST, format!("{resource}/{word}"), None)
    } else {
        (Method::PATCH, resource, Some(json!({"enabled": on})))
    };
    let answer = session.write(Write {
        method,
        resource: &resource,
        body,
        change: &args.change,
    })?;
    session.show(&answer, |_| {
        format!("{} {}: {word}d\n", kind.noun, args.name)
    })
}

fn delete(session: &Session, kind: &Kind, args: &DeleteArgs) -> anyhow::Result<()> {
    if args.names.len() > 1 && args.change.if_match.is_some() {
        bail!(
            "an ETag belongs to one {}: delete them one by one",
            kind.noun
        );
    }
    for name in &args.names {
        let answer = session.write(Write {
            method: Method::DELETE,
            resource: &kind.path_of(name)?,
            body: None,
            change: &args.change,
        })?;
        session.show(&answer, |_| format!("{} {name}: deleted\n", kind.noun))?;
    }
    Ok(())
}
