-- What partners are worth, as a training job said it; never edited, so that it can be seen how it went.

CREATE TABLE partner_values (
    affiliate_id uuid NOT NULL REFERENCES affiliates (id),
    recorded_at  timestamptz NOT NULL,
    tier         text NOT NULL CHECK (tier IN ('bronze', 'silver', 'gold')),
    -- What amounts are in.
    currency     text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    -- serve::store::partner_values::PartnerValue, all of it.
    said         jsonb NOT NULL,
    -- Who brought it: "key_…".
    actor        text NOT NULL,
    PRIMARY KEY (affiliate_id, recorded_at)
);
CREATE TRIGGER partner_values_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON partner_values
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_edit();
