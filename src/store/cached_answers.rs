//! Answers of the response cache: rows of `state.db`, written as they are made, read back once, and removed by a purge
//! or when their time is over.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use ferrogate_api::{AccountKind, AccountRef, TenantContext, Tokens};
use rusqlite::{Connection, Error, Row, params};

use super::{
    columns::{self, from_count},
    state::Aging,
};

/// An answer of the response cache.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// What the row is replaced by. No look-up relies on it.
    pub digest: [u8; 32],
    pub created_at_unix_ms: i64,
    pub expires_at_unix_ms: i64,
    /// Whose request it was made for.
    pub api_key_id: Arc<str>,
    pub tenant: TenantContext,
    /// The logical model.
    pub model: Arc<str>,
    pub provider: Arc<str>,
    pub provider_model: Arc<str>,
    pub stream: bool,
    pub tokens: Tokens,
    pub cost_nanos: Option<i64>,
    pub headers: Bytes,
    /// The identity of the request.
    pub request: Bytes,
    pub body: Bytes,
}

/// Whose answers a purge removes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswersOf {
    Everyone,
    /// A logical model.
    Model(Arc<str>),
    /// A key or a tenant.
    Account(AccountRef),
}

impl StoredAnswer {
    pub(super) fn size_bytes(&self) -> usize {
        let names = [
            &self.api_key_id,
            &self.model,
            &self.provider,
            &self.provider_model,
        ];
        let names: usize = names.iter().map(|name| name.len()).sum();
        names + self.headers.len() + self.request.len() + self.body.len()
    }
}

/// Request and body by their size alone: what people write to a model belongs in no log.
impl fmt::Debug for StoredAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredAnswer")
            .field("created_at_unix_ms", &self.created_at_unix_ms)
            .field("expires_at_unix_ms", &self.expires_at_unix_ms)
            .field("api_key_id", &self.api_key_id)
            .field("tenant", &self.tenant)
            .field("model", &self.model)
            .field("provider", &self.provider)
            .field("provider_model", &self.provider_model)
            .field("request_bytes", &self.request.len())
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl AnswersOf {
    pub(super) fn include(&self, answer: &StoredAnswer) -> bool {
        match self {
            Self::Everyone => true,
            Self::Model(model) => answer.model == *model,
            Self::Account(account) if account.kind == AccountKind::Key => {
                answer.api_key_id == account.id
            }
            Self::Account(account) => answer.tenant.get(account.kind) == Some(&account.id),
        }
    }

    /// The column to look at, and what it must say.
    fn column(&self) -> Option<(&'static str, &Arc<str>)> {
        Some(match self {
            Self::Everyone => return None,
            Self::Model(model) => ("model", model),
            Self::Account(account) => (
                match account.kind {
                    AccountKind::Key => "api_key_id",
                    AccountKind::User => "user_id",
                    AccountKind::Project => "project_id",
                    AccountKind::Team => "team_id",
                    AccountKind::Organization => "organization_id",
                },
                &account.id,
            ),
        })
    }
}

/// By the end of their time: it stands in the row.
pub(super) const AGING: Aging = Aging {
    oldest: "SELECT number, expires_at_unix_ms, length(request) + length(body) FROM cached_answers
             WHERE expires_at_unix_ms <= ?1 ORDER BY expires_at_unix_ms LIMIT ?2",
    delete: "DELETE FROM cached_answers WHERE number = ?1",
};

/// Adds a row; one with the same digest makes way.
pub(super) fn insert(connection: &Connection, answer: &StoredAnswer) -> Result<(), Error> {
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO cached_answers (
             digest, created_at_unix_ms, expires_at_unix_ms, api_key_id, organization_id, team_id, project_id,
             user_id, model, provider, provider_model, stream, input_tokens, output_tokens, cache_read_tokens,
             cache_write_tokens, reasoning_tokens, cost_nanos, headers, request, body
         ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)",
    )?;
    let StoredAnswer { tenant, tokens, .. } = answer;
    insert.execute(params![
        answer.digest,
        answer.created_at_unix_ms,
        answer.expires_at_unix_ms,
        answer.api_key_id,
        tenant.organization_id,
        tenant.team_id,
        tenant.project_id,
        tenant.user_id,
        answer.model,
        answer.provider,
        answer.provider_model,
        answer.stream,
        from_count(tokens.input),
        from_count(tokens.output),
        from_count(tokens.cache_read),
        from_count(tokens.cache_write),
        from_count(tokens.reasoning),
        answer.cost_nanos,
        &answer.headers[..],
        &answer.request[..],
        &answer.body[..],
    ])?;
    Ok(())
}

