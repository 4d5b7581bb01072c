//! `ferrogate hash-key`: the hash of a secret, so that the secret itself need not stand in a file.

use std::io::{IsTerminal, Read};

use anyhow::{Context, bail};

use crate::config::Secret;
use crate::governance::{generate, hash, is_low_entropy};

#[derive(Debug, clap::Args)]
pub(super) struct HashKeyArgs {
    /// The secret. Everybody on this machine can read it in the process list: prefer standard input
    #[arg(long, env = "FERROGATE_KEY_SECRET", hide_env_values = true)]
    secret: Option<String>,
    /// Make a new key, print it once, and print its hash
    #[arg(long, conflicts_with = "secret")]
    generate: bool,
}

pub(super) fn run(args: &HashKeyArgs) -> anyhow::Result<()> {
    if args.generate {
        let secret = generate();
        println!("key = {}", secret.expose());
        println!("key_hash = {}", hash(secret.expose()));
        return Ok(());
    }
    let secret = match &args.secret {
        Some(secret) => {
            if std::env::args().any(|arg| arg.starts_with("--secret")) {
                eprintln!(
                    "warning: a secret on the command line is visible to every user of this machine; \
                     pipe it in instead: printf %s \"$SECRET\" | ferrogate hash-key"
                );
            }
            Secret::new(secret.clone())
        }
        None => read_secret()?,
    };
    if secret.expose().is_empty() {
        bail!("the secret is empty");
    }
    if is_low_entropy(secret.expose()) {
        eprintln!(
            "warning: this secret is easy to guess; `ferrogate hash-key --generate` makes a good one"
        );
    }
    println!("{}", hash(secret.expose()));
    Ok(())
}

fn read_secret() -> anyhow::Result<Secret> {
    if std::io::stdin().is_terminal() {
        let typed = rpassword::prompt_password("Secret: ")
            .context("the secret could not be read from the terminal")?;
        return Ok(Secret::new(typed));
    }
    let mut piped = String::new();
    std::io::stdin()
        .read_to_string(&mut piped)
        .context("the secret could not be read from standard input")?;
    Ok(Secret::new(piped.trim_end_matches(['\r', '\n'])))
}
