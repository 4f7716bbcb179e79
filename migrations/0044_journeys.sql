-- The clicks that could be credited when a conversion was taken in, oldest first, so that models are compared without a look at
-- clicks: a list of {click, link, affiliate, at, source, device}, ids as UUIDs and moments in microseconds. Null where no click
-- was reported, where an earlier release took it in, and once one of them is not kept any more.
ALTER TABLE conversions ADD COLUMN journey jsonb;

-- Counts and drops the clicks of one day, and says how many there were. Who writes to so old a day waits meanwhile;
-- everybody else only for the moment of the drop itself. That needs all of clicks for an instant, asks for it briefly
-- and often, and gives up when a long query does not let go of it (55P03): nothing has happened then. What partners wrote
-- into their links may tell who a visitor was, so that it goes with the clicks, and so do journeys that begin with one of them.
CREATE OR REPLACE FUNCTION drop_click_day(old_day date, moment timestamptz) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    name    text := 'clicks_' || to_char(old_day, 'YYYYMMDD');
    begins  timestamptz := old_day::timestamp AT TIME ZONE 'UTC';
    ends    timestamptz := (old_day + 1)::timestamp AT TIME ZONE 'UTC';
    dropped bigint;
BEGIN
    PERFORM set_config('lock_timeout', '200ms', true);
    EXECUTE format('LOCK TABLE %I IN SHARE MODE', name);
    INSERT INTO dropped_click_days (day, clicks, dropped_at) VALUES (old_day, 0, moment);
    EXECUTE format(
        'WITH gone AS (
             INSERT INTO dropped_clicks (link_id, day, clicks)
             SELECT link_id, $1, count(*) FROM %I GROUP BY link_id
             RETURNING clicks
         )
         SELECT coalesce(sum(clicks), 0) FROM gone',
        name
    ) INTO dropped USING old_day;
    UPDATE dropped_click_days SET clicks = dropped WHERE day = old_day;
    DELETE FROM tag_hours WHERE begins <= hour AND hour < ends;
    EXECUTE format(
        'UPDATE conversion_shares SET subs = ''[]'', material = NULL FROM %I AS gone WHERE conversion_shares.click_id = gone.id',
        name
    );
    -- No conversion is taken in before its clicks, and none looks further back than 91 days from when its customer converted.
    UPDATE conversions SET journey = NULL
    WHERE uuid_v7_floor(begins) <= id
      AND occurred_at < ends + interval '92 days'
      AND (journey -> 0 ->> 'click')::uuid < uuid_v7_floor(ends);
    FOR attempt IN 1..20 LOOP
        BEGIN
            EXECUTE format('DROP TABLE %I', name);
            RETURN dropped;
        EXCEPTION WHEN lock_not_available THEN
            -- Those who queued behind us go first.
            PERFORM pg_sleep(0.1);
        END;
    END LOOP;
    RAISE EXCEPTION 'clicks are too busy for a day to be dropped' USING ERRCODE = 'lock_not_available';
END $$;