/// The newest whose time is not over, at most so many, and no more once they have so many bytes.
pub(super) fn newest(
    connection: &Connection,
    now_unix_ms: i64,
    (rows_max, bytes_max): (u64, u64),
) -> Result<Vec<StoredAnswer>, Error> {
    let mut select = connection.prepare_cached(
        "SELECT * FROM cached_answers WHERE expires_at_unix_ms > ?1 ORDER BY number DESC LIMIT ?2",
    )?;
    let mut rows = select.query(params![now_unix_ms, from_count(rows_max)])?;
    let mut answers = Vec::new();
    let mut bytes = 0;
    while bytes < bytes_max
        && let Some(row) = rows.next()?
    {
        let answer = stored(row)?;
        bytes += columns::length(answer.size_bytes());
        answers.push(answer);
    }
    Ok(answers)
}

/// How far a purge has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Purged {
    /// The last row that was looked at.
    after: i64,
    /// The last row that is to be looked at.
    until: i64,
    pub(super) rows: u64,
}

impl Purged {
    /// Before a purge of all rows that are there now.
    pub(super) fn none_of(connection: &Connection) -> Result<Self, Error> {
        let until: Option<i64> = connection
            .prepare_cached("SELECT max(number) FROM cached_answers")?
            .query_row([], |row| row.get(0))?;
        Ok(Self {
            after: 0,
            until: until.unwrap_or_default(),
            rows: 0,
        })
    }

    pub(super) fn is_done(self) -> bool {
        self.after >= self.until
    }
}

/// What one step of a purge does at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct PurgeStep {
    pub(super) rows_looked_at: i64,
    pub(super) bytes_deleted: u64,
}

/// Goes on with a purge for one step.
pub(super) fn purge(
    connection: &Connection,
    answers: &AnswersOf,
    mut purged: Purged,
    step: PurgeStep,
) -> Result<Purged, Error> {
    let (condition, value) = match answers.column() {
        Some((column, value)) => (format!("{column} IS ?4"), Some(value)),
        None => ("?4 IS NULL".to_owned(), None),
    };
    let mut select = connection.prepare_cached(&format!(
        "SELECT number, length(request) + length(body), {condition} FROM cached_answers
         WHERE number > ?1 AND number <= ?2 ORDER BY number LIMIT ?3"
    ))?;
    let rows = select.query_map(
        params![purged.after, purged.until, step.rows_looked_at, value],
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get(2)?)),
    )?;
    let looked_at = rows.collect::<Result<Vec<(i64, i64, bool)>, Error>>()?;
    if looked_at.is_empty() {
        purged.after = purged.until;
    }
    let mut delete = connection.prepare_cached(AGING.delete)?;
    let mut bytes = 0;
    for (number, size, included) in looked_at {
        purged.after = number;
        if included {
            delete.execute([number])?;
            purged.rows += 1;
            bytes += u64::try_from(size).unwrap_or_default();
        }
        if bytes >= step.bytes_deleted {
            break;
        }
    }
    Ok(purged)
}

