-- The ledger learns whose a request was, which price it was reckoned with, and what the cache saved.
ALTER TABLE metering_events ADD COLUMN organization_id TEXT;
ALTER TABLE metering_events ADD COLUMN team_id TEXT;
ALTER TABLE metering_events ADD COLUMN project_id TEXT;
ALTER TABLE metering_events ADD COLUMN user_id TEXT;
-- NULL: no price, or written before prices were kept.
ALTER TABLE metering_events ADD COLUMN price_version INTEGER;
-- Answered from the cache: nothing was used, and so much was saved.
ALTER TABLE metering_events ADD COLUMN cache_hit INTEGER NOT NULL DEFAULT 0;
ALTER TABLE metering_events ADD COLUMN saved_nanos INTEGER;

-- Rows are read by time through the time in their request's id. That finds what happened at most ten minutes from it;
-- the others, long streams and orphans, are few, marked, and found through an index that costs the rest nothing.
ALTER TABLE metering_events ADD COLUMN displaced INTEGER NOT NULL DEFAULT 0;
UPDATE metering_events SET displaced = 1
    WHERE occurred_at_unix_ms - (('0x' || hex(substr(request_id, 1, 6))) ->> '$') NOT BETWEEN -600000 AND 600000;
CREATE INDEX metering_events_displaced ON metering_events (occurred_at_unix_ms) WHERE displaced = 1;

ALTER TABLE holds ADD COLUMN organization_id TEXT;
ALTER TABLE holds ADD COLUMN team_id TEXT;
ALTER TABLE holds ADD COLUMN project_id TEXT;
ALTER TABLE holds ADD COLUMN user_id TEXT;
ALTER TABLE holds ADD COLUMN price_version INTEGER;

-- Beside `requests`, which counts what providers were asked.
ALTER TABLE usage_rollups ADD COLUMN cache_hits INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_rollups ADD COLUMN saved_nanos INTEGER NOT NULL DEFAULT 0;

-- Every price that a cost was reckoned with, once. Append-only: a cost can be reckoned again from tokens and price.
-- In micro-units (10⁻⁶) per million tokens; NULL as in the configuration.
CREATE TABLE price_versions (
    id                                         INTEGER NOT NULL PRIMARY KEY,
    created_at_unix_ms                         INTEGER NOT NULL,
    input_micros_per_million                   INTEGER NOT NULL,
    output_micros_per_million                  INTEGER NOT NULL,
    cache_read_micros_per_million              INTEGER,
    cache_write_micros_per_million             INTEGER,
    long_above_input_tokens                    INTEGER, -- NULL: long requests cost the same, and all below is NULL
    long_input_micros_per_million              INTEGER,
    long_output_micros_per_million             INTEGER,
    long_cache_read_micros_per_million         INTEGER,
    long_cache_write_micros_per_million        INTEGER
) STRICT;

-- What budgets are held to beside the rows above. Append-only. Top-ups and raises move the limit; corrections and
-- closings count as used. One that names an attempt carries whose it was and counts for every account of that path;
-- one that names none counts for its own account alone.
CREATE TABLE budget_adjustments (
    id                 TEXT    NOT NULL PRIMARY KEY,
    kind               TEXT    NOT NULL, -- top_up, raise, correction or closing
    account_kind       TEXT    NOT NULL,
    account_id         TEXT    NOT NULL,
    budget_id          TEXT    NOT NULL, -- empty where it is no single budget's
    unit               TEXT    NOT NULL, -- tokens or money
    amount             INTEGER NOT NULL,
    starts_at_unix_ms  INTEGER NOT NULL, -- for a correction: when that happened which it corrects
    ends_at_unix_ms    INTEGER,
    reason             TEXT    NOT NULL,
    actor              TEXT    NOT NULL,
    created_at_unix_ms INTEGER NOT NULL,
    request_id         BLOB,             -- this and all below: of the attempt that is corrected
    attempt            INTEGER,
    model              TEXT,
    provider           TEXT,
    api_key_id         TEXT,
    organization_id    TEXT,
    team_id            TEXT,
    project_id         TEXT,
    user_id            TEXT,
    price_version      INTEGER           -- what it costs with the correction
) STRICT;

CREATE INDEX budget_adjustments_charges ON budget_adjustments (starts_at_unix_ms)
    WHERE kind IN ('correction', 'closing');
CREATE INDEX budget_adjustments_by_attempt ON budget_adjustments (request_id, attempt) WHERE request_id IS NOT NULL;
CREATE INDEX budget_adjustments_by_end ON budget_adjustments (ends_at_unix_ms) WHERE kind IN ('top_up', 'raise');

-- What was used in each window of an account that has a budget and is not over: the sum of the rows above, written in
-- the transaction that writes them. Half-open; a window in total is 0 to 9223372036854775807.
CREATE TABLE balances (
    account_kind  TEXT    NOT NULL,
    account_id    TEXT    NOT NULL,
    unit          TEXT    NOT NULL,
    start_unix_ms INTEGER NOT NULL,
    end_unix_ms   INTEGER NOT NULL,
    used          INTEGER NOT NULL,
    PRIMARY KEY (account_kind, account_id, unit, start_unix_ms, end_unix_ms)
) STRICT, WITHOUT ROWID;

-- Who changed what. Append-only; each row's hash covers the row and the hash before it. AUTOINCREMENT, so that the
-- last row cannot leave without a trace either.
CREATE TABLE audit_events (
    seq                 INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    occurred_at_unix_ms INTEGER NOT NULL,
    actor               TEXT    NOT NULL,
    action              TEXT    NOT NULL,
    target              TEXT    NOT NULL,
    outcome             TEXT    NOT NULL,
    message             TEXT    NOT NULL,
    detail              TEXT,             -- JSON
    prev_hash           BLOB    NOT NULL, -- SHA-256; zeros in the first row
    hash                BLOB    NOT NULL
) STRICT;

-- When each key was last seen in a request; at most a second behind.
CREATE TABLE key_activity (
    api_key_id        TEXT    NOT NULL PRIMARY KEY,
    last_used_unix_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What was made by the gateway or through the admin API; what the configuration file declares is not here. The
-- document has the keys of the file's table for the same kind.
CREATE TABLE resources (
    kind               TEXT    NOT NULL, -- tenant, api_key, policy or gateway_config
    id                 TEXT    NOT NULL,
    revision           INTEGER NOT NULL,
    document           TEXT    NOT NULL, -- JSON
    created_at_unix_ms INTEGER NOT NULL,
    updated_at_unix_ms INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

-- One secret must not stand for two keys.
CREATE UNIQUE INDEX resources_by_key_hash ON resources (document ->> '$.key_hash') WHERE kind = 'api_key';

-- Merging into an empty object leaves out what is NULL.
INSERT INTO resources (kind, id, revision, document, created_at_unix_ms, updated_at_unix_ms)
SELECT 'api_key', id, 1,
       json_patch('{}', json_object(
           'id', id,
           'name', name,
           'key_hash', secret_hash,
           'enabled', json(iif(enabled, 'true', 'false')),
           'scopes', json(scopes),
           'allowed_models', json(allowed_models),
           'denied_models', json(denied_models),
           'allowed_providers', json(allowed_providers),
           'denied_providers', json(denied_providers),
           'request_limit_per_minute', request_limit_per_minute,
           'expires_at_unix', expires_at_unix
       )),
       CAST(unixepoch('subsec') * 1000 AS INTEGER), CAST(unixepoch('subsec') * 1000 AS INTEGER)
FROM api_keys;

DROP TABLE api_keys;
