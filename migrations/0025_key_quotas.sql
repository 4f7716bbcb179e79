-- How many requests a minute an API key may make, where that is its own: a shop's back end asks more often than a partner.

ALTER TABLE api_keys
    ADD COLUMN requests_per_minute integer,
    ADD CONSTRAINT api_keys_may_ask CHECK (requests_per_minute BETWEEN 1 AND 10000000);
