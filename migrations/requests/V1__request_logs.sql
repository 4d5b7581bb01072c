-- The request logs of one UTC day. The primary key is a UUIDv7, so that rows lie in the order of their start and
-- "newest first" is a walk down the table without a sort.
CREATE TABLE request_logs (
    id                 BLOB    NOT NULL PRIMARY KEY, -- UUIDv7, 16 bytes
    client_request_id  TEXT,
    trace_id           TEXT    NOT NULL,
    started_at_unix_ms INTEGER NOT NULL,
    duration_us        INTEGER NOT NULL,
    ttft_us            INTEGER,
    overhead_us        INTEGER,
    method             TEXT    NOT NULL,
    path               TEXT    NOT NULL,
    endpoint           TEXT    NOT NULL,
    status             INTEGER NOT NULL,
    error_code         TEXT,
    outcome            TEXT    NOT NULL,
    stream             INTEGER NOT NULL,
    api_key_id         TEXT,
    model              TEXT,
    provider           TEXT,
    provider_model     TEXT,
    attempts           INTEGER NOT NULL,
    input_tokens       INTEGER NOT NULL,
    output_tokens      INTEGER NOT NULL,
    cache_read_tokens  INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    reasoning_tokens   INTEGER NOT NULL,
    usage_source       TEXT    NOT NULL,
    cost_nanos         INTEGER,
    request_bytes      INTEGER NOT NULL,
    response_bytes     INTEGER NOT NULL,
    client_address     TEXT
) STRICT, WITHOUT ROWID;

-- Two indexes, because every index is paid for by every request. Keys are many and most are quiet, so the rows of
-- one key must not be searched among all; an index on api_key_id carries the id and is walked in its order.
CREATE INDEX request_logs_by_key ON request_logs (api_key_id) WHERE api_key_id IS NOT NULL;

-- Errors are what people look for and are rare, so this one costs a successful request nothing.
-- Models and providers are few: their rows are found soon by walking the table, under a time limit.
CREATE INDEX request_logs_errors ON request_logs (id) WHERE status >= 400;
