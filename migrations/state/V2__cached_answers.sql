-- Answers of the response cache, where `[cache] persist` is set. They may be lost, and are then asked for again.
-- The long values come last: a purge looks at every row, and need not read them for it. Numbers are never given twice,
-- so that a purge ends with the rows that were there when it began.
CREATE TABLE cached_answers (
    number             INTEGER PRIMARY KEY AUTOINCREMENT,
    digest             BLOB    NOT NULL UNIQUE, -- of request, provider and provider model
    created_at_unix_ms INTEGER NOT NULL,
    expires_at_unix_ms INTEGER NOT NULL,
    api_key_id         TEXT    NOT NULL, -- who filled it, and below that key's tenants
    organization_id    TEXT,
    team_id            TEXT,
    project_id         TEXT,
    user_id            TEXT,
    model              TEXT    NOT NULL, -- logical
    provider           TEXT    NOT NULL,
    provider_model     TEXT    NOT NULL,
    stream             INTEGER NOT NULL,
    input_tokens       INTEGER NOT NULL,
    output_tokens      INTEGER NOT NULL,
    cache_read_tokens  INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    reasoning_tokens   INTEGER NOT NULL,
    cost_nanos         INTEGER,
    headers            BLOB    NOT NULL, -- name:value, one a line
    request            BLOB    NOT NULL, -- everything that decides the answer, but for who gives it
    body               BLOB    NOT NULL
) STRICT;

CREATE INDEX cached_answers_by_end ON cached_answers (expires_at_unix_ms);
