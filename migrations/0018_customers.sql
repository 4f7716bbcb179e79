-- What a report says of its customer, for decisions about fraud: hashes under keys of the installation, by which the same
-- customer is known again, and nothing that says who it was. Null where the report did not say, and of what older
-- releases stored. Clicks hash their addresses under the same key, so that one of a conversion can be that of its click.
ALTER TABLE conversions
    ADD COLUMN address_hash bytea,
    -- The /24 (/48) of that address.
    ADD COLUMN network      cidr,
    ADD COLUMN device       text,
    -- Of the device's own id.
    ADD COLUMN device_hash  bytea,
    -- Of the mailbox, whichever way it was written.
    ADD COLUMN email_hash   bytea,
    ADD COLUMN email_domain text,
    -- Of the account that paid.
    ADD COLUMN account_hash bytea;

-- Rows of older releases are null in all of them, and need not be read for that while postbacks wait.
ALTER TABLE conversions
    ADD CONSTRAINT conversions_address_hash_length CHECK (octet_length(address_hash) = 16) NOT VALID,
    ADD CONSTRAINT conversions_device_known CHECK (device IN ('desktop', 'mobile', 'tablet', 'unknown')) NOT VALID,
    ADD CONSTRAINT conversions_device_hash_length CHECK (octet_length(device_hash) = 16) NOT VALID,
    ADD CONSTRAINT conversions_email_hash_length CHECK (octet_length(email_hash) = 16) NOT VALID,
    ADD CONSTRAINT conversions_email_domain_alone CHECK (position('@' IN email_domain) = 0) NOT VALID,
    ADD CONSTRAINT conversions_account_hash_length CHECK (octet_length(account_hash) = 16) NOT VALID,
    ADD CONSTRAINT conversions_address_with_its_network CHECK ((address_hash IS NULL) = (network IS NULL)) NOT VALID;
