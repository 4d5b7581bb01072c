-- Every change of what the gateway goes by: who, when, why, and what it was before, so that it can be taken back.
CREATE TABLE config_revisions (
    revision            INTEGER NOT NULL PRIMARY KEY,
    occurred_at_unix_ms INTEGER NOT NULL,
    actor               TEXT    NOT NULL,
    source              TEXT    NOT NULL, -- start, file, api, rollback, import or cluster
    reason              TEXT    NOT NULL,
    resources           TEXT    NOT NULL, -- JSON: the resources that changed, as they were and as they are
    file_changes        TEXT    NOT NULL, -- JSON: what changed in the file, without its secrets
    file_sha256         TEXT              -- of the file in force; NULL where there was none
) STRICT;

-- The files that revisions name, without their secrets; each once.
CREATE TABLE config_files (
    sha256 TEXT NOT NULL PRIMARY KEY,
    text   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What was answered to a request with an `Idempotency-Key`. A row without an answer belongs to a request that is
-- running, or that a process which ended meanwhile was at.
CREATE TABLE idempotent_answers (
    caller             TEXT    NOT NULL,
    idempotency_key    TEXT    NOT NULL,
    fingerprint        BLOB    NOT NULL, -- SHA-256 of the request
    process            BLOB    NOT NULL, -- which process began it
    began_at_unix_ms   INTEGER NOT NULL,
    status             INTEGER,          -- NULL: not answered
    etag               TEXT,
    body               BLOB,
    PRIMARY KEY (caller, idempotency_key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotent_answers_by_time ON idempotent_answers (began_at_unix_ms);
