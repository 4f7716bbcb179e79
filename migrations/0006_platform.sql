-- What the API keeps for itself: keys, answers to repeat, events to announce.

CREATE TABLE api_keys (
    id           uuid PRIMARY KEY,
    name         text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    -- SHA-256 of the key's 32 random bytes; the key itself is shown once and never stored.
    secret_hash  bytea NOT NULL CHECK (octet_length(secret_hash) = 32),
    live         boolean NOT NULL,
    scopes       text[] NOT NULL,
    -- Set: the key sees only what is this affiliate's.
    affiliate_id uuid REFERENCES affiliates (id),
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz
);
CREATE INDEX api_keys_by_affiliate ON api_keys (affiliate_id);

-- The result of a POST, stored in the transaction that made it, so that a retry gets the same answer.
CREATE TABLE idempotency_keys (
    api_key_id    uuid NOT NULL REFERENCES api_keys (id),
    key           text NOT NULL CHECK (char_length(key) BETWEEN 1 AND 255),
    -- SHA-256 of method, path and body: the same key over another request is refused.
    fingerprint   bytea NOT NULL,
    answer_status int NOT NULL,
    -- json, not jsonb: the repeat is the first answer to the byte.
    answer        json NOT NULL,
    -- Answers about money are kept for ever, others for a day.
    about_money   boolean NOT NULL,
    created_at    timestamptz NOT NULL,
    PRIMARY KEY (api_key_id, key)
);
CREATE INDEX idempotency_keys_to_purge ON idempotency_keys (created_at) WHERE NOT about_money;

-- Events to announce, written in the transaction that made them true.
CREATE TABLE outbox (
    id           uuid PRIMARY KEY,
    -- The order in which one transaction announced things: ids of the same millisecond have none.
    position     bigint GENERATED ALWAYS AS IDENTITY,
    -- Dot names: conversion.created, commission.created, …
    type         text NOT NULL CHECK (type ~ '^[a-z]+\.[a-z]+$'),
    -- The thing that the event is about, with its kind's prefix.
    subject      text NOT NULL,
    payload      jsonb NOT NULL,
    created_at   timestamptz NOT NULL,
    delivered_at timestamptz
);
CREATE INDEX outbox_waiting ON outbox (position) WHERE delivered_at IS NULL;
