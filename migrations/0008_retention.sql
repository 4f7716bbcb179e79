-- Old clicks are dropped, a whole day at a time, and stay counted: a link's counter is what is stored and what was
-- dropped, always, and one query checks it.

-- Days (UTC) whose clicks were dropped. A click that comes for one of them might have been stored before, so that it
-- can be neither stored nor counted.
CREATE TABLE dropped_click_days (
    day        date PRIMARY KEY,
    clicks     bigint NOT NULL CHECK (0 <= clicks),
    dropped_at timestamptz NOT NULL
);

-- How many clicks of each link went with a day.
CREATE TABLE dropped_clicks (
    link_id uuid NOT NULL,
    day     date NOT NULL REFERENCES dropped_click_days (day),
    clicks  bigint NOT NULL CHECK (0 < clicks),
    PRIMARY KEY (link_id, day)
);

-- Every link with its counter and what the counter must be the sum of. It reads all clicks.
CREATE VIEW link_click_audit AS
SELECT links.id AS link_id,
       links.clicks AS counted,
       coalesce(kept.clicks, 0) AS stored,
       coalesce(gone.clicks, 0)::bigint AS dropped
FROM links
LEFT JOIN (SELECT link_id, count(*) AS clicks FROM clicks GROUP BY link_id) AS kept ON kept.link_id = links.id
LEFT JOIN (SELECT link_id, sum(clicks) AS clicks FROM dropped_clicks GROUP BY link_id) AS gone
    ON gone.link_id = links.id;

-- Makes the partition of one day (UTC) unless it is there; safe to call from several trackers at once. A day that was
-- dropped is refused (23D01).
CREATE OR REPLACE FUNCTION ensure_click_partition(day date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    name text := 'clicks_' || to_char(day, 'YYYYMMDD');
BEGIN
    IF to_regclass(name) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('ensure_click_partition', 0));
    IF to_regclass(name) IS NOT NULL THEN
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM dropped_click_days WHERE dropped_click_days.day = ensure_click_partition.day) THEN
        RAISE EXCEPTION 'the clicks of % were dropped', day USING ERRCODE = '23D01';
    END IF;
    EXECUTE format(
        'CREATE TABLE %I PARTITION OF clicks FOR VALUES FROM (%L) TO (%L)',
        name,
        uuid_v7_floor(day::timestamp AT TIME ZONE 'UTC'),
        uuid_v7_floor((day + 1)::timestamp AT TIME ZONE 'UTC')
    );
END $$;

-- Counts and drops the clicks of one day, and says how many there were. Who writes to so old a day waits meanwhile;
-- everybody else only for the moment of the drop itself. That needs all of clicks for an instant, asks for it briefly
-- and often, and gives up when a long query does not let go of it (55P03): nothing has happened then.
CREATE FUNCTION drop_click_day(old_day date, moment timestamptz) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    name    text := 'clicks_' || to_char(old_day, 'YYYYMMDD');
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
