-- What the link of a click carried, kept with its part of the credit, so that a breakdown reads no clicks: the sub-ids as a list
-- of texts. Null where it was not noted, by releases before this one: there the click is looked at, as long as it is kept.
ALTER TABLE conversion_shares ADD COLUMN subs jsonb;
-- The material that `utm_content` named, if it did.
ALTER TABLE conversion_shares ADD COLUMN material text;
