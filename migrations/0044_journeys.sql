-- The clicks that could be credited when a conversion was taken in, oldest first, so that models are compared without a look at
-- clicks: a list of {click, link, affiliate, at, source, device}, ids as UUIDs and moments in microseconds. Null where no click
-- was reported, and where an earlier release took it in; empty once the first of them is not kept any more.
ALTER TABLE conversions ADD COLUMN journey jsonb;

-- Empties journeys that begin on a day or before it, whose clicks are dropped next: what partners wrote into their links may tell
-- who a visitor was, so that it goes with the clicks. It is called before drop_click_day and in a transaction of its own, because
-- that one waits for clicks, and who reads clicks may wait for a conversion. None is taken in before its clicks but by a clock
-- that is a little slow, and none looks further back than 91 days from when its customer converted.
CREATE FUNCTION forget_journeys(old_day date) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    begins    timestamptz := old_day::timestamp AT TIME ZONE 'UTC';
    ends      timestamptz := (old_day + 1)::timestamp AT TIME ZONE 'UTC';
    forgotten bigint;
BEGIN
    UPDATE conversions SET journey = '[]'
    WHERE uuid_v7_floor(begins - interval '1 day') <= id
      AND occurred_at < ends + interval '92 days'
      AND (journey -> 0 ->> 'click')::uuid < uuid_v7_floor(ends);
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    RETURN forgotten;
END $$;
