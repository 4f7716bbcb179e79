-- Clicks counted the way a partner's pages ask for them: by hour, by link and day, and by what came with them. Whoever stores
-- clicks raises these in the same transaction as those of 0031.

CREATE TABLE affiliate_hours (
    affiliate_id uuid NOT NULL,
    hour         timestamptz NOT NULL,
    clicks       bigint NOT NULL,
    PRIMARY KEY (affiliate_id, hour),
    CONSTRAINT affiliate_hours_are_counted CHECK (0 <= clicks)
) WITH (fillfactor = 80);

CREATE TABLE link_days (
    affiliate_id uuid NOT NULL,
    -- Of UTC. Where days of a zone begin within one, link_hours knows the rest.
    day          date NOT NULL,
    link_id      uuid NOT NULL,
    clicks       bigint NOT NULL,
    PRIMARY KEY (affiliate_id, day, link_id),
    CONSTRAINT link_days_are_counted CHECK (0 <= clicks)
) WITH (fillfactor = 80);

CREATE TABLE tag_hours (
    affiliate_id uuid NOT NULL,
    -- 1 to 10 are the sub-ids, 0 is the material that utm_content names.
    tag          smallint NOT NULL,
    hour         timestamptz NOT NULL,
    value        text NOT NULL,
    clicks       bigint NOT NULL,
    PRIMARY KEY (affiliate_id, tag, hour, value),
    CONSTRAINT tag_hours_are_of_tags CHECK (0 <= tag AND tag <= 10 AND value <> ''),
    CONSTRAINT tag_hours_are_counted CHECK (0 <= clicks)
) WITH (fillfactor = 80);

-- What of a click is counted as a tag: sub-ids that are not empty, and a material's id as it is printed. Visitors may write
-- anything behind utm_content, so that nothing else of it is.
CREATE FUNCTION click_tags(subs text[], utm text[]) RETURNS TABLE (tag smallint, value text) LANGUAGE sql IMMUTABLE AS $$
    SELECT given.number::smallint, given.sub
    FROM unnest(subs[1:10]) WITH ORDINALITY AS given (sub, number)
    WHERE given.sub <> ''
    UNION ALL
    SELECT 0::smallint, utm[5]
    WHERE utm[5] ~ '^mat_[0-7][0-9A-HJKMNP-TV-Z]{25}$'
$$;

