-- What a report of an order costs the database.

-- Orders first: with the advertiser first, the planner took this index for the duplicate key's while the table was small and
-- had never been analyzed, and read all of an advertiser's conversions for each report.
CREATE INDEX conversions_by_order_id ON conversions (order_id, event, advertiser_id);
DROP INDEX conversions_by_order;

-- Decisions are compressed by what takes a fifth of the time, where the server was built with it.
DO $$
BEGIN
    ALTER TABLE fraud_scores ALTER COLUMN record SET COMPRESSION lz4;
EXCEPTION
    WHEN feature_not_supported THEN NULL;
END $$;
