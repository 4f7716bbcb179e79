-- What visitors were shown: impressions, kept, counted and dropped as clicks are (0003, 0008, 0009), but in tables of
-- their own, because there may be a hundred of them for each click and nobody is credited for one yet.

CREATE TABLE impressions (
    id            uuid NOT NULL,
    occurred_at   timestamptz NOT NULL,
    link_id       uuid NOT NULL,
    affiliate_id  uuid NOT NULL,
    campaign_id   uuid NOT NULL,
    advertiser_id uuid NOT NULL,
    -- The visit, if its cookie came along; a picture on somebody else's page sets none.
    session_id    uuid,
    address_hash  bytea NOT NULL,
    network       cidr NOT NULL,
    country       text NOT NULL DEFAULT '',
    device        text NOT NULL,
    user_agent    text NOT NULL DEFAULT '',
    referrer      text NOT NULL DEFAULT '',
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);

ALTER TABLE links ADD COLUMN impressions bigint NOT NULL DEFAULT 0 CHECK (0 <= impressions);

CREATE TABLE dropped_impression_days (
    day         date PRIMARY KEY,
    impressions bigint NOT NULL CHECK (0 <= impressions),
    dropped_at  timestamptz NOT NULL
);

CREATE TABLE dropped_impressions (
    link_id     uuid NOT NULL,
    day         date NOT NULL REFERENCES dropped_impression_days (day),
    impressions bigint NOT NULL CHECK (0 < impressions),
    PRIMARY KEY (link_id, day)
);

CREATE TABLE rejected_impressions (
    id          uuid NOT NULL PRIMARY KEY,
    rejected_at timestamptz NOT NULL,
    -- Why it was refused.
    sqlstate    text NOT NULL,
    -- The whole event as it stood in the tracker's log, behind the byte that says in which version.
    event       bytea NOT NULL
);

-- Every link with its counter and what the counter must be the sum of. It reads all impressions.
CREATE VIEW link_impression_audit AS
SELECT links.id AS link_id,
       links.impressions AS counted,
       coalesce(kept.impressions, 0) AS stored,
       coalesce(gone.impressions, 0)::bigint AS dropped
FROM links
LEFT JOIN (SELECT link_id, count(*) AS impressions FROM impressions GROUP BY link_id) AS kept
    ON kept.link_id = links.id
LEFT JOIN (SELECT link_id, sum(impressions) AS impressions FROM dropped_impressions GROUP BY link_id) AS gone
    ON gone.link_id = links.id;

-- Makes the partition of one day (UTC) unless it is there; safe to call from several trackers at once. A day that was
-- dropped is refused (23D01).
CREATE FUNCTION ensure_impression_partition(day date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    name text := 'impressions_' || to_char(day, 'YYYYMMDD');
BEGIN
    IF to_regclass(name) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('ensure_impression_partition', 0));
    IF to_regclass(name) IS NOT NULL THEN
        RETURN;
    END IF;
    IF EXISTS (
        SELECT FROM dropped_impression_days WHERE dropped_impression_days.day = ensure_impression_partition.day
    ) THEN
        RAISE EXCEPTION 'the impressions of % were dropped', day USING ERRCODE = '23D01';
    END IF;
    EXECUTE format(
        'CREATE TABLE %I PARTITION OF impressions FOR VALUES FROM (%L) TO (%L)',
        name,
        uuid_v7_floor(day::timestamp AT TIME ZONE 'UTC'),
        uuid_v7_floor((day + 1)::timestamp AT TIME ZONE 'UTC')
    );
END $$;

-- Counts and drops the impressions of one day, and says how many there were; as drop_click_day does.
CREATE FUNCTION drop_impression_day(old_day date, moment timestamptz) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    name    text := 'impressions_' || to_char(old_day, 'YYYYMMDD');
    dropped bigint;
BEGIN
    PERFORM set_config('lock_timeout', '200ms', true);
    EXECUTE format('LOCK TABLE %I IN SHARE MODE', name);
    INSERT INTO dropped_impression_days (day, impressions, dropped_at) VALUES (old_day, 0, moment);
    EXECUTE format(
        'WITH gone AS (
             INSERT INTO dropped_impressions (link_id, day, impressions)
             SELECT link_id, $1, count(*) FROM %I GROUP BY link_id
             RETURNING impressions
         )
         SELECT coalesce(sum(impressions), 0) FROM gone',
        name
    ) INTO dropped USING old_day;
    UPDATE dropped_impression_days SET impressions = dropped WHERE day = old_day;
    FOR attempt IN 1..20 LOOP
        BEGIN
            EXECUTE format('DROP TABLE %I', name);
            RETURN dropped;
        EXCEPTION WHEN lock_not_available THEN
            -- Those who queued behind us go first.
            PERFORM pg_sleep(0.1);
        END;
    END LOOP;
    RAISE EXCEPTION 'impressions are too busy for a day to be dropped' USING ERRCODE = 'lock_not_available';
END $$;
