-- How a campaign divides the credit for a conversion among the clicks before it. Which names there are is the code's to say:
-- a release that knows another rule needs no migration.
ALTER TABLE campaigns ADD COLUMN attribution text NOT NULL DEFAULT 'last_click';
