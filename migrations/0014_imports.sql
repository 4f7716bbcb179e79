-- Files that are brought into the event lake through the API: what was said of each, and what came of it. The file
-- itself waits in the lake's folder until a worker has read it.

CREATE TABLE imports (
    id             uuid PRIMARY KEY,
    -- What its rows are: clicks, conversions, transactions or journeys.
    rows           text NOT NULL,
    -- How it is written: csv, ndjson or parquet.
    format         text NOT NULL,
    -- Whose names it uses.
    source         text NOT NULL,
    -- Columns and the fields that they are; and values that all rows have, by field.
    columns        jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(columns) = 'object'),
    constants      jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(constants) = 'object'),
    dry_run        boolean NOT NULL,
    status         text NOT NULL CHECK (status IN ('waiting', 'queued', 'done', 'failed')),
    bytes          bigint CHECK (0 <= bytes),
    rows_read      bigint NOT NULL DEFAULT 0 CHECK (0 <= rows_read),
    rows_rejected  bigint NOT NULL DEFAULT 0 CHECK (0 <= rows_rejected),
    unused_columns text[] NOT NULL DEFAULT '{}',
    -- Why it failed as a whole.
    failure        text,
    created_at     timestamptz NOT NULL,
    finished_at    timestamptz,
    CONSTRAINT imports_fail_for_a_reason CHECK ((status = 'failed') = (failure IS NOT NULL))
);
CREATE INDEX imports_queued ON imports (id) WHERE status = 'queued';
CREATE INDEX imports_by_end ON imports (finished_at) WHERE finished_at IS NOT NULL;
