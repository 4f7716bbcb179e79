-- Rings of partners: what partners were seen with, who hangs together by that and since when, and who was declared to be one
-- business.

-- What a partner was seen with: kinds as in domain::fraud::graph::Kind. Not kept for ever.
CREATE TABLE ring_edges (
    kind                text NOT NULL CHECK (kind IN ('payout_account', 'mailbox', 'device', 'address')),
    -- A keyed hash; of nobody's clear text.
    thing               bytea NOT NULL CHECK (octet_length(thing) = 16),
    affiliate_id        uuid NOT NULL REFERENCES affiliates (id),
    -- By which conversion it was seen first, whose being read again is no second time; null for what is the partner's own.
    first_conversion_id uuid,
    is_repeated         boolean NOT NULL,
    last_seen_at        timestamptz NOT NULL,
    PRIMARY KEY (kind, thing, affiliate_id)
);
CREATE INDEX ring_edges_by_age ON ring_edges (last_seen_at);

-- How far was read what edges are made from, and after which change rings were looked for; one row.
CREATE TABLE ring_progress (
    is_the_row          boolean PRIMARY KEY DEFAULT true CHECK (is_the_row),
    -- Null before anything was read.
    scores_until        timestamptz,
    affiliates_until    timestamptz,
    -- When the partners were last read as a whole.
    affiliates_whole_at timestamptz,
    -- Of who stands below whom: another hash is another hierarchy.
    hierarchy           bigint NOT NULL DEFAULT 0,
    -- Counts what changes who hangs together: edges, the hierarchy, declarations.
    changes             bigint NOT NULL DEFAULT 0,
    found_after         bigint NOT NULL DEFAULT 0
);
INSERT INTO ring_progress DEFAULT VALUES;

CREATE TABLE rings (
    id                uuid PRIMARY KEY,
    -- The newest of its revisions.
    revision          int NOT NULL CHECK (1 <= revision),
    found_at          timestamptz NOT NULL,
    changed_at        timestamptz NOT NULL,
    dissolved_at      timestamptz,
    -- Apart: its members hang together no more, or within another ring. Declared: people say that they are one business.
    dissolved_because text CHECK (dissolved_because IN ('apart', 'declared')),
    CONSTRAINT rings_dissolved_for_a_reason CHECK ((dissolved_at IS NULL) = (dissolved_because IS NULL))
);
CREATE INDEX rings_open ON rings (id) WHERE dissolved_at IS NULL;

-- What a ring was at a time; never edited.
CREATE TABLE ring_revisions (
    ring_id    uuid NOT NULL REFERENCES rings (id),
    revision   int NOT NULL CHECK (1 <= revision),
    at         timestamptz NOT NULL,
    -- Which share of its pairs is joined.
    density    double precision NOT NULL,
    affiliates uuid[] NOT NULL CHECK (2 <= cardinality(affiliates)),
    -- serve::store::rings::RingMember, in the same order: what being in it is evidence of, and what is shared with the closest.
    members    json NOT NULL CHECK (json_typeof(members) = 'array'),
    -- serve::store::rings::RingLink: the pairs that are joined, and why.
    links      json NOT NULL CHECK (json_typeof(links) = 'array'),
    PRIMARY KEY (ring_id, revision)
);
CREATE TRIGGER ring_revisions_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON ring_revisions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_edit();

-- Who is in which ring now: each in one at most.
CREATE TABLE ring_members (
    affiliate_id uuid PRIMARY KEY REFERENCES affiliates (id),
    ring_id      uuid NOT NULL REFERENCES rings (id),
    -- domain::fraud::LogOdds, in millionths.
    log_odds     bigint NOT NULL,
    -- What it shares with the closest of the others, in words.
    shared       text NOT NULL,
    joined_at    timestamptz NOT NULL
);
CREATE INDEX ring_members_by_ring ON ring_members (ring_id);

-- Partners of whom people say that they are one business: what they share joins them no more.
CREATE TABLE declared_groups (
    -- The ring that they were.
    ring_id     uuid PRIMARY KEY REFERENCES rings (id),
    affiliates  uuid[] NOT NULL CHECK (2 <= cardinality(affiliates)),
    note        text NOT NULL,
    -- Who: "key_…".
    actor       text NOT NULL,
    declared_at timestamptz NOT NULL
);
CREATE TRIGGER declared_groups_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON declared_groups
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_edit();

-- By which ring a decision was made; no foreign key, because what was decided stays as it is. Null of before.
ALTER TABLE fraud_scores ADD COLUMN ring_id uuid;
