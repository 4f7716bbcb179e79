-- Rates that are decided: what affiliates agreed to, every decision for ever, and commissions that are final only when the
-- customer has stayed.

-- What an affiliate agreed to about its rate in a campaign. Never edited: a change is a new version, and who made it is
-- kept with it.
CREATE TABLE rate_contracts (
    id            uuid PRIMARY KEY,
    affiliate_id  uuid NOT NULL REFERENCES affiliates (id),
    campaign_id   uuid NOT NULL REFERENCES campaigns (id),
    version       int NOT NULL CHECK (1 <= version),
    floor_ppm     int NOT NULL CHECK (0 <= floor_ppm),
    cap_ppm       int NOT NULL CHECK (cap_ppm <= 1000000),
    -- How far the rate may move in a period.
    step_ppm      int NOT NULL CHECK (step_ppm BETWEEN 0 AND 1000000),
    period_days   int NOT NULL CHECK (period_days BETWEEN 0 AND 365),
    notice_days   int NOT NULL CHECK (notice_days BETWEEN 1 AND 365),
    -- How far chance may move it to either side.
    exploring_ppm int NOT NULL CHECK (exploring_ppm BETWEEN 0 AND 1000000),
    -- What else there is to say for the record.
    note          text NOT NULL DEFAULT '',
    -- Who entered it: "key_…".
    actor         text NOT NULL,
    created_at    timestamptz NOT NULL,
    CONSTRAINT rate_contracts_floor_below_cap CHECK (floor_ppm <= cap_ppm),
    CONSTRAINT rate_contracts_version_once UNIQUE (affiliate_id, campaign_id, version)
);
CREATE INDEX rate_contracts_by_campaign ON rate_contracts (campaign_id, id);
CREATE TRIGGER rate_contracts_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON rate_contracts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_edit();

-- Every decision about an affiliate's rate in a campaign; never edited.
CREATE TABLE rate_decisions (
    id             uuid PRIMARY KEY,
    affiliate_id   uuid NOT NULL REFERENCES affiliates (id),
    campaign_id    uuid NOT NULL REFERENCES campaigns (id),
    -- Shadow: recorded only. Live: paid by from effective_at on.
    mode           text NOT NULL CHECK (mode IN ('shadow', 'live')),
    previous_ppm   int NOT NULL CHECK (previous_ppm BETWEEN 0 AND 1000000),
    next_ppm       int NOT NULL CHECK (next_ppm BETWEEN 0 AND 1000000),
    -- Null when it changes nothing.
    effective_at   timestamptz,
    -- What the contract said of notice then.
    notice_days    int NOT NULL CHECK (0 <= notice_days),
    -- How probable the rate was where chance chose it, in parts per million.
    propensity_ppm int NOT NULL CHECK (propensity_ppm BETWEEN 1 AND 1000000),
    policy_version text NOT NULL CHECK (char_length(policy_version) BETWEEN 1 AND 200),
    model_version  text NOT NULL CHECK (char_length(model_version) BETWEEN 1 AND 200),
    -- domain::commission::dynamic::RateDecision: the whole of it, with its reasons.
    decision       jsonb NOT NULL CHECK (jsonb_typeof(decision) = 'object'),
    -- The contract that it keeps.
    contract_id    uuid NOT NULL REFERENCES rate_contracts (id),
    -- The version of the affiliate's own plan that it made.
    plan_id        uuid REFERENCES commission_plans (id),
    -- Who brought it: "key_…".
    actor          text NOT NULL,
    decided_at     timestamptz NOT NULL,
    recorded_at    timestamptz NOT NULL,
    CONSTRAINT rate_decisions_once UNIQUE (affiliate_id, campaign_id, decided_at, policy_version),
    CONSTRAINT rate_decisions_make_one_plan UNIQUE (plan_id),
    CONSTRAINT rate_decisions_take_effect_when_live
        CHECK ((plan_id IS NOT NULL) = (mode = 'live' AND effective_at IS NOT NULL))
);
CREATE INDEX rate_decisions_by_affiliate ON rate_decisions (affiliate_id, id);
CREATE INDEX rate_decisions_by_campaign ON rate_decisions (campaign_id, id);
CREATE TRIGGER rate_decisions_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON rate_decisions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_edit();

-- Until then the customer has to stay; null when the line is final as soon as its conversion is approved.
ALTER TABLE commissions ADD COLUMN final_at timestamptz;

CREATE OR REPLACE FUNCTION refuse_commission_edit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR ROW (NEW.id, NEW.conversion_id, NEW.affiliate_id, NEW.amount_minor, NEW.currency, NEW.plan_id, NEW.trace, NEW.final_at)
        IS DISTINCT FROM ROW (OLD.id, OLD.conversion_id, OLD.affiliate_id, OLD.amount_minor, OLD.currency, OLD.plan_id, OLD.trace, OLD.final_at)
    THEN
        RAISE EXCEPTION 'commission % is never edited: write a negative line instead', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

-- Approved conversions of which a line waits for its customer, and until when; a worker makes the line payable then.
CREATE TABLE customer_stays (
    conversion_id uuid NOT NULL REFERENCES conversions (id),
    until         timestamptz NOT NULL,
    PRIMARY KEY (conversion_id, until)
);
CREATE INDEX customer_stays_by_end ON customer_stays (until);
