-- With how many conversions a partner is credited, and through which links, lies in an index.
CREATE INDEX conversion_shares_of_affiliate ON conversion_shares (affiliate_id, conversion_id)
    INCLUDE (link_id, share_ppm, position);
