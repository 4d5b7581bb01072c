-- Facets: which values of a field occur in the day's logs, how often, and when. A list under a filter reads the places
-- where a row can match, and the choices beside it are counted without a walk. src/store/facets/mod.rs says more.
--
-- The values that the day knows, for each field that can be filtered by.
CREATE TABLE facet_values (
    facet  TEXT    NOT NULL, -- what the filter is called
    shared INTEGER NOT NULL, -- 1: several values that came when the field had enough of its own; `value` is their number
    value  TEXT    NOT NULL,
    id     INTEGER NOT NULL, -- counted from 0 without gaps
    rows   INTEGER NOT NULL, -- the sum of facet_blocks.rows
    spans  BLOB    NOT NULL, -- 16 bytes, big-endian: bit n stands for span n
    PRIMARY KEY (facet, shared, value)
) STRICT, WITHOUT ROWID;

-- Where a value occurs within a span (2^20 ms): a roaring bitmap of blocks (2^4 ms). With rowids, because blobs of
-- kilobytes would spill out of an index's pages.
CREATE TABLE facet_blocks (
    place  INTEGER NOT NULL PRIMARY KEY, -- the span's number * 2^32 + facet_values.id
    rows   INTEGER NOT NULL,
    blocks BLOB    NOT NULL
) STRICT;

-- Spans whose facets are not in this file, or not all of them: the writer has them in memory, or they are to be built
-- from the rows. So nothing is believed that a killed process left half done.
CREATE TABLE facet_gaps (
    span INTEGER NOT NULL PRIMARY KEY
) STRICT;

-- A day that has rows already is to be built, all 83 spans of it.
INSERT INTO facet_gaps (span)
WITH RECURSIVE spans (span) AS (SELECT 0 UNION ALL SELECT span + 1 FROM spans WHERE span < 82)
SELECT span FROM spans WHERE EXISTS (SELECT 1 FROM request_logs);

-- Every request paid for an entry in a page of its key's own; facets are two bytes in a page that is written anyway.
DROP INDEX request_logs_by_key;
DROP INDEX request_logs_errors;
