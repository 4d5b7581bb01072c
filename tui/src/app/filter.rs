//! The filter language of the request list: typed terms that the gateway understands, and free words.
//!
//! One filter does two things: its query goes to the gateway for history, and `matches` decides over what arrives
//! live. Both must mean the same, so typed terms compare exactly as the gateway does.

use ferrogate_api::{RequestLog, RequestLogQuery, StatusFilter};

/// What the prompt shows as help.
pub const SYNTAX: &str = "status>=400  status:4xx  model:x  key:x  provider:x  since:10m  words";

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// As it was typed.
    pub text: String,
    /// The part that the gateway applies, without cursor and limit.
    pub query: RequestLogQuery,
    /// In lower case; every one must occur somewhere in the row.
    words: Vec<String>,
}

/// A term that means nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    #[error("`{term}`: a status is 404, 4xx, >=400 or <500")]
    Status { term: String },
    #[error("`{term}`: a time is 30s, 10m, 2h or 1d")]
    Since { term: String },
    #[error("no field `{field}`: status model key provider since")]
    Field { field: String },
    #[error("`{term}` has no value yet")]
    Empty { term: String },
}

impl Filter {
    /// Reads a filter; `since:` counts back from now.
    pub fn parse(text: &str, now_unix_ms: i64) -> Result<Self, FilterError> {
        let mut filter = Self {
            text: text.trim().to_owned(),
            ..Self::default()
        };
        for term in text.split_whitespace() {
            filter.add(term, now_unix_ms)?;
        }
        Ok(filter)
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Only words, which the gateway does not know: history cannot be narrowed for them.
    pub fn has_words(&self) -> bool {
        !self.words.is_empty()
    }

    pub fn matches(&self, log: &RequestLog) -> bool {
        let query = &self.query;
        let is = |wanted: &Option<String>, actual: Option<&str>| {
            wanted.is_none() || wanted.as_deref() == actual
        };
        query
            .status
            .is_none_or(|status: StatusFilter| status.matches(log.status))
            && is(&query.model, log.model.as_deref())
            && is(&query.key, log.api_key_id.as_deref())
            && is(&query.provider, log.provider.as_deref())
            && query
                .since
                .is_none_or(|since| log.started_at_unix_ms >= since)
            && self.words.iter().all(|word| mentions(log, word))
    }

    fn add(&mut self, term: &str, now_unix_ms: i64) -> Result<(), FilterError> {
        if let Some(condition) = status_condition(term) {
            let wrong = |_| FilterError::Status {
                term: term.to_owned(),
            };
            self.query.status = Some(condition.parse().map_err(wrong)?);
            return Ok(());
        }
        // Routes are endpoints named `route:<name>`: a word like any other.
        let field = term.split_once(':').filter(|(field, _)| *field != "route");
        let Some((field, value)) = field else {
            self.words.push(term.to_lowercase());
            return Ok(());
        };
        if value.is_empty() {
            return Err(FilterError::Empty {
                term: term.to_owned(),
            });
        }
        match field {
            "model" => self.query.model = Some(value.to_owned()),
            "key" => self.query.key = Some(value.to_owned()),
            "provider" => self.query.provider = Some(value.to_owned()),
            "since" => {
                let back_ms = parse_span_ms(value).ok_or_else(|| FilterError::Since {
                    term: term.to_owned(),
                })?;
                self.query.since = Some(now_unix_ms.saturating_sub(back_ms));
            }
            _ => {
                return Err(FilterError::Field {
                    field: field.to_owned(),
                });
            }
        }
        Ok(())
    }
}

/// `>=400` of `status>=400`, `4xx` of `status:4xx`.
fn status_condition(term: &str) -> Option<&str> {
    let rest = term.strip_prefix("status")?;
    match rest.strip_prefix([':', '=']) {
        Some(condition) => Some(condition),
        None => rest.starts_with(['<', '>']).then_some(rest),
    }
}

fn parse_span_ms(text: &str) -> Option<i64> {
    let unit_ms = match text.chars().next_back()? {
        's' => 1_000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        _ => return None,
    };
    let digits = text.get(..text.len() - 1)?;
    digits.parse::<u32>().ok().map(|n| i64::from(n) * unit_ms)
}

fn mentions(log: &RequestLog, word: &str) -> bool {
    let texts = [
        Some(log.path.as_str()),
        Some(&log.endpoint),
        Some(&log.method),
        Some(&log.request_id),
        Some(&log.trace_id),
        Some(log.outcome.as_str()),
        log.client_request_id.as_deref(),
        log.error_code.as_deref(),
        log.api_key_id.as_deref(),
        log.model.as_deref(),
        log.provider.as_deref(),
        log.provider_model.as_deref(),
        log.client_address.as_deref(),
    ];
    texts
        .into_iter()
        .flatten()
        .any(|text| text.to_lowercase().contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_terms_become_the_gateways_query_and_the_rest_is_words() {
        let filter = Filter::parse(
            " status>=400 model:fast-chat key:kid_7 provider:openai since:10m Timeout route:httpbin",
            1_000_000_000,
        )
        .unwrap();
        let expected = RequestLogQuery {
            status: Some(">=400".parse().unwrap()),
            model: Some("fast-chat".to_owned()),
            key: Some("kid_7".to_owned()),
            provider: Some("openai".to_owned()),
            since: Some(1_000_000_000 - 600_000),
            ..RequestLogQuery::default()
        };
        assert_eq!(filter.query, expected);
        assert_eq!(filter.words, ["timeout", "route:httpbin"]);
        for text in ["status:4xx", "status=404", "status<500"] {
            assert!(Filter::parse(text, 0).unwrap().query.status.is_some());
        }
    }

    #[test]
    fn a_term_that_means_nothing_is_said_so() {
        let check = |text: &str, expected: &str| {
            assert_eq!(Filter::parse(text, 0).unwrap_err().to_string(), expected);
        };
        check(
            "status>=4",
            "`status>=4`: a status is 404, 4xx, >=400 or <500",
        );
        check(
            "modle:x",
            "no field `modle`: status model key provider since",
        );
        check("since:ten", "`since:ten`: a time is 30s, 10m, 2h or 1d");
        check("since:é", "`since:é`: a time is 30s, 10m, 2h or 1d");
        check("model:", "`model:` has no value yet");
    }
}
