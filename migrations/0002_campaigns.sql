-- What is advertised and on which terms: campaigns, versioned plans, links, coupons.

CREATE TABLE campaigns (
    id            uuid PRIMARY KEY,
    advertiser_id uuid NOT NULL REFERENCES advertisers (id),
    name          text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    status        text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'paused', 'ended')),
    currency      text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    landing_url   text NOT NULL CHECK (char_length(landing_url) <= 500),
    -- Deep links may lead only to these hosts ("shop.example", "*.shop.example").
    allowed_hosts text[] NOT NULL DEFAULT '{}',
    -- Where visitors go while the campaign is paused or over; the installation's fallback when null.
    fallback_url  text CHECK (char_length(fallback_url) <= 500),
    -- domain::campaign::QualifyingEvent, a list.
    events        jsonb NOT NULL CHECK (jsonb_typeof(events) = 'array'),
    window_days   int NOT NULL DEFAULT 30 CHECK (window_days BETWEEN 1 AND 90),
    cookie_days   int NOT NULL DEFAULT 30 CHECK (cookie_days BETWEEN 1 AND 90),
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL
);
CREATE INDEX campaigns_by_advertiser ON campaigns (advertiser_id, id);

-- Terms are never edited: a change is a new version, and a commission names the version that made it.
CREATE TABLE commission_plans (
    id             uuid PRIMARY KEY,
    campaign_id    uuid NOT NULL REFERENCES campaigns (id),
    -- Null: the campaign's own plan; otherwise an override for one affiliate.
    affiliate_id   uuid REFERENCES affiliates (id),
    version        int NOT NULL CHECK (1 <= version),
    -- domain::commission::Rule, a list.
    rules          jsonb NOT NULL CHECK (jsonb_typeof(rules) = 'array'),
    effective_from timestamptz NOT NULL,
    created_at     timestamptz NOT NULL,
    CONSTRAINT commission_plans_version_once UNIQUE NULLS NOT DISTINCT (campaign_id, affiliate_id, version)
);

-- Who takes part in what.
CREATE TABLE affiliate_campaigns (
    affiliate_id uuid NOT NULL REFERENCES affiliates (id),
    campaign_id  uuid NOT NULL REFERENCES campaigns (id),
    status       text NOT NULL DEFAULT 'approved' CHECK (status IN ('pending', 'approved', 'suspended', 'rejected')),
    joined_at    timestamptz NOT NULL,
    PRIMARY KEY (affiliate_id, campaign_id)
);
CREATE INDEX affiliate_campaigns_by_campaign ON affiliate_campaigns (campaign_id);

CREATE TABLE links (
    id            uuid PRIMARY KEY,
    code          text NOT NULL CHECK (code ~ '^[A-Za-z0-9_-]{1,20}$'),
    affiliate_id  uuid NOT NULL REFERENCES affiliates (id),
    campaign_id   uuid NOT NULL REFERENCES campaigns (id),
    -- Another page of the campaign's allowed hosts; the campaign's landing page when null.
    landing_url   text CHECK (char_length(landing_url) <= 500),
    -- Parameters hung on the landing URL of every click: sub1..sub10, source, utm_*, or the advertiser's own.
    custom_params jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(custom_params) = 'object'),
    -- Exact counts, raised in the transaction that stores the rows they count.
    clicks        bigint NOT NULL DEFAULT 0 CHECK (0 <= clicks),
    conversions   bigint NOT NULL DEFAULT 0 CHECK (0 <= conversions),
    created_at    timestamptz NOT NULL,
    CONSTRAINT links_code_once UNIQUE (code)
);
CREATE INDEX links_by_affiliate ON links (affiliate_id, id);
CREATE INDEX links_by_campaign ON links (campaign_id, id);

-- A promo code stands in for a click that was never made.
CREATE TABLE coupons (
    advertiser_id uuid NOT NULL REFERENCES advertisers (id),
    code          text NOT NULL CHECK (code = upper(code) AND char_length(code) BETWEEN 1 AND 64),
    link_id       uuid NOT NULL REFERENCES links (id),
    created_at    timestamptz NOT NULL,
    PRIMARY KEY (advertiser_id, code)
);

-- Trackers keep the directory of links in memory and reload it when told here.
CREATE FUNCTION tell_directory() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('directory', TG_TABLE_NAME);
    RETURN NULL;
END $$;

CREATE TRIGGER advertisers_tell_directory
    AFTER INSERT OR DELETE OR UPDATE OF click_param ON advertisers
    FOR EACH STATEMENT EXECUTE FUNCTION tell_directory();
CREATE TRIGGER affiliates_tell_directory
    AFTER INSERT OR DELETE OR UPDATE OF status ON affiliates
    FOR EACH STATEMENT EXECUTE FUNCTION tell_directory();
CREATE TRIGGER campaigns_tell_directory
    AFTER INSERT OR DELETE OR UPDATE OF status, landing_url, allowed_hosts, fallback_url, cookie_days ON campaigns
    FOR EACH STATEMENT EXECUTE FUNCTION tell_directory();
CREATE TRIGGER affiliate_campaigns_tell_directory
    AFTER INSERT OR DELETE OR UPDATE OF status ON affiliate_campaigns
    FOR EACH STATEMENT EXECUTE FUNCTION tell_directory();
CREATE TRIGGER links_tell_directory
    AFTER INSERT OR DELETE OR UPDATE OF code, landing_url, custom_params ON links
    FOR EACH STATEMENT EXECUTE FUNCTION tell_directory();
