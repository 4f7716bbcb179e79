-- Who takes part: advertisers, the keys with which they sign, affiliates and their hierarchy.

CREATE TABLE advertisers (
    id               uuid PRIMARY KEY,
    name             text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    -- Under this name the click id travels in the landing URL.
    click_param      text NOT NULL DEFAULT 'clickid' CHECK (click_param ~ '^[A-Za-z0-9_.-]{1,64}$'),
    -- How its postbacks are signed; the two legacy forms can be forged and are off unless chosen here.
    postback_profile text NOT NULL DEFAULT 'standard' CHECK (postback_profile IN ('standard', 'legacy_a', 'legacy_b')),
    -- Its own names for our postback fields: {"their name": "our name"}.
    postback_aliases jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(postback_aliases) = 'object'),
    created_at       timestamptz NOT NULL
);

CREATE TABLE signing_keys (
    id            uuid PRIMARY KEY,
    advertiser_id uuid NOT NULL REFERENCES advertisers (id),
    algorithm     text NOT NULL CHECK (algorithm IN ('hmac_sha256', 'ed25519')),
    -- hmac_sha256: the secret, sealed under the installation's secret; ed25519: the public key as it is.
    material      bytea NOT NULL,
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz
);
CREATE INDEX signing_keys_by_advertiser ON signing_keys (advertiser_id);

CREATE TABLE affiliates (
    id             uuid PRIMARY KEY,
    name           text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    email          text NOT NULL CHECK (char_length(email) BETWEEN 3 AND 320),
    status         text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'approved', 'suspended', 'rejected')),
    parent_id      uuid REFERENCES affiliates (id) CHECK (parent_id <> id),
    website        text,
    traffic_source text,
    content_type   text,
    country        text CHECK (country ~ '^[A-Z]{2}$'),
    payout_method  text CHECK (payout_method IN ('paypal', 'wise', 'bank', 'stripe')),
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL
);
CREATE UNIQUE INDEX affiliates_email_once ON affiliates (lower(email));
CREATE INDEX affiliates_by_status ON affiliates (status, id);
CREATE INDEX affiliates_by_parent ON affiliates (parent_id);

-- Closure of parent_id: one row for every pair of an affiliate and somebody at or above it.
CREATE TABLE affiliate_hierarchy (
    ancestor_id   uuid NOT NULL REFERENCES affiliates (id),
    descendant_id uuid NOT NULL REFERENCES affiliates (id),
    depth         int NOT NULL CHECK (0 <= depth),
    PRIMARY KEY (ancestor_id, descendant_id),
    CONSTRAINT affiliate_hierarchy_self_is_zero CHECK ((depth = 0) = (ancestor_id = descendant_id))
);
CREATE INDEX affiliate_hierarchy_upline ON affiliate_hierarchy (descendant_id, depth);
