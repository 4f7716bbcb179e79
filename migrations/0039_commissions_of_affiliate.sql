-- What pages add up of a partner's commissions, or of all of a day, lies in indexes.
CREATE INDEX commissions_of_affiliate ON commissions (affiliate_id, id) INCLUDE (amount_minor, currency);
CREATE INDEX commissions_of_affiliate_by_conversion ON commissions (affiliate_id, conversion_id)
    INCLUDE (amount_minor, currency, status, final_at);
CREATE INDEX commissions_by_moment ON commissions (created_at) INCLUDE (amount_minor, currency);
