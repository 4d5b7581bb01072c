-- Whose a request was, what its limits were asked for, what cache, profile and policies had to do with it.
ALTER TABLE request_logs ADD COLUMN organization_id TEXT;
ALTER TABLE request_logs ADD COLUMN team_id TEXT;
ALTER TABLE request_logs ADD COLUMN project_id TEXT;
ALTER TABLE request_logs ADD COLUMN user_id TEXT;
ALTER TABLE request_logs ADD COLUMN estimated_tokens INTEGER;
ALTER TABLE request_logs ADD COLUMN estimated_cost_nanos INTEGER;
ALTER TABLE request_logs ADD COLUMN cache TEXT;
ALTER TABLE request_logs ADD COLUMN saved_nanos INTEGER;
ALTER TABLE request_logs ADD COLUMN gateway_config_id TEXT;
ALTER TABLE request_logs ADD COLUMN gateway_config_revision INTEGER;
ALTER TABLE request_logs ADD COLUMN tags TEXT; -- a JSON object of strings
ALTER TABLE request_logs ADD COLUMN policy TEXT;

-- What the client sent and was sent, where that is asked for. Beside the log for the reasons of the traces.
CREATE TABLE request_bodies (
    id       BLOB NOT NULL PRIMARY KEY, -- of the request: UUIDv7, 16 bytes
    request  BLOB NOT NULL,             -- this and the next: compressed with zstd
    response BLOB NOT NULL
) STRICT;
