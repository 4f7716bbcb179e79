-- What people take up of what shadows decided about rates; never edited.

CREATE TABLE rate_approvals (
    -- What was decided in the shadow; it is approved once.
    shadow_id   uuid NOT NULL REFERENCES rate_decisions (id),
    -- The live decision that it became.
    decision_id uuid PRIMARY KEY REFERENCES rate_decisions (id),
    -- Who approved: "key_…" or "usr_…".
    actor       text NOT NULL,
    approved_at timestamptz NOT NULL,
    CONSTRAINT rate_approvals_once UNIQUE (shadow_id)
);
CREATE TRIGGER rate_approvals_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON rate_approvals
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_edit();

-- What shadows decided lately, and by which policy a campaign was decided about last.
CREATE INDEX rate_decisions_in_shadow ON rate_decisions (decided_at) WHERE mode = 'shadow';
CREATE INDEX rate_decisions_live ON rate_decisions (campaign_id, id) WHERE mode = 'live';

-- Whether an event is paid by the one rule of a plan whose rate decisions move: that for whatever no other names, or else the only
-- one that pays a part of the order.
CREATE FUNCTION is_paid_by_rate(rules jsonb, event text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT EXISTS (
        SELECT
        FROM (
            SELECT rule ->> 'event' AS named, rule -> 'terms' ->> 'model' AS model
            FROM jsonb_array_elements(is_paid_by_rate.rules) AS plan (rule)
            WHERE rule ->> 'event' IS NULL OR rule ->> 'event' = is_paid_by_rate.event
            ORDER BY named NULLS LAST
            LIMIT 1
        ) AS pays
        WHERE pays.model IN ('percentage', 'dynamic')
          AND (pays.named IS NULL OR 1 = (
              SELECT count(*)
              FROM jsonb_array_elements(is_paid_by_rate.rules) AS plan (rule)
              WHERE rule -> 'terms' ->> 'model' IN ('percentage', 'dynamic')
          ))
    )
$$;
