-- Clicks counted by link and hour, and by campaign and hour, so that a page about thirty days reads some thousand rows and
-- no clicks. Whoever stores clicks raises them in the same transaction, whichever release it is: the partitions do it
-- themselves. Days that are dropped stay counted.

CREATE TABLE link_hours (
    affiliate_id uuid NOT NULL,
    hour         timestamptz NOT NULL,
    link_id      uuid NOT NULL,
    clicks       bigint NOT NULL,
    PRIMARY KEY (affiliate_id, hour, link_id),
    CONSTRAINT link_hours_are_counted CHECK (0 <= clicks)
) WITH (fillfactor = 80);

CREATE TABLE campaign_hours (
    hour        timestamptz NOT NULL,
    campaign_id uuid NOT NULL,
    clicks      bigint NOT NULL,
    PRIMARY KEY (hour, campaign_id),
    CONSTRAINT campaign_hours_are_counted CHECK (0 <= clicks)
) WITH (fillfactor = 80);

-- In one order for all, so that two who store never wait for each other.
CREATE FUNCTION count_clicks_by_hour() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO link_hours (affiliate_id, hour, link_id, clicks)
    SELECT affiliate_id, date_trunc('hour', occurred_at, 'UTC') AS hour, link_id, count(*)
    FROM new_clicks
    GROUP BY 1, 2, 3
    ORDER BY 1, 2, 3
    ON CONFLICT (affiliate_id, hour, link_id) DO UPDATE SET clicks = link_hours.clicks + excluded.clicks;
    INSERT INTO campaign_hours (hour, campaign_id, clicks)
    SELECT date_trunc('hour', occurred_at, 'UTC') AS hour, campaign_id, count(*)
    FROM new_clicks
    GROUP BY 1, 2
    ORDER BY 1, 2
    ON CONFLICT (hour, campaign_id) DO UPDATE SET clicks = campaign_hours.clicks + excluded.clicks;
    RETURN NULL;
END $$;

-- Clicks are copied straight into their partitions, so each has its own trigger.
CREATE FUNCTION count_clicks_of(partition regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'CREATE TRIGGER count_by_hour AFTER INSERT ON %s REFERENCING NEW TABLE AS new_clicks
         FOR EACH STATEMENT EXECUTE FUNCTION count_clicks_by_hour()',
        partition
    );
END $$;

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
    PERFORM count_clicks_of(name::regclass);
END $$;

-- What is stored already. Nobody stores meanwhile: clicks wait in the trackers' logs.
LOCK TABLE clicks IN SHARE ROW EXCLUSIVE MODE;

INSERT INTO link_hours (affiliate_id, hour, link_id, clicks)
SELECT affiliate_id, date_trunc('hour', occurred_at, 'UTC'), link_id, count(*)
FROM clicks
GROUP BY 1, 2, 3;

-- Of days that were dropped it is known how many there were, and not when.
INSERT INTO link_hours (affiliate_id, hour, link_id, clicks)
SELECT links.affiliate_id, dropped_clicks.day::timestamp AT TIME ZONE 'UTC', links.id, dropped_clicks.clicks
FROM dropped_clicks
JOIN links ON links.id = dropped_clicks.link_id;

INSERT INTO campaign_hours (hour, campaign_id, clicks)
SELECT link_hours.hour, links.campaign_id, sum(link_hours.clicks)
FROM link_hours
JOIN links ON links.id = link_hours.link_id
GROUP BY 1, 2;

-- Whoever inserts into all of them at once fires no trigger of a partition.
SELECT count_clicks_of('clicks');
SELECT count_clicks_of(inhrelid::regclass) FROM pg_inherits WHERE inhparent = 'clicks'::regclass;

-- A link has as many clicks by the hour as it counted.
CREATE OR REPLACE VIEW link_click_audit AS
SELECT links.id AS link_id,
       links.clicks AS counted,
       coalesce(kept.clicks, 0) AS stored,
       coalesce(gone.clicks, 0)::bigint AS dropped,
       coalesce(hourly.clicks, 0)::bigint AS by_hour
FROM links
LEFT JOIN (SELECT link_id, count(*) AS clicks FROM clicks GROUP BY link_id) AS kept ON kept.link_id = links.id
LEFT JOIN (SELECT link_id, sum(clicks) AS clicks FROM dropped_clicks GROUP BY link_id) AS gone
    ON gone.link_id = links.id
LEFT JOIN (SELECT link_id, sum(clicks) AS clicks FROM link_hours GROUP BY link_id) AS hourly ON hourly.link_id = links.id;
