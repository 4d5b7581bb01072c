-- Traffic over time, for charts: what the requests of each minute, hour and day came to. Nothing is charged by it; the
-- ledger's own sums are usage_rollups. At most the last seconds are missing after a crash.

-- Every combination of dimensions that was seen, once. '' where a request has none; the row with every one '' stands for
-- what came after there were too many combinations.
CREATE TABLE traffic_series (
    id              INTEGER NOT NULL PRIMARY KEY,
    endpoint        TEXT    NOT NULL,
    api_key_id      TEXT    NOT NULL,
    organization_id TEXT    NOT NULL,
    team_id         TEXT    NOT NULL,
    project_id      TEXT    NOT NULL,
    user_id         TEXT    NOT NULL,
    model           TEXT    NOT NULL,
    provider        TEXT    NOT NULL,
    UNIQUE (endpoint, api_key_id, organization_id, team_id, project_id, user_id, model, provider)
) STRICT;

-- A request counts in the window in which it ended. The three histograms are of microseconds; see
-- src/store/traffic/histogram.rs for their encoding.
CREATE TABLE traffic_rollups (
    span_ms              INTEGER NOT NULL, -- 60000, 3600000 or 86400000
    window_start_unix_ms INTEGER NOT NULL,
    series_id            INTEGER NOT NULL,
    requests             INTEGER NOT NULL,
    errors               INTEGER NOT NULL,
    client_errors        INTEGER NOT NULL,
    rate_limited         INTEGER NOT NULL,
    cache_hits           INTEGER NOT NULL,
    input_tokens         INTEGER NOT NULL,
    output_tokens        INTEGER NOT NULL,
    cost_nanos           INTEGER NOT NULL,
    latency              BLOB    NOT NULL,
    ttft                 BLOB    NOT NULL,
    overhead             BLOB    NOT NULL,
    PRIMARY KEY (span_ms, window_start_unix_ms, series_id)
) STRICT, WITHOUT ROWID;

-- How far the rows of one span are added to those of the next: up to this row, in the order of their key. Moved in the
-- transaction that adds them, so that nothing is added twice or left out.
CREATE TABLE traffic_folds (
    span_ms              INTEGER NOT NULL PRIMARY KEY,
    window_start_unix_ms INTEGER NOT NULL,
    series_id            INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO traffic_folds (span_ms, window_start_unix_ms, series_id) VALUES (60000, 0, 0), (3600000, 0, 0);
