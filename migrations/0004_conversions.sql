-- What visitors did that pays: conversions with every move they made, and who shares the credit.

CREATE TABLE conversions (
    id             uuid PRIMARY KEY,
    advertiser_id  uuid NOT NULL REFERENCES advertisers (id),
    campaign_id    uuid NOT NULL REFERENCES campaigns (id),
    event          text NOT NULL,
    event_kind     text NOT NULL CHECK (event_kind IN ('lead', 'trial', 'sale', 'recurring', 'deposit')),
    status         text NOT NULL CHECK (status IN ('received', 'pending', 'approved', 'rejected', 'on_hold', 'reversed')),
    -- Why it was rejected or reversed.
    reason         text CHECK (reason IN ('refund', 'chargeback', 'duplicate', 'fraud', 'terms', 'tracking_error', 'test', 'other')),
    -- The touch that brought it; no foreign key, because clicks are dropped by retention long before money is.
    click_id       uuid,
    session_id     uuid,
    -- Who was credited with the largest share; null when nobody was.
    link_id        uuid REFERENCES links (id),
    affiliate_id   uuid REFERENCES affiliates (id),
    order_id       text,
    external_id    text,
    customer_id    text,
    coupon         text,
    country        text,
    amount_minor   bigint NOT NULL,
    reversed_minor bigint NOT NULL DEFAULT 0 CHECK (0 <= reversed_minor),
    currency       text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    -- Fields of the postback that are not ours, kept as they came.
    metadata       jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metadata) = 'object'),
    -- (event, order id), else (click, event, transaction id); null when every report is a new conversion.
    duplicate_key  text,
    occurred_at    timestamptz NOT NULL,
    received_at    timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    CONSTRAINT conversions_reported_once UNIQUE (advertiser_id, duplicate_key)
);
CREATE INDEX conversions_by_affiliate ON conversions (affiliate_id, id);
CREATE INDEX conversions_by_campaign ON conversions (campaign_id, id);
CREATE INDEX conversions_by_status ON conversions (status, id);
CREATE INDEX conversions_by_click ON conversions (click_id);
CREATE INDEX conversions_by_order ON conversions (advertiser_id, event, order_id);

-- Every move of every conversion, in order; never edited.
CREATE TABLE conversion_history (
    conversion_id uuid NOT NULL REFERENCES conversions (id),
    position      int NOT NULL CHECK (0 <= position),
    from_status   text,
    to_status     text NOT NULL,
    reason        text,
    note          text NOT NULL DEFAULT '',
    -- Who did it: "postback", "key_…", "system".
    actor         text NOT NULL,
    moved_at      timestamptz NOT NULL,
    PRIMARY KEY (conversion_id, position)
);

-- How the credit was divided: whole parts per million that sum to 1,000,000 when anybody is credited.
CREATE TABLE conversion_shares (
    conversion_id uuid NOT NULL REFERENCES conversions (id),
    position      int NOT NULL CHECK (0 <= position),
    model         text NOT NULL,
    click_id      uuid,
    link_id       uuid NOT NULL REFERENCES links (id),
    affiliate_id  uuid NOT NULL REFERENCES affiliates (id),
    share_ppm     int NOT NULL CHECK (share_ppm BETWEEN 0 AND 1000000),
    touched_at    timestamptz,
    PRIMARY KEY (conversion_id, position)
);
CREATE INDEX conversion_shares_by_affiliate ON conversion_shares (affiliate_id, conversion_id);

-- Signed messages that were answered: a replay gets the same answer and has no other effect.
CREATE TABLE postback_messages (
    advertiser_id uuid NOT NULL REFERENCES advertisers (id),
    message_id    text NOT NULL,
    -- SHA-256 of what was signed: the same id over another text is refused.
    fingerprint   bytea NOT NULL,
    answer_status int NOT NULL,
    answer        jsonb NOT NULL,
    received_at   timestamptz NOT NULL,
    PRIMARY KEY (advertiser_id, message_id)
);
CREATE INDEX postback_messages_by_age ON postback_messages (received_at);

-- Postbacks whose click is not known (yet), by its id or by its session: tried again when it arrives.
CREATE TABLE quarantine (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    advertiser_id uuid NOT NULL REFERENCES advertisers (id),
    click_id      uuid,
    session_id    uuid,
    -- The checked postback, to be taken in as if it came now.
    postback      jsonb NOT NULL,
    received_at   timestamptz NOT NULL,
    resolved_at   timestamptz,
    conversion_id uuid REFERENCES conversions (id),
    -- Why it could not be taken in when its click had come, if so.
    failure       text,
    CONSTRAINT quarantine_waits_for_a_click CHECK (click_id IS NOT NULL OR session_id IS NOT NULL)
);
CREATE INDEX quarantine_waiting ON quarantine (click_id) WHERE resolved_at IS NULL;
CREATE INDEX quarantine_waiting_for_session ON quarantine (session_id) WHERE resolved_at IS NULL;
