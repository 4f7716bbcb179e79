-- What an advertiser's page and form found out about who converted, as the report said it: how long they were on the site,
-- and whether their e-mail address and the test for people passed. Null where it did not say.
ALTER TABLE conversions
    ADD COLUMN time_on_site_seconds int,
    ADD COLUMN email_check          text,
    ADD COLUMN captcha_check        text;

ALTER TABLE conversions
    ADD CONSTRAINT conversions_time_on_site_whole CHECK (0 <= time_on_site_seconds) NOT VALID,
    ADD CONSTRAINT conversions_email_check_known CHECK (email_check IN ('passed', 'failed', 'unsure')) NOT VALID,
    ADD CONSTRAINT conversions_captcha_check_known CHECK (captcha_check IN ('passed', 'failed', 'unsure')) NOT VALID;
