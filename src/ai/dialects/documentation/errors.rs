//! Errors: the words that stand beside each status on each surface.

use std::collections::BTreeSet;

use super::page::{Table, hold};
use crate::ai::dialects::error_body;
use crate::error::{ErrorKind, ProviderFault, RequestError};
use crate::routes::Surface;

/// Statuses that only providers answer with.
const OF_PROVIDERS: [u16; 5] = [402, 409, 422, 500, 529];

/// An error of the gateway's own with this status, else a provider's.
fn error(status: u16) -> RequestError {
    let own = ErrorKind::ALL.iter().find(|kind| kind.status() == status);
    match own {
        Some(kind) => RequestError::new(*kind, "x"),
        None => RequestError::new(ErrorKind::ProviderError, "x").with_provider(ProviderFault {
            status,
            r#type: None,
            code: None,
        }),
    }
}

#[test]
fn every_status_has_its_word_on_every_surface() {
    let own = ErrorKind::ALL.iter().map(|kind| kind.status());
    let statuses: BTreeSet<u16> = own.chain(OF_PROVIDERS).collect();
    let mut table = Table::new(&[
        "status",
        "OpenAI's `type`",
        "Anthropic's `type`",
        "Google's `status`",
    ]);
    for status in statuses {
        let error = error(status);
        let word = |surface, field: &str| {
            let body = error_body(surface, &error, "id");
            format!("`{}`", body["error"][field].as_str().unwrap())
        };
        table.row(&[
            status.to_string(),
            word(Surface::OpenAi, "type"),
            word(Surface::Anthropic, "type"),
            word(Surface::Gemini, "status"),
        ]);
    }
    hold("errors", &table);
}
