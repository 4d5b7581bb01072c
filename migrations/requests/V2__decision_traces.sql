-- Why a request went where it went, for those that were routed to a provider. Beside the log and not in it: a list
-- must not drag these through the cache, and only a look-up by id asks for them.
-- With rowids, unlike the log: rows of a kilobyte and more would spill out of an index's pages.
CREATE TABLE decision_traces (
    id    BLOB NOT NULL PRIMARY KEY, -- of the request: UUIDv7, 16 bytes
    trace TEXT NOT NULL              -- JSON
) STRICT;
