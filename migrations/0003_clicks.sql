-- What visitors did: clicks, one partition a day. A click id is a UUIDv7, so its order is time's order and the
-- primary key stays unique over all partitions.

CREATE TABLE clicks (
    id                uuid NOT NULL,
    occurred_at       timestamptz NOT NULL,
    link_id           uuid NOT NULL,
    affiliate_id      uuid NOT NULL,
    campaign_id       uuid NOT NULL,
    advertiser_id     uuid NOT NULL,
    session_id        uuid NOT NULL,
    -- sub1..sub10 by position; trailing empty ones are left out.
    subs              text[] NOT NULL DEFAULT '{}',
    source            text NOT NULL DEFAULT '',
    uid               text NOT NULL DEFAULT '',
    external_click_id text NOT NULL DEFAULT '',
    -- utm_source, utm_medium, utm_campaign, utm_term, utm_content; empty when none was given.
    utm               text[] NOT NULL DEFAULT '{}',
    -- A keyed hash and the /24 (/48) network: the address itself is never stored.
    address_hash      bytea NOT NULL,
    network           cidr NOT NULL,
    country           text NOT NULL DEFAULT '',
    device            text NOT NULL,
    user_agent        text NOT NULL DEFAULT '',
    referrer          text NOT NULL DEFAULT '',
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);
CREATE INDEX clicks_by_link ON clicks (link_id, id);
CREATE INDEX clicks_by_affiliate ON clicks (affiliate_id, id);
CREATE INDEX clicks_by_session ON clicks (session_id, id);

-- The landing capture of older systems: which session came with which click.
CREATE VIEW sessions AS
SELECT session_id, id AS click_id, occurred_at AS created_at
FROM clicks;

-- The smallest UUIDv7 of a moment.
CREATE FUNCTION uuid_v7_floor(moment timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT rpad(lpad(to_hex(floor(extract(epoch FROM moment) * 1000)::bigint), 12, '0'), 32, '0')::uuid
$$;

-- Makes the partition of one day (UTC) unless it is there; safe to call from several trackers at once.
CREATE FUNCTION ensure_click_partition(day date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    name text := 'clicks_' || to_char(day, 'YYYYMMDD');
BEGIN
    IF to_regclass(name) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('ensure_click_partition', 0));
    IF to_regclass(name) IS NULL THEN
        EXECUTE format(
            'CREATE TABLE %I PARTITION OF clicks FOR VALUES FROM (%L) TO (%L)',
            name,
            uuid_v7_floor(day::timestamp AT TIME ZONE 'UTC'),
            uuid_v7_floor((day + 1)::timestamp AT TIME ZONE 'UTC')
        );
    END IF;
END $$;
