-- Who was recommended to whom, with which chance, and what people said of it.

-- One row for each list that was served; never edited.
CREATE TABLE recommendations (
    id            uuid PRIMARY KEY,
    -- What the list holds, and for whom it was: an affiliate where it holds campaigns, a campaign where it holds affiliates.
    holds         text NOT NULL CHECK (holds IN ('campaigns', 'affiliates')),
    for_id        uuid NOT NULL,
    -- By which version of which model; a list by rules has no version.
    model         text NOT NULL CHECK (char_length(model) BETWEEN 1 AND 64),
    model_version int CHECK (1 <= model_version),
    -- The rate at which chance filled places.
    exploring     double precision NOT NULL CHECK (exploring BETWEEN 0 AND 1),
    -- From the first place on: {"id", "score", "propensity", "explored"}.
    places        jsonb NOT NULL CHECK (jsonb_typeof(places) = 'array'),
    served_at     timestamptz NOT NULL
);
CREATE INDEX recommendations_by_moment ON recommendations (served_at, id);
CREATE TRIGGER recommendations_stay BEFORE UPDATE ON recommendations
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_edit();

-- What people said of a pair; never edited: who takes a dismissal back says so in another row.
CREATE TABLE recommendation_feedback (
    id           uuid PRIMARY KEY,
    affiliate_id uuid NOT NULL CONSTRAINT recommendation_feedback_affiliate REFERENCES affiliates (id),
    campaign_id  uuid NOT NULL CONSTRAINT recommendation_feedback_campaign REFERENCES campaigns (id),
    kind         text NOT NULL CHECK (kind IN ('shown', 'applied', 'invited', 'dismissed', 'restored')),
    -- The list that it is about; it may reach the database after what is said of it.
    list_id      uuid,
    note         text NOT NULL DEFAULT '',
    -- Who said it: "key_…".
    actor        text NOT NULL,
    created_at   timestamptz NOT NULL
);
-- Which pairs are dismissed is asked with every list.
CREATE INDEX recommendation_dismissals_of_affiliate ON recommendation_feedback (affiliate_id, campaign_id, id)
    WHERE kind IN ('dismissed', 'restored');
CREATE INDEX recommendation_dismissals_of_campaign ON recommendation_feedback (campaign_id, affiliate_id, id)
    WHERE kind IN ('dismissed', 'restored');
-- What became of a pair that was shown is asked with the log.
CREATE INDEX recommendation_feedback_of_pair ON recommendation_feedback (affiliate_id, campaign_id, created_at);
CREATE INDEX conversions_of_pair ON conversions (affiliate_id, campaign_id, occurred_at);
CREATE TRIGGER recommendation_feedback_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON recommendation_feedback
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_edit();
