-- The ledger: one row for each attempt at a provider. Append-only.
-- No secondary index: it is written once per request and read by time (the primary key is time-ordered);
-- questions per key, model or provider are answered by the rollups.
CREATE TABLE metering_events (
    request_id          BLOB    NOT NULL, -- UUIDv7, 16 bytes
    attempt             INTEGER NOT NULL,
    occurred_at_unix_ms INTEGER NOT NULL,
    api_key_id          TEXT    NOT NULL,
    endpoint            TEXT    NOT NULL,
    model               TEXT    NOT NULL,
    provider            TEXT    NOT NULL,
    provider_model      TEXT    NOT NULL,
    status              INTEGER NOT NULL,
    outcome             TEXT    NOT NULL,
    stream              INTEGER NOT NULL,
    input_tokens        INTEGER NOT NULL,
    output_tokens       INTEGER NOT NULL,
    cache_read_tokens   INTEGER NOT NULL,
    cache_write_tokens  INTEGER NOT NULL,
    reasoning_tokens    INTEGER NOT NULL,
    usage_source        TEXT    NOT NULL,
    cost_nanos          INTEGER,          -- NULL: the model has no price
    PRIMARY KEY (request_id, attempt)
) STRICT, WITHOUT ROWID;

-- What requests in flight may still use. A row that is found when the file is opened was orphaned.
CREATE TABLE holds (
    request_id          BLOB    NOT NULL PRIMARY KEY,
    attempt             INTEGER NOT NULL, -- the one under way; those before it have their ledger rows
    created_at_unix_ms  INTEGER NOT NULL,
    api_key_id          TEXT    NOT NULL,
    endpoint            TEXT    NOT NULL,
    model               TEXT    NOT NULL,
    provider            TEXT    NOT NULL,
    provider_model      TEXT    NOT NULL,
    stream              INTEGER NOT NULL,
    input_tokens        INTEGER NOT NULL,
    output_tokens       INTEGER NOT NULL,
    cache_read_tokens   INTEGER NOT NULL,
    cache_write_tokens  INTEGER NOT NULL,
    reasoning_tokens    INTEGER NOT NULL,
    cost_nanos          INTEGER
) STRICT, WITHOUT ROWID;

-- Sums over metering_events, written in the transaction that writes the events. One table for every span, so that
-- one statement writes them all; the span leads the key, so that each can be kept for a time of its own.
CREATE TABLE usage_rollups (
    span_ms              INTEGER NOT NULL, -- 60000, 3600000 or 86400000
    window_start_unix_ms INTEGER NOT NULL,
    api_key_id           TEXT    NOT NULL,
    model                TEXT    NOT NULL,
    provider             TEXT    NOT NULL,
    requests             INTEGER NOT NULL,
    errors               INTEGER NOT NULL,
    input_tokens         INTEGER NOT NULL,
    output_tokens        INTEGER NOT NULL,
    cache_read_tokens    INTEGER NOT NULL,
    cache_write_tokens   INTEGER NOT NULL,
    reasoning_tokens     INTEGER NOT NULL,
    cost_nanos           INTEGER NOT NULL,
    unpriced_requests    INTEGER NOT NULL,
    PRIMARY KEY (span_ms, window_start_unix_ms, api_key_id, model, provider)
) STRICT, WITHOUT ROWID;

-- Virtual keys made by the gateway or through the admin API; those of the configuration file are not here.
CREATE TABLE api_keys (
    id                       TEXT    NOT NULL PRIMARY KEY,
    secret_hash              TEXT    NOT NULL UNIQUE,
    name                     TEXT    NOT NULL,
    enabled                  INTEGER NOT NULL,
    scopes                   TEXT    NOT NULL, -- this and the four below: JSON arrays of strings
    allowed_models           TEXT    NOT NULL,
    denied_models            TEXT    NOT NULL,
    allowed_providers        TEXT    NOT NULL,
    denied_providers         TEXT    NOT NULL,
    request_limit_per_minute INTEGER,
    expires_at_unix          INTEGER
) STRICT, WITHOUT ROWID;
