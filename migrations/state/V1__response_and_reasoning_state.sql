-- State that a later request may ask for and that nobody is owed: it may be lost, and is then begun anew.
-- Everything belongs to the API key that it was made with; no query leaves the key out.
-- With rowids: values are long, and long rows would spill out of an index's pages. The index on the time is what
-- retention walks.

-- Responses that can be fetched by their id, and conversations that go on from one.
CREATE TABLE response_state (
    api_key_id         TEXT    NOT NULL,
    id                 TEXT    NOT NULL,
    created_at_unix_ms INTEGER NOT NULL,
    model              TEXT    NOT NULL, -- logical
    provider           TEXT,             -- set when the provider itself keeps it; then the two below are empty
    answer             BLOB    NOT NULL, -- JSON
    conversation       BLOB    NOT NULL, -- JSON
    UNIQUE (api_key_id, id)
) STRICT;

CREATE INDEX response_state_by_age ON response_state (created_at_unix_ms);

-- What a provider wants back with the next turn and the client's dialect has no place for, by tool call.
CREATE TABLE reasoning_state (
    api_key_id      TEXT    NOT NULL,
    call_id         TEXT    NOT NULL,
    kept_at_unix_ms INTEGER NOT NULL,
    state           BLOB    NOT NULL,
    UNIQUE (api_key_id, call_id)
) STRICT;

CREATE INDEX reasoning_state_by_age ON reasoning_state (kept_at_unix_ms);
