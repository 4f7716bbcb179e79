-- Money: a double-entry ledger whose transactions sum to zero in every currency, enforced here.

CREATE TABLE ledger_accounts (
    id         uuid PRIMARY KEY,
    kind       text NOT NULL,
    -- The advertiser or affiliate whose account it is.
    owner_id   uuid NOT NULL,
    currency   text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    created_at timestamptz NOT NULL,
    CONSTRAINT ledger_accounts_once UNIQUE (kind, owner_id, currency),
    CONSTRAINT ledger_accounts_currency UNIQUE (id, currency)
);
CREATE INDEX ledger_accounts_by_owner ON ledger_accounts (owner_id);

CREATE TABLE ledger_transactions (
    id            uuid PRIMARY KEY,
    kind          text NOT NULL,
    -- What it is for, in the words of its kind; with the kind it makes an effect happen once.
    reference     text NOT NULL,
    conversion_id uuid REFERENCES conversions (id),
    description   text NOT NULL,
    occurred_at   timestamptz NOT NULL,
    CONSTRAINT ledger_transactions_once UNIQUE (kind, reference)
);
CREATE INDEX ledger_transactions_by_conversion ON ledger_transactions (conversion_id);

CREATE TABLE ledger_postings (
    transaction_id uuid NOT NULL REFERENCES ledger_transactions (id),
    position       int NOT NULL CHECK (0 <= position),
    account_id     uuid NOT NULL,
    -- Debits are positive, credits negative.
    amount_minor   bigint NOT NULL CHECK (amount_minor <> 0),
    currency       text NOT NULL,
    PRIMARY KEY (transaction_id, position),
    FOREIGN KEY (account_id, currency) REFERENCES ledger_accounts (id, currency)
);
CREATE INDEX ledger_postings_by_account ON ledger_postings (account_id);

CREATE FUNCTION refuse_unbalanced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM ledger_postings
        WHERE transaction_id = NEW.transaction_id
        GROUP BY currency
        HAVING sum(amount_minor) <> 0
    ) THEN
        RAISE EXCEPTION 'ledger transaction % does not sum to zero', NEW.transaction_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_transactions_balance';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ledger_transactions_balance
    AFTER INSERT ON ledger_postings
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION refuse_unbalanced();

-- History is never edited: a correction is another transaction.
CREATE FUNCTION refuse_edit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is never edited: write a correcting row instead', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER ledger_postings_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_postings
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_edit();
CREATE TRIGGER ledger_transactions_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_transactions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_edit();

-- What one affiliate earns from one conversion, line by line; corrections are new negative lines.
CREATE TABLE commissions (
    id             uuid PRIMARY KEY,
    conversion_id  uuid NOT NULL REFERENCES conversions (id),
    affiliate_id   uuid NOT NULL REFERENCES affiliates (id),
    campaign_id    uuid NOT NULL REFERENCES campaigns (id),
    plan_id        uuid NOT NULL REFERENCES commission_plans (id),
    -- 0 for who brought the visitor, 1 for the affiliate above, and so on.
    level          int NOT NULL CHECK (0 <= level),
    status         text NOT NULL CHECK (status IN ('accrued', 'payable', 'paid')),
    amount_minor   bigint NOT NULL,
    currency       text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    -- The line that this one takes back, in part or whole.
    corrects       uuid REFERENCES commissions (id),
    -- domain::commission::Trace: how the amount came about, step by step.
    trace          jsonb NOT NULL,
    transaction_id uuid NOT NULL REFERENCES ledger_transactions (id),
    created_at     timestamptz NOT NULL,
    CONSTRAINT commissions_correct_downwards CHECK (corrects IS NULL OR amount_minor <= 0)
);
CREATE INDEX commissions_by_affiliate ON commissions (affiliate_id, id);
CREATE INDEX commissions_by_conversion ON commissions (conversion_id);
CREATE INDEX commissions_by_status ON commissions (status, id);
CREATE INDEX commissions_by_date ON commissions (created_at);

-- Only the state of a line moves on; amount and owner are history.
CREATE FUNCTION refuse_commission_edit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR ROW (NEW.id, NEW.conversion_id, NEW.affiliate_id, NEW.amount_minor, NEW.currency, NEW.plan_id, NEW.trace)
        IS DISTINCT FROM ROW (OLD.id, OLD.conversion_id, OLD.affiliate_id, OLD.amount_minor, OLD.currency, OLD.plan_id, OLD.trace)
    THEN
        RAISE EXCEPTION 'commission % is never edited: write a negative line instead', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER commissions_stay BEFORE UPDATE OR DELETE ON commissions
    FOR EACH ROW EXECUTE FUNCTION refuse_commission_edit();

CREATE TABLE payouts (
    id           uuid PRIMARY KEY,
    affiliate_id uuid NOT NULL REFERENCES affiliates (id),
    method       text NOT NULL CHECK (method IN ('paypal', 'wise', 'bank', 'stripe')),
    status       text NOT NULL CHECK (status IN ('pending', 'processing', 'completed', 'failed')),
    -- The key under which the provider knows it; a retry sends the same one.
    reference    text NOT NULL,
    amount_minor bigint NOT NULL CHECK (0 < amount_minor),
    net_minor    bigint NOT NULL CHECK (net_minor <= amount_minor),
    currency     text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    CONSTRAINT payouts_reference_once UNIQUE (reference)
);
CREATE INDEX payouts_by_affiliate ON payouts (affiliate_id, id);
CREATE INDEX payouts_by_status ON payouts (status, id);
