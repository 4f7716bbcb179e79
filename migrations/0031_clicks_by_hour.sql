-- Clicks counted by link and hour, and by campaign and hour, so that a page about thirty days reads some thousand rows and
-- no clicks. Whoever stores clicks raises them in the same transaction. Days that are dropped stay counted.

CREATE TABLE link_hours (
    affiliate_id uuid NOT NULL,
    hour         timestamptz NOT NULL,
    link_id      uuid NOT NULL,
    clicks       bigint NOT NULL,
    PRIMARY KEY (affiliate_id, hour, link_id),
    CONSTRAINT link_hours_are_counted CHECK (0 <= clicks)
) WITH (fillfactor = 80);
CREATE INDEX link_hours_by_link ON link_hours (link_id, hour);

CREATE TABLE campaign_hours (
    hour        timestamptz NOT NULL,
    campaign_id uuid NOT NULL,
    -- One of several rows that are added up, so that trackers who store at the same time hardly wait for each other.
    shard       smallint NOT NULL,
    clicks      bigint NOT NULL,
    PRIMARY KEY (hour, campaign_id, shard),
    CONSTRAINT campaign_hours_are_counted CHECK (0 <= clicks)
) WITH (fillfactor = 80);

-- Counts the hours of a day (UTC) again. A release before this one stores clicks without counting their hours: this is for the
-- days on which such a tracker still ran.
CREATE FUNCTION recount_click_hours(day date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    begins timestamptz := day::timestamp AT TIME ZONE 'UTC';
    ends timestamptz := begins + interval '1 day';
BEGIN
    IF EXISTS (SELECT FROM dropped_click_days WHERE dropped_click_days.day = recount_click_hours.day) THEN
        RAISE EXCEPTION 'the clicks of % were dropped', day USING ERRCODE = '23D01';
    END IF;
    LOCK TABLE clicks IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM link_hours WHERE begins <= hour AND hour < ends;
    DELETE FROM campaign_hours WHERE begins <= hour AND hour < ends;
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
END $$;

-- What is stored already. Nobody stores meanwhile: clicks wait in the trackers' logs, for as long as it takes to read all.
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

INSERT INTO campaign_hours (hour, campaign_id, shard, clicks)
SELECT link_hours.hour, links.campaign_id, 0, sum(link_hours.clicks)
FROM link_hours
JOIN links ON links.id = link_hours.link_id
GROUP BY 1, 2;

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
