-- A report waits for others like it and then looks at what they did. Each statement of such a function sees what was committed
-- before it began, as two statements of a client do, in one round trip.

-- The answer given to a message at or after `since`, once nobody else answers it; `waited` is what is waited by.
CREATE FUNCTION postback_answered(waited text, advertiser uuid, message text, since timestamptz)
RETURNS TABLE (fingerprint bytea, answer_status int, answer jsonb) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(waited, 0));
    RETURN QUERY
    SELECT fingerprint, answer_status, answer
    FROM postback_messages
    WHERE advertiser_id = advertiser AND message_id = message AND since <= received_at;
END $$;

-- The conversion with that duplicate key, locked, once nobody else takes in a report with it.
CREATE FUNCTION conversion_reported(waited text, advertiser uuid, key text)
RETURNS TABLE (
    id uuid, advertiser_id uuid, campaign_id uuid, event text, event_kind text, status text, reason text,
    amount_minor bigint, reversed_minor bigint, currency text, occurred_at timestamptz, received_at timestamptz
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(waited, 1));
    RETURN QUERY
    SELECT id, advertiser_id, campaign_id, event, event_kind, status, reason, amount_minor, reversed_minor, currency,
           occurred_at, received_at
    FROM conversions
    WHERE advertiser_id = advertiser AND duplicate_key = key
    FOR UPDATE;
END $$;
