//! Puts the population into a data directory before a gateway starts on it: a file holds at most a mebibyte, and ten
//! thousand requests to the admin API would be another benchmark.

use anyhow::Context;

use super::population::Declared;
use crate::clock::Clock;
use crate::config;
use crate::store::{AuditEntry, ResourceChange, Store, StoredResource};

/// So many of them are committed at once.
const BATCH: usize = 1_000;

/// Writes all of `declared` into the database that a gateway with this configuration opens.
///
/// # Errors
/// When the configuration is none, and when the disk fails.
pub(super) async fn seed(config: &str, declared: Vec<Declared>) -> anyhow::Result<()> {
    let loaded = config::parse(config, "ferrogate.toml", &|_| None)
        .context("the configuration of the benchmark is none")?;
    let clock = Clock::system();
    let now = clock.unix_ms();
    let store = Store::open(&loaded.config.storage, clock)?;
    let mut rows = stored(declared, now).into_iter();
    loop {
        let put: Vec<_> = rows.by_ref().take(BATCH).collect();
        if put.is_empty() {
            break;
        }
        let audit = AuditEntry {
            occurred_at_unix_ms: now,
            actor: "bench".into(),
            action: "resource.seed".into(),
            target: format!("{} resources", put.len()),
            outcome: "ok".into(),
            message: String::new(),
            detail: None,
        };
        let change = ResourceChange {
            put,
            delete: Vec::new(),
            audit,
            revision: None,
        };
        store.change(change).await?;
    }
    store.close().await?;
    Ok(())
}

/// The rows that the admin API would have written.
fn stored(declared: Vec<Declared>, now_unix_ms: i64) -> Vec<StoredResource> {
    let row = |one: Declared| StoredResource {
        kind: one.kind,
        id: one.id,
        revision: 1,
        document: one.document,
        created_at_unix_ms: now_unix_ms,
        updated_at_unix_ms: now_unix_ms,
    };
    declared.into_iter().map(row).collect()
}
