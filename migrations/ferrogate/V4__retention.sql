-- What leaves, and what stays in its place.

-- How each job of retention is doing, and where what it leaves begins.
CREATE TABLE retention_jobs (
    name                    TEXT    NOT NULL PRIMARY KEY,
    kept_from_unix_ms       INTEGER,          -- what is older has left or is leaving; NULL: nothing has
    last_started_at_unix_ms INTEGER,          -- this and the three below: of the last run that ended
    last_duration_ms        INTEGER,
    last_outcome            TEXT,             -- ok, or what went wrong
    last_removed            INTEGER NOT NULL DEFAULT 0,
    removed_total           INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- The last row of the audit log that has left: the chain goes on from its hash. One row at most.
CREATE TABLE audit_anchors (
    seq  INTEGER NOT NULL PRIMARY KEY,
    hash BLOB    NOT NULL
) STRICT;

-- Closings of a quarter of an hour; once no period that runs can begin before them, they are added to those of 30 days.
CREATE INDEX budget_adjustments_short_closings ON budget_adjustments (starts_at_unix_ms)
    WHERE kind = 'closing' AND starts_at_unix_ms % 2592000000 <> 0;
