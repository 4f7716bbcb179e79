-- Cases: what people decide about conversions that are held, with all that was said and done, and what partners answer.

-- Rows of before were checked by nobody yet; reading them keeps no report waiting.
ALTER TABLE conversions VALIDATE CONSTRAINT conversions_address_hash_length;
ALTER TABLE conversions VALIDATE CONSTRAINT conversions_device_known;
ALTER TABLE conversions VALIDATE CONSTRAINT conversions_device_hash_length;
ALTER TABLE conversions VALIDATE CONSTRAINT conversions_email_hash_length;
ALTER TABLE conversions VALIDATE CONSTRAINT conversions_email_domain_alone;
ALTER TABLE conversions VALIDATE CONSTRAINT conversions_account_hash_length;
ALTER TABLE conversions VALIDATE CONSTRAINT conversions_address_with_its_network;

-- How cases are worked on, by versions: domain::fraud::cases::CaseSettings.
CREATE TABLE case_settings (
    version    int PRIMARY KEY CHECK (1 <= version),
    settings   json NOT NULL CHECK (json_typeof(settings) = 'object'),
    -- Why, for the record.
    note       text NOT NULL DEFAULT '',
    -- Who: "key_…".
    actor      text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE TRIGGER case_settings_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON case_settings
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_edit();

CREATE TABLE cases (
    id             uuid PRIMARY KEY,
    -- Whose conversions, in which campaign; null when nobody is credited.
    affiliate_id   uuid REFERENCES affiliates (id),
    campaign_id    uuid NOT NULL REFERENCES campaigns (id),
    -- What most spoke for fraud: the code of a rule or a model, or "by_hand".
    reason         text NOT NULL,
    state          text NOT NULL CHECK (state IN ('open', 'in_review', 'waiting', 'decided')),
    -- domain::fraud::cases::Actor: {"kind", "id", "name"}.
    assignee       jsonb CHECK (jsonb_typeof(assignee) = 'object'),
    -- How many events it has had.
    revision       int NOT NULL CHECK (0 <= revision),
    -- What a right decision is expected to save, in hundredths at par, and its place in the queue.
    value          bigint NOT NULL CHECK (0 <= value),
    rank           bigint NOT NULL,
    opened_at      timestamptz NOT NULL,
    due_at         timestamptz NOT NULL,
    -- domain::fraud::cases::Proposal: a decision that waits for a second person.
    proposal       jsonb CHECK (jsonb_typeof(proposal) = 'object'),
    -- Null when its conversions were decided elsewhere.
    outcome        text CHECK (outcome IN ('approve', 'reject', 'release')),
    outcome_reason text,
    decided_at     timestamptz,
    CONSTRAINT cases_decided_at_a_moment CHECK ((state = 'decided') = (decided_at IS NOT NULL)),
    CONSTRAINT cases_propose_before_they_decide CHECK (state <> 'decided' OR proposal IS NULL)
);
CREATE INDEX cases_in_queue ON cases (rank DESC, id DESC) WHERE state <> 'decided';
CREATE INDEX cases_to_join ON cases (campaign_id, affiliate_id, reason) WHERE state <> 'decided';
CREATE INDEX cases_decided ON cases (reason, decided_at) WHERE state = 'decided';
CREATE INDEX cases_by_decision ON cases (decided_at) WHERE state = 'decided';

-- Conversions of cases. One that is held again after it was released is another row, in another case.
CREATE TABLE case_conversions (
    case_id       uuid NOT NULL REFERENCES cases (id),
    conversion_id uuid NOT NULL REFERENCES conversions (id),
    -- By which decision it was held; no foreign key, because scores may be deleted to forget a customer.
    score_id      uuid,
    -- The commissions that had accrued when it was held.
    stake_minor   bigint NOT NULL,
    currency      text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    -- Its part of the case's value.
    value         bigint NOT NULL CHECK (0 <= value),
    joined_at     timestamptz NOT NULL,
    -- Where the conversion went from its hold, and when.
    left_as       text,
    left_at       timestamptz,
    PRIMARY KEY (case_id, conversion_id),
    CONSTRAINT case_conversions_left_at_a_moment CHECK ((left_as IS NULL) = (left_at IS NULL))
);
CREATE UNIQUE INDEX case_conversions_in_one_case ON case_conversions (conversion_id) WHERE left_as IS NULL;
CREATE INDEX case_conversions_by_conversion ON case_conversions (conversion_id);
CREATE INDEX case_conversions_that_left ON case_conversions (left_at) WHERE left_at IS NOT NULL;

-- All that was said and done, in order; never edited.
CREATE TABLE case_events (
    case_id  uuid NOT NULL REFERENCES cases (id),
    position int NOT NULL CHECK (0 <= position),
    kind     text NOT NULL CHECK (kind IN ('opened', 'joined', 'assigned', 'commented', 'asked', 'appealed',
                                           'proposed', 'refused', 'decided', 'elsewhere', 'changed')),
    actor    jsonb NOT NULL CHECK (jsonb_typeof(actor) = 'object'),
    note     text NOT NULL DEFAULT '',
    detail   jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(detail) = 'object'),
    at       timestamptz NOT NULL,
    PRIMARY KEY (case_id, position)
);
CREATE TRIGGER case_events_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON case_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_edit();

-- What was found of a conversion, for training: the last about it counts. The event lake asks for what is new.
CREATE TABLE case_labels (
    id            uuid PRIMARY KEY,
    case_id       uuid NOT NULL REFERENCES cases (id),
    conversion_id uuid NOT NULL REFERENCES conversions (id),
    campaign_id   uuid NOT NULL REFERENCES campaigns (id),
    affiliate_id  uuid REFERENCES affiliates (id),
    verdict       text NOT NULL CHECK (verdict IN ('fraud', 'honest')),
    reason        text NOT NULL,
    weight_ppm    int NOT NULL CHECK (weight_ppm BETWEEN 1 AND 1000000),
    actor         jsonb NOT NULL CHECK (jsonb_typeof(actor) = 'object'),
    decided_at    timestamptz NOT NULL,
    stored_in     bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint
);
CREATE INDEX case_labels_by_transaction ON case_labels (stored_in);
CREATE INDEX case_labels_by_conversion ON case_labels (conversion_id, id);
CREATE TRIGGER case_labels_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON case_labels
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_edit();

-- What a partner answers, once for each conversion.
CREATE TABLE case_appeals (
    conversion_id uuid PRIMARY KEY REFERENCES conversions (id),
    case_id       uuid NOT NULL REFERENCES cases (id),
    affiliate_id  uuid NOT NULL REFERENCES affiliates (id),
    evidence      text NOT NULL,
    links         jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(links) = 'array'),
    made_at       timestamptz NOT NULL,
    due_at        timestamptz NOT NULL,
    -- Granted: the conversion goes its way. Declined: it was or stays rejected.
    outcome       text CHECK (outcome IN ('granted', 'declined')),
    decided_at    timestamptz,
    CONSTRAINT case_appeals_decided_with_outcome CHECK ((outcome IS NULL) = (decided_at IS NULL))
);
CREATE INDEX case_appeals_by_affiliate ON case_appeals (affiliate_id, made_at);
CREATE INDEX case_appeals_waiting ON case_appeals (due_at) WHERE outcome IS NULL;
