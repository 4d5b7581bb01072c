//! What a query asks of a request log: as conditions on facets, which say where to look, and on rows, which decide.

use ferrogate_api::{Outcome, RequestLogQuery};
use rusqlite::types::Value;

use crate::ids::RequestId;
use crate::store::{
    facets::{Condition, Facet, Wanted, truth},
    listing::Filter,
};

/// The columns in which free text is looked for.
const TEXT: &str = "(path LIKE ? ESCAPE '\\' OR model LIKE ? ESCAPE '\\' OR provider LIKE ? ESCAPE '\\' \
    OR api_key_id LIKE ? ESCAPE '\\' OR error_code LIKE ? ESCAPE '\\' OR client_request_id LIKE ? ESCAPE '\\' \
    OR client_address LIKE ? ESCAPE '\\' OR hex(id) LIKE ? ESCAPE '\\')";
const TEXT_COLUMNS: usize = 7;

/// The conditions of one query.
#[derive(Debug)]
pub(super) struct Conditions {
    pub(super) facets: Vec<Condition>,
    pub(super) rows: Filter,
    /// The only request that is asked for.
    pub(super) only: Option<RequestId>,
}

impl Conditions {
    pub(super) fn of(query: &RequestLogQuery) -> Self {
        let mut conditions = Self {
            facets: Vec::new(),
            rows: Filter::default(),
            only: None,
        };
        if let Some(status) = query.status {
            conditions.facets.push(Condition {
                facet: Facet::Status,
                wanted: Wanted::Status(status),
            });
            conditions.rows.and("status >= ?", Some(status.min));
            conditions.rows.and("status <= ?", Some(status.max));
        }
        let outcome = query
            .outcome
            .map(|outcome: Outcome| outcome.as_str().to_owned());
        for (facet, condition, value) in [
            (Facet::Model, "model = ?", &query.model),
            (Facet::Key, "api_key_id = ?", &query.key),
            (Facet::Provider, "provider = ?", &query.provider),
            (
                Facet::Organization,
                "organization_id = ?",
                &query.organization,
            ),
            (Facet::Team, "team_id = ?", &query.team),
            (Facet::Project, "project_id = ?", &query.project),
            (Facet::User, "user_id = ?", &query.user),
            (Facet::Endpoint, "endpoint = ?", &query.endpoint),
            (Facet::Outcome, "outcome = ?", &outcome),
            (Facet::ErrorCode, "error_code = ?", &query.error_code),
        ] {
            if let Some(value) = value {
                conditions.facets.push(Condition {
                    facet,
                    wanted: Wanted::Exactly(value.clone()),
                });
                conditions.rows.and(condition, Some(value.clone()));
            }
        }
        if let Some(stream) = query.stream {
            conditions.facets.push(Condition {
                facet: Facet::Stream,
                wanted: Wanted::Exactly(truth(stream).to_owned()),
            });
            conditions.rows.and("stream = ?", Some(stream));
        }
        if let Some(text) = &query.q {
            conditions.search(text);
        }
        conditions
    }

    /// A whole request id needs no search: its time says where it is.
    fn search(&mut self, text: &str) {
        self.only = RequestId::parse(text);
        if self.only.is_some() {
            return;
        }
        let anywhere = Value::from(format!("%{}%", escaped(text)));
        let beginning = Value::from(format!("{}%", id_prefix(text)));
        let values = std::iter::repeat_n(anywhere, TEXT_COLUMNS).chain([beginning]);
        self.rows.and_all(TEXT, values);
    }
}

/// Text as it stands in a pattern.
fn escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

/// The beginning of an id as `hex` writes it; what cannot be one matches none.
fn id_prefix(text: &str) -> String {
    let digits = text.replace('-', "");
    let is_one = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_one { digits } else { "no id".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_its_text_and_no_other() {
        assert_eq!(escaped(r"100%_\x"), r"100\%\_\\x");
        assert_eq!(id_prefix("01a20797-6f"), "01a207976f");
        for no_id in ["-", "", "01g", "0%"] {
            assert_eq!(id_prefix(no_id), "no id");
        }
        let placeholders = TEXT.matches('?').count();
        assert_eq!(placeholders, TEXT_COLUMNS + 1);
    }
}
