-- How often providers outside were asked on each day, by all processes together: no process asks beyond the day's budget.

CREATE TABLE external_score_calls (
    -- The provider, such as "seon".
    provider text    NOT NULL,
    -- The day, in UTC.
    day      date    NOT NULL,
    calls    integer NOT NULL,
    PRIMARY KEY (provider, day),
    CONSTRAINT external_score_calls_are_counted CHECK (0 < calls)
);
