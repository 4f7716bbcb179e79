-- What partners' own systems are told of their conversions: the addresses that they entered, and each time one is told.

CREATE TABLE partner_postbacks (
    id              uuid PRIMARY KEY,
    affiliate_id    uuid NOT NULL REFERENCES affiliates (id),
    -- Null: of all campaigns.
    campaign_id     uuid REFERENCES campaigns (id),
    -- domain::postback::Template: an address with macros.
    url             text NOT NULL CHECK (char_length(url) BETWEEN 1 AND 2000),
    -- domain::postback::Occasion: what it is told of.
    events          text[] NOT NULL CHECK (1 <= cardinality(events)),
    -- Whether what it is told is signed.
    signed          boolean NOT NULL,
    created_at      timestamptz NOT NULL,
    -- Since when it is told nothing because it answered that it wants no more.
    stopped_at      timestamptz,
    removed_at      timestamptz
);
CREATE INDEX partner_postbacks_in_use ON partner_postbacks (affiliate_id, id) WHERE removed_at IS NULL;

CREATE TABLE partner_deliveries (
    id          uuid PRIMARY KEY,
    postback_id uuid NOT NULL REFERENCES partner_postbacks (id),
    -- What it is told of, by its id in the outbox; null for what a partner sent to try its address.
    event_id    uuid,
    -- What happened: «conversion.approved», …
    type        text NOT NULL,
    -- To which conversion; null for a trial.
    subject     uuid,
    -- The address with its macros filled in, without a signature.
    url         text NOT NULL,
    state       text NOT NULL CHECK (state IN ('waiting', 'delivered', 'failed')),
    attempts    int NOT NULL DEFAULT 0 CHECK (0 <= attempts),
    -- When it is tried next.
    due_at      timestamptz,
    -- What the address answered last, if it did.
    status      int,
    -- Why it was not delivered, as a sentence.
    failure     text,
    created_at  timestamptz NOT NULL,
    ended_at    timestamptz,
    CONSTRAINT partner_deliveries_once UNIQUE (postback_id, event_id),
    CONSTRAINT partner_deliveries_wait CHECK ((state = 'waiting') = (due_at IS NOT NULL))
);
CREATE INDEX partner_deliveries_due ON partner_deliveries (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX partner_deliveries_due_by_postback ON partner_deliveries (postback_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX partner_deliveries_by_postback ON partner_deliveries (postback_id, id);
CREATE INDEX partner_deliveries_by_age ON partner_deliveries (ended_at) WHERE ended_at IS NOT NULL;

-- When partners' addresses that want to be told of an event were found. What was announced before there were any is told to none.
ALTER TABLE outbox ADD COLUMN passed_on_at timestamptz DEFAULT '-infinity';
ALTER TABLE outbox ALTER COLUMN passed_on_at DROP DEFAULT;
CREATE INDEX outbox_for_partners ON outbox (position)
    WHERE passed_on_at IS NULL
      AND type IN ('conversion.created', 'conversion.approved', 'conversion.rejected', 'conversion.reversed');
