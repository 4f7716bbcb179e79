-- Where partners are paid to, hidden, and whether they may advertise under the advertiser's name; and how browsers asked for links, where they told.

-- A keyed hash: equal accounts are equal hashes, of partners and of customers, and the number itself is nowhere.
ALTER TABLE affiliates
    ADD COLUMN payout_account_hash bytea CHECK (octet_length(payout_account_hash) = 16),
    -- Its last characters, for whoever knows it.
    ADD COLUMN payout_account_end  text CHECK (char_length(payout_account_end) BETWEEN 1 AND 4),
    -- Null where nobody said: then what kind of traffic it sends counts.
    ADD COLUMN search_licence      boolean,
    ADD CONSTRAINT affiliates_payout_account_whole CHECK ((payout_account_hash IS NULL) = (payout_account_end IS NULL));
CREATE INDEX affiliates_by_payout_account ON affiliates (payout_account_hash) WHERE payout_account_hash IS NOT NULL;

-- Null where the browser did not tell, and of clicks of before.
ALTER TABLE clicks
    ADD COLUMN fetch_destination  text,
    ADD COLUMN fetch_by_user      boolean,
    ADD COLUMN client_hints_match boolean;
