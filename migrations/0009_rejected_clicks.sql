-- Clicks that the table of clicks will never take, such as one with a character that Postgres cannot keep in a text.
-- They are set aside so that all others go on, and so that «is this click stored or rejected?» has one answer for
-- all trackers.

CREATE TABLE rejected_clicks (
    id          uuid NOT NULL PRIMARY KEY,
    rejected_at timestamptz NOT NULL,
    -- Why it was refused.
    sqlstate    text NOT NULL,
    -- The whole event as it stood in the tracker's log, behind the byte that says in which version.
    event       bytea NOT NULL
);
