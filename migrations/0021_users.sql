-- Who signs in to the pages: people with their roles, sessions, one-time links, failed tries, and what people did.

CREATE TABLE users (
    id            uuid PRIMARY KEY,
    email         text NOT NULL CHECK (char_length(email) BETWEEN 3 AND 320),
    -- What the pages greet them by.
    name          text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    role          text NOT NULL CHECK (role IN ('admin', 'partnership_manager', 'fraud_analyst', 'finance', 'affiliate')),
    -- Set for affiliates: their pages show what is this affiliate's.
    affiliate_id  uuid REFERENCES affiliates (id),
    -- Argon2id in PHC form; null for those who come by one-time links alone.
    password_hash text,
    -- How numbers and dates are written, BCP 47; what the browser asks for when null.
    locale        text CHECK (char_length(locale) BETWEEN 2 AND 35),
    -- In which zone days begin and times are told, by its IANA name.
    time_zone     text NOT NULL DEFAULT 'UTC' CHECK (char_length(time_zone) BETWEEN 1 AND 64),
    disabled_at   timestamptz,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    CONSTRAINT users_of_affiliates CHECK ((role = 'affiliate') = (affiliate_id IS NOT NULL))
);
CREATE UNIQUE INDEX users_email_once ON users (lower(email));
CREATE INDEX users_by_affiliate ON users (affiliate_id);

CREATE TABLE user_sessions (
    -- SHA-256 of the cookie's 32 random bytes; the cookie itself is never stored.
    token_hash   bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    user_id      uuid NOT NULL REFERENCES users (id),
    created_at   timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL
);
CREATE INDEX user_sessions_by_user ON user_sessions (user_id);
CREATE INDEX user_sessions_by_age ON user_sessions (last_seen_at);

-- Links that sign somebody in once.
CREATE TABLE sign_in_links (
    -- SHA-256 of the link's 32 random bytes.
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    user_id    uuid NOT NULL REFERENCES users (id),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX sign_in_links_by_user ON sign_in_links (user_id);

-- How often somebody tried to sign in lately, by account and by network.
CREATE TABLE sign_in_tries (
    -- SHA-256 of "account:" or "network:" and whose: also of accounts that there are none of.
    subject_hash bytea PRIMARY KEY CHECK (octet_length(subject_hash) = 32),
    tries        int NOT NULL CHECK (0 < tries),
    began_at     timestamptz NOT NULL
);
CREATE INDEX sign_in_tries_by_age ON sign_in_tries (began_at);

-- What people did on the pages; never edited.
CREATE TABLE audit_log (
    position    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Null where nobody was signed in, and for commands.
    user_id     uuid REFERENCES users (id),
    -- Dot names: session.begun, link.created, …
    action      text NOT NULL CHECK (action ~ '^[a-z_]+\.[a-z_]+$'),
    -- What it was done to, with its kind's prefix; empty for what is about nothing but who did it.
    subject     text NOT NULL,
    detail      text NOT NULL DEFAULT '',
    -- From where: the /24 (/48); null for commands.
    network     cidr,
    happened_at timestamptz NOT NULL
);
CREATE INDEX audit_log_by_user ON audit_log (user_id, position);
CREATE TRIGGER audit_log_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_edit();