-- Counts the hours of a day (UTC) again, the day itself, and what came with its clicks. A release before this one stores clicks
-- without counting all of that: this is for the days on which such a tracker still ran.
CREATE OR REPLACE FUNCTION recount_click_hours(day date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    begins timestamptz := day::timestamp AT TIME ZONE 'UTC';
    ends timestamptz := begins + interval '1 day';
BEGIN
    -- First of all, so that the day is not dropped meanwhile.
    LOCK TABLE clicks IN SHARE ROW EXCLUSIVE MODE;
    IF EXISTS (SELECT FROM dropped_click_days WHERE dropped_click_days.day = recount_click_hours.day) THEN
        RAISE EXCEPTION 'the clicks of % were dropped', day USING ERRCODE = '23D01';
    END IF;
    DELETE FROM link_hours WHERE begins <= hour AND hour < ends;
    DELETE FROM campaign_hours WHERE begins <= hour AND hour < ends;
    DELETE FROM affiliate_hours WHERE begins <= hour AND hour < ends;
    DELETE FROM link_days WHERE link_days.day = recount_click_hours.day;
    DELETE FROM tag_hours WHERE begins <= hour AND hour < ends;
    INSERT INTO link_hours (affiliate_id, hour, link_id, clicks)
    SELECT affiliate_id, date_trunc('hour', occurred_at, 'UTC'), link_id, count(*)
    FROM clicks
    WHERE uuid_v7_floor(begins) <= id AND id < uuid_v7_floor(ends)
    GROUP BY 1, 2, 3;
    INSERT INTO campaign_hours (hour, campaign_id, shard, clicks)
    SELECT date_trunc('hour', occurred_at, 'UTC'), campaign_id, 0, count(*)
    FROM clicks
    WHERE uuid_v7_floor(begins) <= id AND id < uuid_v7_floor(ends)
    GROUP BY 1, 2;
    INSERT INTO affiliate_hours (affiliate_id, hour, clicks)
    SELECT link_hours.affiliate_id, link_hours.hour, sum(link_hours.clicks)
    FROM link_hours
    WHERE begins <= link_hours.hour AND link_hours.hour < ends
    GROUP BY 1, 2;
    INSERT INTO link_days (affiliate_id, day, link_id, clicks)
    SELECT link_hours.affiliate_id, (link_hours.hour AT TIME ZONE 'UTC')::date, link_hours.link_id, sum(link_hours.clicks)
    FROM link_hours
    WHERE begins <= link_hours.hour AND link_hours.hour < ends
    GROUP BY 1, 2, 3;
    INSERT INTO tag_hours (affiliate_id, tag, hour, value, clicks)
    SELECT clicks.affiliate_id, told.tag, date_trunc('hour', clicks.occurred_at, 'UTC'), told.value, count(*)
    FROM clicks
    CROSS JOIN LATERAL click_tags(clicks.subs, clicks.utm) AS told
    WHERE uuid_v7_floor(begins) <= clicks.id AND clicks.id < uuid_v7_floor(ends)
    GROUP BY 1, 2, 3, 4;
END $$;

-- Counts and drops the clicks of one day, and says how many there were. Who writes to so old a day waits meanwhile;
-- everybody else only for the moment of the drop itself. That needs all of clicks for an instant, asks for it briefly
-- and often, and gives up when a long query does not let go of it (55P03): nothing has happened then. What partners wrote
-- into their links may tell who a visitor was, so that it goes with the clicks.
CREATE OR REPLACE FUNCTION drop_click_day(old_day date, moment timestamptz) RETURNS bigint LANGUAGE plpgsql AS $$
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
    DELETE FROM tag_hours
    WHERE old_day::timestamp AT TIME ZONE 'UTC' <= hour AND hour < (old_day + 1)::timestamp AT TIME ZONE 'UTC';
    EXECUTE format(
        'UPDATE conversion_shares SET subs = ''[]'', material = NULL FROM %I AS gone WHERE conversion_shares.click_id = gone.id',
        name
    );
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

-- What is stored already. Nobody stores meanwhile: clicks wait in the trackers' logs, for as long as it takes to read all.
LOCK TABLE clicks IN SHARE ROW EXCLUSIVE MODE;

-- From what is counted by the hour, which knows of days that were dropped as well.
INSERT INTO affiliate_hours (affiliate_id, hour, clicks)
SELECT affiliate_id, hour, sum(clicks)
FROM link_hours
GROUP BY 1, 2;

INSERT INTO link_days (affiliate_id, day, link_id, clicks)
SELECT affiliate_id, (hour AT TIME ZONE 'UTC')::date, link_id, sum(clicks)
FROM link_hours
GROUP BY 1, 2, 3;

-- Of days that were dropped nobody knows what came with their clicks.
INSERT INTO tag_hours (affiliate_id, tag, hour, value, clicks)
SELECT clicks.affiliate_id, told.tag, date_trunc('hour', clicks.occurred_at, 'UTC'), told.value, count(*)
FROM clicks
CROSS JOIN LATERAL click_tags(clicks.subs, clicks.utm) AS told
GROUP BY 1, 2, 3, 4;

-- For the day that is dropped.
CREATE INDEX tag_hours_by_hour ON tag_hours (hour);

-- A link has as many clicks by the hour, and by the day, as it counted.
CREATE OR REPLACE VIEW link_click_audit AS
SELECT links.id AS link_id,
       links.clicks AS counted,
       coalesce(kept.clicks, 0) AS stored,
       coalesce(gone.clicks, 0)::bigint AS dropped,
       coalesce(hourly.clicks, 0)::bigint AS by_hour,
       coalesce(daily.clicks, 0)::bigint AS by_day
FROM links
LEFT JOIN (SELECT link_id, count(*) AS clicks FROM clicks GROUP BY link_id) AS kept ON kept.link_id = links.id
LEFT JOIN (SELECT link_id, sum(clicks) AS clicks FROM dropped_clicks GROUP BY link_id) AS gone
    ON gone.link_id = links.id
LEFT JOIN (SELECT link_id, sum(clicks) AS clicks FROM link_hours GROUP BY link_id) AS hourly ON hourly.link_id = links.id
LEFT JOIN (SELECT link_id, sum(clicks) AS clicks FROM link_days GROUP BY link_id) AS daily ON daily.link_id = links.id;
