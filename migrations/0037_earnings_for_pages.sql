-- Pages about thirty days of a partner with ten thousand conversions read indexes alone: what they count and add up lies in them.

-- What the link of a click carried, kept with its part of the credit, so that a breakdown reads no clicks. The sub-ids as a list of
-- texts; null where they were not noted, by releases before this one: there the click is looked at, as long as it is kept.
ALTER TABLE conversion_shares ADD COLUMN subs jsonb;
-- The material that `utm_content` named, if it did.
ALTER TABLE conversion_shares ADD COLUMN material text;

CREATE INDEX conversion_shares_of_affiliate ON conversion_shares (affiliate_id, conversion_id)
    INCLUDE (link_id, share_ppm, position);
DROP INDEX conversion_shares_by_affiliate;

CREATE INDEX commissions_of_affiliate ON commissions (affiliate_id, id) INCLUDE (amount_minor, currency);
DROP INDEX commissions_by_affiliate;
CREATE INDEX commissions_of_affiliate_by_conversion ON commissions (affiliate_id, conversion_id)
    INCLUDE (amount_minor, currency, status, final_at);
CREATE INDEX commissions_by_moment ON commissions (created_at) INCLUDE (amount_minor, currency);
DROP INDEX commissions_by_date;

CREATE INDEX ledger_postings_of_account ON ledger_postings (account_id) INCLUDE (amount_minor);
DROP INDEX ledger_postings_by_account;
