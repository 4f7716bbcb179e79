-- How fraud is decided, by versions, and what was decided of each conversion, with all that it was decided by.

-- domain::fraud: rules with their lists, the scale, the policy, and whether decisions hold. Never edited: a change is a new
-- version, so that an old decision can be made again.
CREATE TABLE fraud_settings (
    version    int PRIMARY KEY CHECK (1 <= version),
    settings   json NOT NULL CHECK (json_typeof(settings) = 'object'),
    -- Why, for the record.
    note       text NOT NULL DEFAULT '',
    -- Who: "key_…".
    actor      text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE TRIGGER fraud_settings_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON fraud_settings
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_edit();

-- What was decided; never edited, and what was known: hashes and words of click and customer. What came of it is in the conversion's history.
CREATE TABLE fraud_scores (
    id               uuid PRIMARY KEY,
    -- Null for what was only asked about.
    conversion_id    uuid REFERENCES conversions (id),
    campaign_id      uuid NOT NULL REFERENCES campaigns (id),
    affiliate_id     uuid REFERENCES affiliates (id),
    -- Shadow: noted only. Live: what is to be held was held.
    mode             text NOT NULL CHECK (mode IN ('shadow', 'live')),
    verdict          text NOT NULL CHECK (verdict IN ('approve', 'hold')),
    -- domain::fraud::LogOdds, in millionths.
    log_odds         bigint NOT NULL,
    -- Zero: the defaults of this release.
    settings_version int NOT NULL CHECK (0 <= settings_version),
    -- serve::scoring::Record: evidence, flags, models, score, decision. JSON as it was written, digit by digit, because it
    -- is scored again.
    record           json NOT NULL CHECK (json_typeof(record) = 'object'),
    -- Who asked: "postback", "key_…".
    actor            text NOT NULL,
    scored_at        timestamptz NOT NULL
);
CREATE INDEX fraud_scores_by_conversion ON fraud_scores (conversion_id, id) WHERE conversion_id IS NOT NULL;
CREATE INDEX fraud_scores_by_affiliate ON fraud_scores (affiliate_id, id);
CREATE INDEX fraud_scores_by_campaign ON fraud_scores (campaign_id, id);
CREATE INDEX fraud_scores_by_time ON fraud_scores (scored_at);
-- It may be deleted, to forget a customer.
CREATE TRIGGER fraud_scores_stay BEFORE UPDATE ON fraud_scores
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_edit();