fn stored(row: &Row<'_>) -> Result<StoredAnswer, Error> {
    let bytes = |column: &str| row.get::<_, Vec<u8>>(column).map(Bytes::from);
    Ok(StoredAnswer {
        digest: row.get("digest")?,
        created_at_unix_ms: row.get("created_at_unix_ms")?,
        expires_at_unix_ms: row.get("expires_at_unix_ms")?,
        api_key_id: row.get("api_key_id")?,
        tenant: TenantContext {
            organization_id: row.get("organization_id")?,
            team_id: row.get("team_id")?,
            project_id: row.get("project_id")?,
            user_id: row.get("user_id")?,
        },
        model: row.get("model")?,
        provider: row.get("provider")?,
        provider_model: row.get("provider_model")?,
        stream: row.get("stream")?,
        tokens: columns::tokens(row)?,
        cost_nanos: row.get("cost_nanos")?,
        headers: bytes("headers")?,
        request: bytes("request")?,
        body: bytes("body")?,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::store::migrations::{Schema, migrate};

    /// An answer for one key, that is over at `expires_at_unix_ms`.
    pub(in crate::store) fn answer(
        digest: u8,
        api_key_id: &str,
        expires_at_unix_ms: i64,
    ) -> StoredAnswer {
        StoredAnswer {
            digest: [digest; 32],
            created_at_unix_ms: 1_000,
            expires_at_unix_ms,
            api_key_id: api_key_id.into(),
            tenant: TenantContext {
                organization_id: Some("acme".into()),
                ..TenantContext::default()
            },
            model: "fast".into(),
            provider: "openai".into(),
            provider_model: "gpt".into(),
            stream: true,
            tokens: Tokens {
                input: 1,
                output: 2,
                cache_read: 3,
                cache_write: 4,
                reasoning: 5,
            },
            cost_nanos: Some(6),
            headers: Bytes::from_static(b"content-type:x\n"),
            request: Bytes::from_static(b"request"),
            body: Bytes::from(vec![digest; 1_000]),
        }
    }

    fn open() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, "memory".as_ref(), Schema::State).unwrap();
        connection
    }

    fn digests(connection: &Connection) -> Vec<u8> {
        let all = newest(connection, i64::MIN, (u64::MAX, u64::MAX)).unwrap();
        all.iter().map(|answer| answer.digest[0]).collect()
    }

    #[test]
    fn answers_come_back_the_newest_first_and_as_many_as_there_is_room_for() {
        let connection = open();
        for (digest, expires_at) in [(1, 5_000), (2, 6_000), (3, 5_000), (1, 7_000)] {
            insert(&connection, &answer(digest, "a", expires_at)).unwrap();
        }
        let check = |now, bounds, expected: &[u8]| {
            let found = newest(&connection, now, bounds).unwrap();
            let found: Vec<u8> = found.iter().map(|answer| answer.digest[0]).collect();
            assert_eq!(found, expected);
        };
        let any = (u64::MAX, u64::MAX);
        check(0, any, &[1, 3, 2]);
        check(4_999, any, &[1, 3, 2]);
        check(5_000, any, &[1, 2]);
        check(7_000, any, &[]);
        check(0, (2, u64::MAX), &[1, 3]);
        check(0, (u64::MAX, 1), &[1]);
        check(0, (u64::MAX, 1_500), &[1, 3]);
        let [newest] = &newest(&connection, 0, (1, 1)).unwrap()[..] else {
            panic!("there are three")
        };
        assert_eq!(*newest, answer(1, "a", 7_000));
    }

    #[test]
    fn a_purge_goes_on_in_steps_and_ends_with_what_was_there_when_it_began() {
        let connection = open();
        for digest in 0..10 {
            let key = if digest % 2 == 0 { "a" } else { "b" };
            insert(&connection, &answer(digest, key, 5_000)).unwrap();
        }
        let of_a = AnswersOf::Account("key:a".parse().unwrap());
        let step = PurgeStep {
            rows_looked_at: 4,
            bytes_deleted: u64::MAX,
        };
        let mut purged = Purged::none_of(&connection).unwrap();
        let mut left = Vec::new();
        while !purged.is_done() {
            purged = purge(&connection, &of_a, purged, step).unwrap();
            left.push(digests(&connection).len());
            // Made while the purge goes on, and not its business.
            insert(&connection, &answer(100, "a", 5_000)).unwrap();
        }
        assert_eq!(left, [8, 7, 6]);
        assert_eq!(purged.rows, 5);
        assert_eq!(digests(&connection), [100, 9, 7, 5, 3, 1]);
    }

    #[test]
    fn a_step_ends_when_it_has_deleted_enough() {
        let connection = open();
        for digest in 0..4 {
            insert(&connection, &answer(digest, "a", 5_000)).unwrap();
        }
        let step = PurgeStep {
            rows_looked_at: 100,
            bytes_deleted: 1_500,
        };
        let begun = Purged::none_of(&connection).unwrap();
        let purged = purge(&connection, &AnswersOf::Everyone, begun, step).unwrap();
        assert!(!purged.is_done());
        assert_eq!(digests(&connection), [3, 2]);
        let purged = purge(&connection, &AnswersOf::Everyone, purged, step).unwrap();
        assert!(purged.is_done());
        assert!(digests(&connection).is_empty());
        let empty = Purged::none_of(&connection).unwrap();
        assert!(
            empty.is_done()
                || purge(&connection, &AnswersOf::Everyone, empty, step)
                    .unwrap()
                    .is_done()
        );
    }

    #[test]
    fn a_purge_takes_the_same_from_the_disk_as_from_memory() {
        let check = |answers: AnswersOf, expected: bool| {
            let connection = open();
            let one = answer(1, "a", 5_000);
            insert(&connection, &one).unwrap();
            assert_eq!(answers.include(&one), expected, "{answers:?}");
            let step = PurgeStep {
                rows_looked_at: 9,
                bytes_deleted: 9,
            };
            let begun = Purged::none_of(&connection).unwrap();
            purge(&connection, &answers, begun, step).unwrap();
            assert_eq!(digests(&connection).is_empty(), expected, "{answers:?}");
        };
        let account = |text: &str| AnswersOf::Account(text.parse().unwrap());
        check(AnswersOf::Everyone, true);
        check(AnswersOf::Model("fast".into()), true);
        check(AnswersOf::Model("slow".into()), false);
        check(account("key:a"), true);
        check(account("key:acme"), false);
        check(account("organization:acme"), true);
        check(account("organization:a"), false);
        // Absent is no value.
        check(account("team:acme"), false);
        check(account("project:acme"), false);
        check(account("user:a"), false);
    }
}
